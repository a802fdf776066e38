package main

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
	"shelfstream/sink"
	"shelfstream/status"
)

// preflightWithin is how long one system may take to answer at the start; one that does not is left to its stage, which waits for it.
const preflightWithin = 5 * time.Second

// preflight looks for mistakes in the configuration that only the systems can tell (a rule that names a column which is not there), so that they
// end the process before it has begun, all at once. Without such a mistake it says nothing: systems that are not ready are waited for.
func (a *app) preflight(ctx context.Context, stages []stage) error {
	names := map[string][]string{}
	for _, s := range stages {
		st := s.Status()
		names[st.Kind] = append(names[st.Kind], st.Name)
	}
	probe := newProbe(a.cfg, a.registryURL, a.log)
	k := &checker{cfg: a.cfg, out: io.Discard, within: preflightWithin, broken: map[string]bool{}}
	shapes := map[string]*schemas.Table{}
	for _, name := range names[status.KindCapture] {
		k.source(ctx, probe, name, shapes)
	}
	products := map[string]sink.View{}
	wanted := func(name string) bool {
		return slices.Contains(names[status.KindTransform], name) || a.feeds(names[status.KindSink], name)
	}
	for _, name := range a.cfg.ViewOrder() {
		// Views that are made elsewhere give their shapes to those over them.
		if wanted(name) || slices.ContainsFunc(a.cfg.ViewsOver(name), wanted) {
			k.view(ctx, probe, name, shapes, products)
		}
	}
	a.cfg.answered(products)
	for _, name := range names[status.KindSink] {
		s, _ := a.cfg.Sinks.Get(name)
		k.sink(ctx, probe, name, s.Views(), products)
	}
	if err := probe.Close(); err != nil {
		a.log.Debug("close what was looked at", "error", err)
	}
	if ctx.Err() != nil || !slices.ContainsFunc(k.faults, func(f *fault.Fault) bool { return f.Class == fault.Config }) {
		return nil
	}
	return k.faults
}

// feeds says whether one of the sinks reads the view, or what another sink was answered for it.
func (a *app) feeds(sinks []string, view string) bool {
	return slices.ContainsFunc(sinks, func(name string) bool {
		s, _ := a.cfg.Sinks.Get(name)
		return slices.ContainsFunc(s.Views(), func(from string) bool { return from == view || a.cfg.answersFor(from) == view })
	})
}

// newProbe is an app that looks at systems beside the stages: it asks a registry once, and has targets of its own. Close it.
func newProbe(cfg *pipeline, registryURL string, log *slog.Logger) *app {
	a := &app{cfg: cfg, log: log, metrics: prometheus.NewRegistry(), brokers: cfg.Log.Brokers, registryURL: registryURL, targets: map[string]sink.Target{}}
	if registryURL != "" {
		a.registry = registry.NewClient(registryURL, registryOptions(cfg, registry.WithRetry(0))...)
	}
	return a
}

// registryOptions are options of a client of the configured registry, with its login if it has one.
func registryOptions(cfg *pipeline, more ...registry.Option) []registry.Option {
	if r := cfg.Log.Registry; r.User != "" {
		more = append(more, registry.WithBasicAuth(r.User, r.Password))
	}
	return more
}

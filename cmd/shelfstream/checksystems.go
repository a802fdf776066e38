package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"shelfstream/capture"
	"shelfstream/internal/config"
	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
	"shelfstream/sink"
	"shelfstream/transform"
)

// describer is a source that tells the shapes of its tables before anything was captured.
type describer interface {
	// Describe gives the shape of each configured table by its configured name; with an error, of those that have one.
	Describe(ctx context.Context) (map[string]*schemas.Table, error)
}

// systems looks at everything that the configuration names.
func (k *checker) systems(ctx context.Context, cfg *pipeline, log *slog.Logger) {
	registryURL := cfg.Log.Registry.URL
	if cfg.Log.Embedded() {
		registryURL = k.embedded(ctx, cfg)
	} else {
		k.brokers(ctx, cfg, log)
	}
	a := newProbe(cfg, registryURL, log)
	if a.registry != nil {
		k.registry(ctx, a)
	}
	if len(cfg.Views) > 0 {
		k.say("state: folder "+cfg.StateDir(), writableDir("state.dir", cfg.StateDir()))
	}
	shapes := map[string]*schemas.Table{}
	for _, name := range cfg.Sources.Names() {
		k.source(ctx, a, name, shapes)
	}
	products := map[string]sink.View{}
	for _, name := range cfg.ViewOrder() {
		k.view(ctx, a, name, shapes, products)
	}
	cfg.answered(products)
	for i := range cfg.Sinks {
		k.sink(ctx, a, cfg.Sinks[i].Name, cfg.Sinks[i].Value.Views(), products)
	}
	if err := a.Close(); err != nil {
		log.Debug("close what was looked at", "error", err)
	}
}

func (k *checker) brokers(ctx context.Context, cfg *pipeline, log *slog.Logger) {
	what := "log: brokers " + strings.Join(cfg.Log.Brokers, ", ")
	tlsConfig, err := cfg.tlsConfig()
	if err != nil {
		k.say(what, err)
		return
	}
	kc := kafka.Config{Brokers: cfg.Log.Brokers, ClientID: cfg.Log.ClientID, TLS: tlsConfig, Logger: log}
	if s := cfg.Log.SASL; s != nil {
		kc.SASL = &kafka.SASL{Mechanism: s.Mechanism, User: s.User, Password: s.Password}
	}
	client, err := kafka.Open(kc)
	if err != nil {
		k.say(what, err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, k.within)
	defer cancel()
	k.say(what, client.Ping(ctx))
	if err := client.Close(); err != nil {
		log.Debug("close the connection to the brokers", "error", err)
	}
}

// registry asks for a subject that needs not be there.
func (k *checker) registry(ctx context.Context, a *app) {
	ctx, cancel := context.WithTimeout(ctx, k.within)
	defer cancel()
	_, _, err := a.registry.Latest(ctx, a.cfg.Name+".check-value")
	if errors.Is(err, registry.ErrNotFound) {
		err = nil
	}
	k.say("registry "+a.registryURL, err)
}

// source runs a source's preflight, and learns its tables' shapes, by their topics, if it tells them.
func (k *checker) source(ctx context.Context, a *app, name string, shapes map[string]*schemas.Table) {
	ctx, cancel := context.WithTimeout(ctx, k.within)
	defer cancel()
	what := "source " + name
	s, err := a.source(name)
	if err != nil {
		k.say(what, err)
		return
	}
	faults, err := s.Preflight(ctx)
	inOrder := k.say(what, faults.Err(), err)
	d, ok := s.(describer)
	if !ok || err != nil {
		return
	}
	tables, err := d.Describe(ctx)
	if err != nil && inOrder {
		k.say(what+": shapes of its tables", err)
	}
	for table, shape := range tables {
		shapes[capture.RawTopic(a.cfg.Name, name, table)] = shape
	}
}

// view checks a view and its rules against its tables' shapes: those the source told, else those a run has registered. Its products' own shape is
// added to shapes, for views over it; so views come in cfg.ViewOrder.
func (k *checker) view(ctx context.Context, a *app, name string, shapes map[string]*schemas.Table, products map[string]sink.View) {
	ctx, cancel := context.WithTimeout(ctx, k.within)
	defer cancel()
	view, _ := a.cfg.Views.Get(name)
	for _, from := range view.Reads() {
		t := a.cfg.topicOf(from)
		if config.IsView(from) && k.broken[from] {
			k.broken[name] = true
			k.later("view "+name, "its rules can be checked when those of the view "+from+" are in order")
			return
		}
		if shapes[t] == nil && a.registry != nil {
			if table, err := a.registry.Table(ctx, t); err == nil {
				shapes[t] = table
			}
		}
		if shapes[t] == nil {
			k.later("view "+name, "its rules can be checked when the columns of "+t+" are known")
			return
		}
	}
	files, err := a.cfg.readRules(view)
	if err != nil {
		k.broken[name] = true
		return // said before
	}
	product, err := transform.Compile(a.cfg.transformView(name), files, a.cfg.Zone, func(topic string) *schemas.Table { return shapes[topic] })
	if err == nil {
		err = transform.CheckGuards(a.cfg.transformView(name), a.cfg.guards(name), product)
	}
	if !k.say("view "+name, err, a.cfg.misplaced(name, shapes).Err()) {
		k.broken[name] = true
		return
	}
	topic := sink.Topic(a.cfg.Name, name)
	product.Name = topic
	products[name] = sink.View{Name: name, Topic: topic, Table: product}
	shapes[topic] = product
}

// sink has a target compared with the products of its views.
func (k *checker) sink(ctx context.Context, a *app, name string, views []string, products map[string]sink.View) {
	ctx, cancel := context.WithTimeout(ctx, k.within)
	defer cancel()
	what := "sink " + name
	say := func(err error) { k.say(what, a.cfg.placedError(name, err)) }
	target, err := a.target(name)
	if err != nil {
		say(err)
		return
	}
	var known []sink.View
	for _, v := range views {
		if p, ok := products[v]; ok {
			known = append(known, p)
		}
	}
	if len(known) < len(views) {
		if p, ok := target.(interface {
			Ping(ctx context.Context) error
		}); ok {
			if err := p.Ping(ctx); err != nil {
				say(err)
				return
			}
		}
		if dry, ok := target.(sink.DryChecker); ok && len(known) > 0 {
			faults, err := dry.DryCheck(ctx, known)
			if faults = ofViews(faults, name, known, a.cfg); err != nil || len(faults) > 0 {
				say(errors.Join(faults.Err(), err))
			}
		}
		missing := slices.DeleteFunc(slices.Clone(views), func(v string) bool { _, ok := products[v]; return ok })
		k.later(what, fmt.Sprintf("its tables can be compared when the columns of %s are known", strings.Join(missing, ", ")))
		return
	}
	dry, ok := target.(sink.DryChecker)
	if !ok {
		k.later(what, "this kind of sink can only be checked by a run")
		return
	}
	faults, err := dry.DryCheck(ctx, known)
	say(errors.Join(faults.Err(), err))
}

// ofViews leaves out what a target says of tables whose views were not known to it.
func ofViews(faults fault.List, name string, known []sink.View, cfg *pipeline) fault.List {
	s, _ := cfg.Sinks.Get(name)
	return slices.DeleteFunc(faults, func(f *fault.Fault) bool {
		path, ok := strings.CutPrefix(f.Where, s.Section.Kind+".tables.")
		table, key, _ := strings.Cut(path, ".")
		view := s.ViewOf(table)
		return ok && key == "from" && !slices.ContainsFunc(known, func(v sink.View) bool { return v.Name == view })
	})
}

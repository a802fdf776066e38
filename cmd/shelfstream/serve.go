package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"shelfstream/internal/fault"
	"shelfstream/status"
	"shelfstream/status/web"
)

// serve runs stages, with the admin port and progress beside them, until ctx ends or one of them cannot go on.
func (a *app) serve(ctx context.Context, p *program, stages []stage) error {
	ctx, cancel := context.WithCancelCause(ctx)
	// The admin port and the progress outlive the stages, so that a slow end can be watched.
	beside, endBeside := context.WithCancel(context.WithoutCancel(ctx))
	var wait sync.WaitGroup
	defer wait.Wait()
	defer endBeside()
	defer cancel(nil) // what watches ends with it, also when a stage has ended by itself
	running := make([]*patient, len(stages))
	reporters := make([]status.Reporter, len(stages))
	for i, s := range stages {
		running[i] = newPatient(s, a.cfg, a.log)
		reporters[i] = running[i]
	}
	admin, err := a.admin(ctx, stages, reporters, p.version)
	if err != nil {
		return err
	}
	address := ""
	if admin != nil {
		address = admin.Addr()
	}
	if a.watching, err = a.watch(reporters, p.version, address, time.Now()); err != nil {
		return err
	}
	wait.Go(func() { a.watching.run(ctx, beside) })
	if admin != nil {
		wait.Go(func() {
			if err := admin.Run(beside); err != nil {
				cancel(err)
			}
		})
		wait.Go(func() {
			if err := a.trail().Run(beside); err != nil {
				a.log.Warn("the audit log is not read", "error", err)
			}
		})
	}
	if err := a.writeEndpoints(address); err != nil {
		return err
	}
	page := "off"
	if address != "" {
		page = "http://" + address
	}
	a.log.Info("pipeline starts", "pipeline", a.cfg.Name, "version", p.version, "status", page, "brokers", a.brokers, "registry", a.registryURL)
	wait.Go(func() { watchProgress(beside, reporters, p.screen, a.log) })

	g, gctx := errgroup.WithContext(ctx)
	for _, s := range running {
		g.Go(func() error { return runStage(gctx, s) })
	}
	g.Go(func() error { return a.watchBroker(gctx) })
	err = g.Wait()
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, errSignal) && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	if err == nil {
		a.log.Info("pipeline has ended")
	}
	return err
}

// watchBroker ends with the fault of an embedded log that cannot be written any more.
func (a *app) watchBroker(ctx context.Context) error {
	if a.broker == nil {
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-a.broker.Failed():
		return a.broker.Fault()
	}
}

// common says what is wrong with what all stages share.
func (a *app) common() error {
	var l fault.List
	if a.broker != nil {
		if f := a.broker.Fault(); f != nil {
			l.Add(f)
		}
	}
	if f := a.client.Fault(); f != nil {
		l.Add(f)
	}
	switch own := a.registryServer; {
	case own != nil && own.log.Fault() != nil:
		l.Add(own.log.Fault())
	case a.registry.Fault() != nil:
		l.Add(a.registry.Fault())
	}
	return l.Err()
}

// runStage runs one stage; an end that nobody asked for is a fault.
func runStage(ctx context.Context, s stage) error {
	st := s.Status()
	err := s.Run(ctx)
	switch {
	case ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)):
		return nil
	case err == nil:
		return fmt.Errorf("%s %s ended by itself", st.Kind, st.Name)
	case len(fault.All(err)) > 0:
		return err
	}
	return fmt.Errorf("%s %s: %w", st.Kind, st.Name, err)
}

// admin opens the admin port; nil if it is off.
func (a *app) admin(ctx context.Context, stages []stage, reporters []status.Reporter, version string) (*web.Server, error) {
	if a.cfg.Admin.Off() {
		return nil, nil //nolint:nilnil // no admin port is no fault
	}
	cfg := web.Config{
		Pipeline: a.cfg.Name, Version: version, Listen: a.cfg.Admin.Listen, Zone: a.cfg.Zone, Gatherer: a.metrics, MaxLag: a.cfg.Admin.ReadyLag,
		Redact: a.cfg.Redact, Logger: a.log, Reporters: reporters,
		Parked: func(ctx context.Context, kind, name string, limit int) ([]status.Parked, error) {
			rows, err := a.parked(ctx, kind, name, limit)
			if errors.Is(err, errNoList) {
				return samples(stages, kind, name), nil
			}
			return rows, err
		},
		Ready: func() error {
			if ctx.Err() != nil {
				return errors.New("the process is ending")
			}
			return a.common()
		},
	}
	a.people(&cfg)
	a.watched(&cfg)
	explainers, planners := map[string]explainer{}, map[string]planner{}
	for _, s := range stages {
		if p, ok := s.(planner); ok {
			planners[s.Status().Name] = p
		}
		if e, ok := s.(explainer); ok {
			explainers[s.Status().Name] = e
		}
	}
	if len(explainers) > 0 {
		cfg.Explain = func(ctx context.Context, view, key string) (*status.Explanation, error) {
			return a.explain(ctx, explainers, view, key)
		}
		cfg.History = a.versions
	}
	if len(planners) > 0 {
		cfg.Plan = func(ctx context.Context, request []byte, tell func(any)) (any, error) {
			return a.planAsked(ctx, planners, request, tell)
		}
	}
	return web.NewServer(cfg)
}

// samples are the parked rows that a stage shows in its status, for sinks that cannot list all of them.
func samples(stages []stage, kind, name string) []status.Parked {
	var out []status.Parked
	for _, s := range stages {
		st := s.Status()
		if st.Kind != kind || st.Name != name {
			continue
		}
		for _, f := range st.Faults {
			out = append(out, status.Parked{Key: f.Where, Cause: string(f.Cause), What: f.What, Fix: f.Fix})
		}
	}
	return out
}

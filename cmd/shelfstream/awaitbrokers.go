package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/retry"
	"shelfstream/status"
	"shelfstream/status/web"
)

// mayAnswer says whether brokers may answer yet: a wrong setting does not mend itself.
func mayAnswer(err error) bool { return fault.ExitCode(err) != 2 }

// awaitBrokers returns when the brokers answer. Until then the status page shows every stage of the process as retrying.
func (a *app) awaitBrokers(ctx context.Context, r role) error {
	err := a.reachBrokers(ctx)
	if err == nil || !mayAnswer(err) || ctx.Err() != nil {
		return endedOr(ctx, err)
	}
	a.log.Warn("the brokers do not answer; waiting for them", "brokers", a.brokers, "error", err)
	page := &brokersPage{since: time.Now()}
	page.say(err)
	stages := page.stages(a.cfg, r)
	closePage, err := a.openPage(ctx, stages)
	if err != nil {
		return err
	}
	endAlone := a.waitAlone(ctx, page, stages)
	err = retry.Backoff{Base: 200 * time.Millisecond, Max: 2 * time.Second}.Do(ctx, func(ctx context.Context) error {
		err := a.reachBrokers(ctx)
		if err != nil {
			page.say(err)
		}
		return err
	}, mayAnswer)
	if err == nil {
		a.log.Info("the brokers answer")
	}
	endAlone()
	return errors.Join(endedOr(ctx, err), closePage())
}

// waitAlone has people told of brokers that do not answer, until the function returned is called.
func (a *app) waitAlone(ctx context.Context, page *brokersPage, stages []status.Reporter) (end func()) {
	a.alerts.watch(func() []status.Stage {
		out := make([]status.Stage, len(stages))
		for i, s := range stages {
			out[i] = s.Status()
		}
		return out
	}, page.quiet)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = a.alerts.alone.Run(ctx) // ends with ctx
	}()
	return func() {
		cancel()
		<-ended // it has none
	}
}

// endedOr is the context's error if it has ended: what broke, broke because of that.
func endedOr(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (a *app) reachBrokers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	return a.client.Ping(ctx)
}

// openPage serves an admin port that only tells of stages, until the function returned is called.
func (a *app) openPage(ctx context.Context, stages []status.Reporter) (closePage func() error, err error) {
	if a.cfg.Admin.Off() {
		return func() error { return nil }, nil
	}
	cfg := web.Config{
		Pipeline: a.cfg.Name, Version: version, Listen: a.cfg.Admin.Listen, Zone: a.cfg.Zone, Gatherer: a.metrics, Reporters: stages, Redact: a.cfg.Redact, Logger: a.log,
	}
	a.withoutLog(&cfg)
	s, err := web.NewServer(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}, nil
}

// brokersPage is what is known of brokers that do not answer.
type brokersPage struct {
	since  time.Time
	mu     sync.Mutex
	faults fault.List
}

func (b *brokersPage) say(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = asList("the brokers", err)
}

// quiet is for how long the brokers have not answered.
func (b *brokersPage) quiet() (time.Duration, bool, *fault.Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var why *fault.Fault
	if len(b.faults) > 0 {
		why = b.faults[0]
	}
	return time.Since(b.since), false, why
}

// stages stand for those that the process is going to run.
func (b *brokersPage) stages(cfg *pipeline, r role) []status.Reporter {
	var out []status.Reporter
	for _, s := range []struct {
		role  role
		kind  string
		names []string
	}{
		{roleCapture, status.KindCapture, cfg.Sources.Names()},
		{roleTransform, status.KindTransform, cfg.Views.Names()},
		{roleSink, status.KindSink, cfg.Sinks.Names()},
	} {
		if r != roleAll && r != s.role {
			continue
		}
		for _, name := range s.names {
			out = append(out, &brokersStage{page: b, kind: s.kind, name: name})
		}
	}
	return out
}

type brokersStage struct {
	page       *brokersPage
	kind, name string
}

// Status implements status.Reporter.
func (s *brokersStage) Status() status.Stage {
	s.page.mu.Lock()
	defer s.page.mu.Unlock()
	return status.Stage{Kind: s.kind, Name: s.name, State: status.StateRetrying, Since: s.page.since, Detail: "waits for the brokers", Faults: s.page.faults}
}

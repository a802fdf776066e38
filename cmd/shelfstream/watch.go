package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status"
	"shelfstream/status/escalate"
	"shelfstream/status/exchange"
	"shelfstream/status/incident"
	"shelfstream/status/roster"
)

// watch is what a process that runs stages knows and tells of the pipeline as a whole. Nothing in it is waited for by a stage, and none of it ends the process: what does not work
// shows in faults.
type watch struct {
	recorder *exchange.Recorder
	book     *exchange.Book
	roster   *roster.Roster
	keeper   *incident.Keeper
	alone    *incident.Alone
}

// processKind is the kind of what is shown as a stage of a process, while something is wrong that is no stage's own.
const processKind = "process"

// workerName names this process among those of the pipeline, also those that had its number before.
func workerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s/%d-%s", host, os.Getpid(), strings.ToLower(rand.Text()[:3]))
}

// openRecorder makes what takes the stages' exchanges in; they are written once the stages are served.
func (a *app) openRecorder() (err error) {
	a.recorder, err = exchange.NewRecorder(exchange.Config{
		Client: a.client, Topic: exchange.Topic(a.cfg.Name), Replication: a.cfg.Log.Replication, Worker: a.worker, Mask: a.cfg.Redact, Logger: a.log, Registerer: a.metrics,
	})
	return err
}

// exchanges is the recorder; a tool has none.
func (a *app) exchanges() exchange.Log {
	if a.recorder == nil {
		return nil
	}
	return a.recorder
}

// watch makes the status system of this process. admin is the address of its admin port, which may be empty.
func (a *app) watch(stages []status.Reporter, version, admin string, started time.Time) (*watch, error) {
	host, _, _ := strings.Cut(a.worker, "/")
	w := &watch{recorder: a.recorder, alone: a.alerts.alone, book: exchange.NewBook(exchange.BookConfig{
		Client: a.client, Topic: exchange.Topic(a.cfg.Name), Replication: a.cfg.Log.Replication, Logger: a.log,
	})}
	w.roster = roster.New(roster.Config{
		Client: a.client, Pipeline: a.cfg.Name, Replication: a.cfg.Log.Replication, Mask: a.cfg.Redact, Logger: a.log,
		Self:   roster.Worker{Name: a.worker, Host: host, PID: os.Getpid(), Role: a.role.String(), Version: version, Admin: admin, StartedAt: started},
		Stages: func() []status.Stage { return a.stagesNow(stages, w) },
	})
	keeper := incident.KeeperConfig{
		Client: a.client, Pipeline: a.cfg.Name, Replication: a.cfg.Log.Replication, Roster: w.roster, Rules: a.cfg.incidentRules(), Mask: a.cfg.Redact,
		SessionTimeout: a.cfg.Log.SessionTimeout, Logger: a.log, Registerer: a.metrics,
	}
	keeper.Policies, keeper.Alone = a.alerts.policies, a.alerts.alone
	if a.alerts.notifier != nil {
		keeper.Notifier = a.alerts.notifier
	}
	var err error
	if keeper.Expect, err = a.cfg.expectations(); err != nil {
		return nil, err
	}
	w.keeper, err = incident.NewKeeper(keeper)
	a.alerts.watch(func() []status.Stage { return a.stagesNow(stages, w) }, w.quiet)
	return w, err
}

// quiet is for how long the log has neither taken this process's report nor let incidents be kept.
func (w *watch) quiet() (time.Duration, bool, *fault.Fault) {
	written, everWritten := w.roster.Quiet()
	kept, everKept := w.keeper.Quiet()
	why := w.roster.Fault()
	if why == nil {
		why = w.keeper.Fault()
	}
	return max(written, kept), everWritten && everKept, why
}

// run keeps it going until beside ends, which outlives the stages so that their end is reported and written down. The keeper, and who tells people without it, end with ctx as the
// stages do: giving up a place in a group takes as long as theirs.
func (w *watch) run(ctx, beside context.Context) {
	var wait sync.WaitGroup
	for _, part := range []func(context.Context) error{w.keeper.Run, w.alone.Run} {
		wait.Go(func() { _ = part(ctx) }) // they end with their contexts, and tell of trouble by Fault
	}
	for _, part := range []func(context.Context) error{w.recorder.Run, w.book.Run, w.roster.Run} {
		wait.Go(func() { _ = part(beside) })
	}
	wait.Wait()
}

// faults are what keeps the pipeline's status from being known.
func (w *watch) faults() fault.List {
	var l fault.List
	for _, f := range []*fault.Fault{w.recorder.Fault(), w.book.Fault(), w.roster.Fault(), w.keeper.Fault()} {
		if f != nil && !slices.ContainsFunc(l, func(have *fault.Fault) bool { return have.Error() == f.Error() }) {
			l.Add(f)
		}
	}
	return l
}

// stagesNow is what this process reports: its stages, and what is wrong with what they share.
func (a *app) stagesNow(stages []status.Reporter, w *watch) []status.Stage {
	out := make([]status.Stage, 0, len(stages)+1)
	for _, s := range stages {
		out = append(out, s.Status())
	}
	faults := append(fault.All(a.common()), w.faults()...)
	if len(faults) > 0 {
		out = append(out, status.Stage{Kind: processKind, Name: a.worker, State: status.StateLive, Faults: faults})
	}
	return out
}

// expectations are those of the configuration. What a view depends on is why nothing comes.
func (p *pipeline) expectations() ([]incident.Expectation, error) {
	calendars, err := alertCalendars(p.Pipeline)
	if err != nil {
		return nil, err
	}
	var out []incident.Expectation
	for _, e := range p.Alerts.Expect {
		x := incident.Expectation{
			Name: cmp.Or(e.Name, e.From), Topics: []string{p.topicOf(e.From)}, Within: e.Within, Hours: calendars[e.Hours], Zone: p.Zone, Severity: escalate.Severity(e.Severity),
			Links: []string{linkOf(e.From)},
		}
		x.Data = p.DataOf(x.Links[0])
		if c, ok := p.Alerts.Calendars.Get(e.Hours); ok {
			x.HoursText = strings.Join(c.Open, ", ")
		}
		out = append(out, x)
	}
	return out, nil
}

// linkOf is the link that writes what a 'from' names.
func linkOf(from string) string {
	if source, _, table := strings.Cut(from, "."); table {
		return "source " + source
	}
	return "view " + from
}

// incidentRules are the way of the data, and what counts as too late.
func (p *pipeline) incidentRules() incident.Rules {
	r := incident.Rules{
		Flow: map[string][]string{}, Data: map[string]string{}, Links: p.Links(), Tries: p.Retries.Tries, Lag: p.Alerts.Lag,
		Keep: p.Alerts.History.Keep, KeepFor: p.Alerts.History.For,
	}
	for _, link := range r.Links {
		r.Data[link] = p.DataOf(link)
	}
	for _, name := range p.Views.Names() {
		view, _ := p.Views.Get(name)
		link := "view " + name
		for _, from := range view.Reads() {
			above := linkOf(from)
			if !slices.Contains(r.Flow[link], above) {
				r.Flow[link] = append(r.Flow[link], above)
			}
		}
	}
	for _, name := range p.Sinks.Names() {
		s, _ := p.Sinks.Get(name)
		link := "sink " + name
		for _, view := range s.Views() {
			above := "view " + view
			if of, ok := p.AnswersOf(view); ok {
				above = "sink " + of
			}
			r.Flow[link] = append(r.Flow[link], above)
		}
	}
	return r
}

func (r role) String() string {
	return cmp.Or(map[role]string{roleAll: "run", roleCapture: "capture", roleTransform: "transform", roleSink: "sink"}[r], "tool")
}

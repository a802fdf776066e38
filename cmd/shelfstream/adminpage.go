package main

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"shelfstream/internal/config"
	"shelfstream/status"
	"shelfstream/status/audit"
	"shelfstream/status/exchange"
	"shelfstream/status/incident"
	"shelfstream/status/login"
	"shelfstream/status/web"
)

// trail is where what people do is kept.
func (a *app) trail() *audit.Trail {
	if a.audit == nil {
		a.audit = audit.NewTrail(audit.Config{Client: a.client, Topic: a.cfg.Name + ".audit", Replication: a.cfg.Log.Replication, Logger: a.log})
	}
	return a.audit
}

// noteWithin is how long somebody waits for what they did to be noted.
const noteWithin = 5 * time.Second

// note keeps what somebody did. While the log does not answer only the process's own log has it, and the incident that was taken on: nobody is to wait for that.
func (a *app) note(ctx context.Context, e audit.Entry) error {
	if a.alerts.alone.Down() {
		a.log.WarnContext(ctx, "the audit topic does not have this, as the log does not answer", "who", e.Who, "action", e.Action, "target", e.Target)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, noteWithin)
	defer cancel()
	return a.trail().Add(ctx, e)
}

// people gives the page who may do what, and what they can do.
func (a *app) people(cfg *web.Config) {
	a.visitors(cfg)
	cfg.Flow = a.cfg.flow()
	cfg.Audit, cfg.AuditLast = a.note, a.trail().Last
	cfg.Timings = []web.Timing{
		{Metric: "shelfstream_transform_step_seconds", Label: "view", Kind: status.KindTransform, Title: "view"},
		{Metric: "shelfstream_sink_apply_seconds", Label: "sink", Kind: status.KindSink, Title: "sink"},
	}
	cfg.RetryParked = func(ctx context.Context, view string, keys []string, by string) (string, error) {
		return a.request(ctx, view, by, "", retryOf(view, keys))
	}
	cfg.SkipParked = func(ctx context.Context, view, key, by, why string) (string, error) {
		return a.request(ctx, view, by, why, skipOf(view, key))
	}
	if a.cfg.hasGuards() {
		cfg.Held = a.heldPage
		cfg.ApplyHeld = func(ctx context.Context, view, guard, by, why string, lasts time.Duration) (string, error) {
			return a.request(ctx, view, by, why, applyOf(view, guard, lasts))
		}
	}
}

// watched gives the page what is known of the pipeline as a whole. a.watching is there before the first request is served.
func (a *app) watched(cfg *web.Config) {
	cfg.Changed = []func() <-chan struct{}{
		func() <-chan struct{} { return a.watching.roster.Changed() },
		func() <-chan struct{} { return a.watching.book.Changed() },
		func() <-chan struct{} { return a.watching.keeper.Changed() },
		func() <-chan struct{} { return a.alerts.alone.Changed() },
	}
	cfg.Workers = func() []web.Worker {
		var out []web.Worker
		for _, w := range a.watching.roster.Workers() {
			out = append(out, web.Worker(w))
		}
		return out
	}
	cfg.Links = func() []web.Link {
		var out []web.Link
		for _, l := range a.watching.book.Links() {
			out = append(out, web.Link{Link: l.Link, Direction: l.Direction, Last: l.Last, LastOK: l.LastOK, LastFailed: l.LastFailed, OK: l.OK, Failed: l.Failed})
		}
		return out
	}
	cfg.Exchanges = func(link string, n int, failedOnly bool) []exchange.Exchange {
		return a.watching.book.Last(link, n, failedOnly)
	}
	cfg.Incidents = func() []web.Incident { return a.incidentsShown(a.watching.keeper.Incidents()) }
	cfg.Ack = func(ctx context.Context, id, by, note string) error { return a.watching.keeper.Ack(ctx, id, by, note) }
	a.linked(cfg)
}

// linked gives the page the links of messages.
func (a *app) linked(cfg *web.Config) {
	if a.alerts.signer != nil {
		cfg.VerifyAck = func(query url.Values) (string, string, error) { return a.alerts.signer.Verify(query, time.Now()) }
	}
}

// visitors gives the page who may look and act.
func (a *app) visitors(cfg *web.Config) {
	cfg.Self, cfg.Users, cfg.Open = a.worker, a.cfg.users(), a.cfg.Admin.Open
	if p := a.cfg.Admin.Proxy; p != nil {
		cfg.Proxy = &login.Proxy{Header: p.Header, Trusted: p.Networks(), Role: login.Role(p.Role)}
	}
}

// withoutLog gives a page what there is before the log has answered: what this process finds alone. What is done there is in the process's log only.
func (a *app) withoutLog(cfg *web.Config) {
	a.visitors(cfg)
	a.linked(cfg)
	cfg.Changed = []func() <-chan struct{}{a.alerts.alone.Changed}
	cfg.Incidents = func() []web.Incident { return a.incidentsShown(a.alerts.alone.Incidents()) }
	cfg.Ack = func(_ context.Context, id, by, note string) error { return a.alerts.alone.Ack(id, by, note) }
}

// incidentsShown are the incidents in the page's words, with who is told next.
func (a *app) incidentsShown(all []incident.Incident) []web.Incident {
	out := incidentsShown(all)
	for n := range out {
		out[n].Next = a.alerts.ahead(&all[n], time.Now(), a.cfg.Zone)
	}
	return out
}

func incidentsShown(all []incident.Incident) []web.Incident {
	var out []web.Incident
	for n := range all {
		out = append(out, incidentShown(&all[n]))
	}
	return out
}

// incidentShown is an incident in the page's words.
func incidentShown(i *incident.Incident) web.Incident {
	out := web.Incident{
		ID: i.ID, Link: i.Link, Data: i.Data, Cause: string(i.Cause), Kind: string(i.Kind), Severity: string(i.Severity), Where: i.Where, What: cmp.Or(i.What, i.Title), Fix: i.Fix, Command: i.Command,
		Count: i.Count, Tries: i.Tries, NextTry: i.NextTry, Samples: i.Samples, Opened: i.Opened, Last: i.Last, Acked: i.Acked, Resolved: i.Resolved, By: i.By, Note: i.Note, Behind: i.Behind, Worker: i.Worker,
	}
	for _, e := range i.Log {
		out.Log = append(out.Log, web.Event{At: e.At, What: e.What, By: e.By})
	}
	return out
}

// request sends what a person asks of a view on the page.
func (a *app) request(ctx context.Context, view, by, why string, make asking) (string, error) {
	if _, ok := a.cfg.Views.Get(view); !ok {
		return "", unknownName("view", view, a.cfg.Views.Names())
	}
	k := asker{by: by, why: why}
	_, say, err := k.send(ctx, a, view, make)
	return say, err
}

// heldSamples is how many products of a guard the page shows.
const heldSamples = 10

func (a *app) heldPage(ctx context.Context) ([]web.Held, error) {
	var out []web.Held
	for _, view := range a.cfg.Views.Names() {
		if len(a.cfg.guards(view)) == 0 {
			continue
		}
		of, err := a.heldBy(ctx, view, heldSamples)
		if err != nil {
			return nil, err
		}
		for i := range of {
			g := &of[i]
			h := web.Held{View: g.View, Guard: g.Guard, Counts: g.Counts, Allows: g.Allows, Held: g.Held, Since: g.Since, OverrideUntil: g.OverrideUntil, By: g.By, Why: g.Why}
			for _, s := range g.Samples {
				h.Samples = append(h.Samples, web.HeldSample{Key: s.Key, Before: s.Before, After: s.After, Since: s.Since})
			}
			out = append(out, h)
		}
	}
	return out, nil
}

func (p *pipeline) hasGuards() bool {
	return slices.ContainsFunc(p.Views, func(v config.Named[config.View]) bool { return len(v.Value.Guards) > 0 })
}

// users are those of the configuration.
func (p *pipeline) users() map[string]login.User {
	out := map[string]login.User{}
	for _, u := range p.Admin.Users {
		out[u.Name] = login.User{PasswordHash: u.Value.PasswordHash, Role: login.Role(u.Value.Role)}
	}
	return out
}

// flow is the way of the data as the configuration has it.
func (p *pipeline) flow() web.Flow {
	var f web.Flow
	for _, s := range p.Sources {
		f.Nodes = append(f.Nodes, web.Node{Kind: status.KindCapture, Name: s.Name, System: s.Value.Section.Kind})
	}
	arrow := func(from string, to web.Node) {
		kind, name := status.KindTransform, from
		if of, ok := p.AnswersOf(from); ok && to.Kind == status.KindSink {
			kind, name = status.KindSink, of
		} else if source, _, ok := strings.Cut(from, "."); ok {
			kind, name = status.KindCapture, source
		}
		a := web.Arrow{From: kind + " " + name, To: to.Kind + " " + to.Name}
		if from != "" && !slices.Contains(f.Arrows, a) {
			f.Arrows = append(f.Arrows, a)
		}
	}
	for i := range p.Views {
		v, n := &p.Views[i].Value, web.Node{Kind: status.KindTransform, Name: p.Views[i].Name}
		f.Nodes = append(f.Nodes, n)
		arrow(v.From, n)
		for _, c := range v.Children {
			arrow(c.Value.From, n)
		}
		for _, l := range v.Lookups {
			arrow(l.Value.From, n)
		}
	}
	for i := range p.Sinks {
		n := web.Node{Kind: status.KindSink, Name: p.Sinks[i].Name, System: p.Sinks[i].Value.Section.Kind}
		f.Nodes = append(f.Nodes, n)
		for _, view := range p.Sinks[i].Value.Views() {
			arrow(view, n)
		}
	}
	return f
}

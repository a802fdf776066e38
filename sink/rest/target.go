package rest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
	"shelfstream/sink"
	"shelfstream/sink/ledger"
	"shelfstream/status"
	"shelfstream/status/exchange"
)

// Options are what is not in the section. Pipeline and Sink are required; Client and Registry as soon as a partition is opened.
type Options struct {
	Pipeline, Sink string
	// Zone is where timestamps are shown in; nil: UTC.
	Zone *time.Location
	// Path makes a path of the configuration absolute; nil: it stays.
	Path     func(string) string
	Client   *kafka.Client
	Registry *registry.Client
	// Replication and TopicConfigs are for topics that the sink makes.
	Replication  int
	TopicConfigs map[string]string
	Exchanges    exchange.Log // nil: nobody wants to know
	Logger       *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Target is one HTTP interface. It implements sink.Target, DryChecker, Rewinder and Looker; its sessions implement Retrier.
type Target struct {
	cfg  Config
	opts Options
	name string
	call *caller
	now  func() time.Time
	// grace is how much longer than the timeout a call of another process is waited for: clocks differ.
	grace time.Duration
	// triesAlone is how many tries a record has that fails while nothing tells whether it is the record or everything.
	triesAlone int
	answers    *answers
	// blind: a record was parked without knowing, and nothing has gone well since.
	blind atomic.Bool

	mu    sync.RWMutex
	plans map[string]*plan // by view, of the last Check

	step func(name string) // told of each step; tests stop there
}

// The steps of a delivery.
const (
	stepIntended  = "intended"
	stepCalled    = "called"
	stepAnswered  = "answered"
	stepDelivered = "delivered"
)

var (
	_ sink.Target     = (*Target)(nil)
	_ sink.DryChecker = (*Target)(nil)
	_ sink.Rewinder   = (*Target)(nil)
	_ sink.Looker     = (*Target)(nil)
	_ sink.Session    = (*session)(nil)
	_ sink.Retrier    = (*session)(nil)
)

// Open makes a target from a valid configuration; it does not connect yet.
func Open(cfg Config, opts Options) (*Target, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Path == nil {
		opts.Path = func(name string) string { return name }
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	client, err := newClient(cfg.TLS, opts.Path)
	if err != nil {
		return nil, err
	}
	t := &Target{cfg: cfg, opts: opts, name: opts.Sink, now: opts.Now, grace: time.Second, triesAlone: 5, plans: map[string]*plan{}, step: func(string) {}}
	t.call = &caller{
		base: cfg.URL, fixed: cfg.Headers, timeout: cfg.Timeout, client: client, limit: newLimiter(cfg.Rate, opts.Now),
		auth: &authorizer{cfg: cfg.Auth, client: client, said: t.gotToken},
	}
	if opts.Client != nil && opts.Registry != nil {
		t.answers = &answers{cfg: &t.opts, shapes: map[string]*answerShape{}}
	}
	return t, nil
}

// Workers is the configured number of calls at once, 0 if it is left to the runner.
func (t *Target) Workers() int { return t.cfg.Workers }

// Close ends what the target holds; sessions must be closed before.
func (t *Target) Close() error {
	t.call.client.CloseIdleConnections()
	if t.answers == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return t.answers.close(ctx)
}

// Check implements sink.Target. Whether the other side is well is seen by the first call.
func (t *Target) Check(ctx context.Context, views []sink.View) (fault.List, error) {
	plans, faults := t.compile(views)
	if len(faults) > 0 {
		return faults, nil
	}
	if err := t.makeReady(ctx, views); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, p := range plans {
		// Sizes of batches that were found out stay.
		if old := t.plans[name]; old != nil && reflect.DeepEqual(old.table, p.table) {
			continue
		}
		t.plans[name] = p
	}
	return nil, nil
}

// DryCheck implements sink.DryChecker: the templates against the views, and the probe.
func (t *Target) DryCheck(ctx context.Context, views []sink.View) (fault.List, error) {
	_, faults := t.compile(views)
	if err := t.Ping(ctx); err != nil {
		l := fault.All(err)
		if len(l) == 0 {
			return faults, err
		}
		faults = append(faults, l...)
	}
	return faults, nil
}

func (t *Target) compile(views []sink.View) (map[string]*plan, fault.List) {
	plans := map[string]*plan{}
	var faults fault.List
	for _, v := range views {
		for name, table := range t.cfg.Tables {
			if table.From != v.Name {
				continue
			}
			p, err := compile(&t.cfg, name, &table, v.Table, t.opts.Zone, t.opts.Pipeline+"."+t.name)
			faults = append(faults, fault.All(err)...)
			plans[v.Name] = p
		}
		if topic := t.answerTopic(v.Name); clashes(topic, views) {
			faults.Add(answersOff(topic))
		}
	}
	return plans, faults
}

func (t *Target) planOf(v sink.View) *plan {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if p := t.plans[v.Name]; p != nil && reflect.DeepEqual(p.table, v.Table) {
		return p
	}
	return nil
}

// Ping asks the probe, or if none is configured whether anybody answers at the address and gives a token.
func (t *Target) Ping(ctx context.Context) error { return t.probe(ctx) }

func (t *Target) probe(ctx context.Context) error {
	req := &request{method: "GET", path: t.cfg.Probe}
	if t.cfg.Probe == "" {
		req.method = "HEAD"
	}
	begun := t.now()
	a, err := t.call.do(ctx, req, begun.Add(t.call.timeout))
	switch {
	case err != nil:
		err = t.lineFault(err)
	case t.cfg.Probe != "" && (a.status < 200 || a.status > 299):
		err = t.statusFault(a)
	}
	t.spoke(exchange.Exchange{Kind: "probe", At: begun, Attempt: 1}, err)
	return err
}

// Open implements sink.Target.
func (t *Target) Open(ctx context.Context, p sink.Partition) (sink.Session, error) {
	pl := t.planOf(p.View)
	if pl == nil {
		return nil, &fault.Fault{Class: fault.Config, Where: "sink " + t.name, What: fmt.Sprintf("nothing is delivered of the view %s", p.View.Name), Fix: "add an entry under 'tables', or take the view from the sink"}
	}
	led, err := ledger.Open(ctx, t.ledger(), p)
	if err != nil {
		return nil, err
	}
	return &session{t: t, p: p, plan: pl, led: led, over: map[sink.KeyHash]bool{}, tries: map[sink.KeyHash]int{}}, nil
}

func (t *Target) ledger() ledger.Config {
	return ledger.Config{Client: t.opts.Client, Sink: t.name, Topic: ledger.Topic(t.opts.Pipeline, t.name), Replication: t.opts.Replication, TopicConfigs: t.opts.TopicConfigs, Now: t.opts.Now}
}

// Rewind implements sink.Rewinder. A replay sends what the other side does not have.
func (t *Target) Rewind(ctx context.Context, p sink.Partition, to int64, prune bool) (sink.Place, error) {
	if prune {
		return sink.Place{}, &fault.Fault{Class: fault.Config, Where: "sink " + t.name, What: "what the server has cannot be listed, and so not compared", Fix: "replay without -prune"}
	}
	return ledger.Rewind(ctx, t.ledger(), p, to)
}

// ListParked lists what this sink holds back, of all partitions and whoever delivers them now, at most limit records.
func (t *Target) ListParked(ctx context.Context, limit int) ([]sink.Parked, error) {
	return ledger.ListParked(ctx, t.ledger(), func(view string) string { return sink.Topic(t.opts.Pipeline, view) }, limit)
}

// Lookup implements sink.Looker with what the server was sent and answered. It is not asked: the lookup that is configured may need more of the record than its key.
func (t *Target) Lookup(ctx context.Context, v sink.View, key []schemas.Value) (out []sink.Found, _ error) {
	id, err := v.KeyBytes(key)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(t.cfg.Tables)) {
		if t.cfg.Tables[name].From != v.Name {
			continue
		}
		found, err := ledger.Lookup(ctx, t.ledger(), v, id, name, "delivery")
		if err != nil {
			return nil, err
		}
		out = append(out, found)
	}
	return out, nil
}

// gotToken tells of a request for a token.
func (t *Target) gotToken(begun time.Time, err error) {
	if err != nil {
		err = t.tokenFault(err)
	}
	t.spoke(exchange.Exchange{Kind: "token", At: begun, Attempt: 1}, err)
}

// spoke tells of a call for some records.
func (s *session) spoke(kind string, items []*item, req *request, begun time.Time, err error) {
	if s.t.opts.Exchanges == nil {
		return
	}
	e := exchange.Exchange{Kind: kind, At: begun, Attempt: 1 + s.tries[items[0].id], Records: int64(len(items)), Bytes: int64(len(req.body))}
	for _, it := range items {
		if it.fault != nil {
			e.Parked++
		}
	}
	for _, it := range items {
		if len(e.Keys) < status.MaxSamples && (e.Parked == 0 || it.fault != nil) {
			e.Keys = append(e.Keys, it.key)
		}
		if it.fault != nil && e.Fault == nil {
			j := status.FaultJSONOf(it.fault)
			e.Fault, e.Outcome = &j, exchange.Parked
		}
		e.Spans = append(e.Spans, exchange.Span{Topic: s.p.View.Topic, Partition: s.p.ID, From: it.rec.Offset, To: it.rec.Offset + 1})
	}
	if len(e.Spans) > 1 {
		span := e.Spans[0]
		for _, o := range e.Spans {
			span.From, span.To = min(span.From, o.From), max(span.To, o.To)
		}
		e.Spans = []exchange.Span{span}
	}
	s.t.spoke(e, err)
}

func (t *Target) spoke(e exchange.Exchange, err error) {
	if t.opts.Exchanges == nil || errors.Is(err, context.Canceled) {
		return
	}
	e.Link, e.Direction, e.Count, e.Took = "sink "+t.name, exchange.Out, 1, t.now().Sub(e.At)
	if e.Outcome == "" {
		e.Outcome = exchange.OK
	}
	if err != nil {
		e.Outcome = exchange.Failed
		j := status.FaultJSON{What: err.Error()}
		if l := fault.All(err); len(l) > 0 {
			j = status.FaultJSONOf(l[0])
		}
		e.Fault = &j
	}
	t.opts.Exchanges.Add(e)
}

package sink

import (
	"context"
	"errors"
	"math"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/status"
	"shelfstream/status/exchange"
)

// The kinds of exchanges with a target.
const (
	exchangeCheck       = "preflight"
	exchangeOpen        = "open"
	exchangeTransaction = "transaction"
	exchangeReplay      = "replay"
	exchangeRetry       = "retry" // of parked records
)

// spoke tells of an exchange with the target, if anybody wants to know.
func (r *Runner) spoke(e exchange.Exchange, err error) {
	if r.cfg.Exchanges == nil {
		return
	}
	e.Link, e.Direction = "sink "+r.cfg.Sink, exchange.Out
	e.Took = r.cfg.Now().Sub(e.At)
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
	r.cfg.Exchanges.Add(e)
}

// checked tells of one comparison of the target with the views.
func (r *Runner) checked(ctx context.Context, begun time.Time, attempt int, faults fault.List, err error) {
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		err = faults.Err()
	}
	r.spoke(exchange.Exchange{Kind: exchangeCheck, At: begun, Attempt: attempt + 1}, err)
}

// opened tells of one attempt to take a partition over.
func (r *Runner) opened(ctx context.Context, p *partition, begun time.Time, err error) {
	if err != nil && ctx.Err() != nil {
		return
	}
	r.spoke(exchange.Exchange{Kind: exchangeOpen, At: begun, Attempt: p.failed + 1, Keys: []string{p.String()}}, err)
}

// transaction describes what Apply was given, for those who look at the exchanges; was is the session's place before it.
func (w *worker) transaction(p *partition, b *Batch, was int64, taken, attempt int, begun time.Time) exchange.Exchange {
	e := exchange.Exchange{Kind: exchangeTransaction, At: begun, Attempt: attempt + 1, Records: int64(len(b.Records) + len(b.Parked))}
	if e.Records == 0 {
		return e
	}
	e.Bytes = int64(w.collect.bytes - 64*len(w.collect.records))
	span := exchange.Span{Topic: p.View.Topic, Partition: p.ID, From: was, To: b.Next}
	if b.Next == was {
		e.Kind = exchangeReplay
		if taken == 0 {
			e.Kind = exchangeRetry
		}
		span.From, span.To = b.stretch()
	}
	e.Spans = []exchange.Span{span}
	for i := range b.Records[:min(len(b.Records), status.MaxSamples)] {
		e.Keys = append(e.Keys, KeyText(b.Records[i].KeyValues))
	}
	return e
}

// stretch is the offsets of the records.
func (b *Batch) stretch() (from, to int64) {
	from = math.MaxInt64
	for i := range b.Records {
		from, to = min(from, b.Records[i].Offset), max(to, b.Records[i].Offset+1)
	}
	for i := range b.Parked {
		from, to = min(from, b.Parked[i].Offset), max(to, b.Parked[i].Offset+1)
	}
	return from, to
}

// gave tells of a transaction that the target took; of one without records, which only renews the place, there is nothing to tell.
func (w *worker) gave(p *partition, b *Batch, was int64, parked []Parked, taken, attempt int, begun time.Time) {
	if w.r.cfg.Exchanges == nil || len(b.Records)+len(b.Parked) == 0 {
		return
	}
	e := w.transaction(p, b, was, taken, attempt, begun)
	if n := len(parked); n > 0 {
		e.Outcome, e.Parked = exchange.Parked, int64(n)
		e.Keys = nil // of those that somebody will look for
		for i := range parked[:min(n, status.MaxSamples)] {
			e.Keys = append(e.Keys, parked[i].Key)
		}
		if parked[0].Fault != nil {
			j := status.FaultJSONOf(parked[0].Fault)
			e.Fault = &j
		}
	}
	w.r.spoke(e, nil)
}

// refused tells of a transaction of which nothing is visible, or nobody knows.
func (w *worker) refused(p *partition, b *Batch, was int64, taken, attempt int, begun time.Time, err error) {
	if w.r.cfg.Exchanges == nil || errors.Is(err, ErrLost) {
		return
	}
	w.r.spoke(w.transaction(p, b, was, taken, attempt, begun), err)
}

// KeyText is a key for people: "4711", or values joined by "/".
func KeyText(key []schemas.Value) string {
	var b []byte
	for i := range key {
		if i > 0 {
			b = append(b, '/')
		}
		b = schemas.AppendCanonical(b, key[i])
	}
	return string(b)
}

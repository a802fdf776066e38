package capture

import (
	"context"
	"errors"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/status"
	"shelfstream/status/exchange"
)

// The kinds of exchanges with a source.
const (
	exchangePreflight  = "preflight"
	exchangeSnapshot   = "snapshot"   // one for each table
	exchangeChanges    = "changes"    // the transactions of one checkpoint
	exchangeConnection = "connection" // reading broke off
)

// spoke tells of an exchange with the source, if anybody wants to know.
func (c *RunnerConfig) spoke(e exchange.Exchange, err error) {
	if c.Exchanges == nil {
		return
	}
	e.Link, e.Direction, e.Outcome = "source "+c.Source, exchange.In, exchange.OK
	if err != nil {
		e.Outcome, e.Fault = exchange.Failed, faultJSON(err)
	}
	c.Exchanges.Add(e)
}

func faultJSON(err error) *status.FaultJSON {
	j := status.FaultJSON{What: err.Error()}
	if l := fault.All(err); len(l) > 0 {
		j = status.FaultJSONOf(l[0])
	}
	return &j
}

// brokeOff tells of a session's end that nobody asked for; attempt counts from 0.
func (r *Runner) brokeOff(ctx context.Context, err error, attempt int) {
	if err == nil || ctx.Err() != nil || errors.Is(err, kafka.ErrFenced) || errors.Is(err, errSignalled) {
		return
	}
	r.cfg.spoke(exchange.Exchange{Kind: exchangeConnection, At: r.cfg.Now(), Attempt: attempt + 1}, err)
}

// preflighted tells of one look at the source.
func (s *session) preflighted(begun time.Time, attempt int, faults fault.List) {
	cfg := &s.r.cfg
	cfg.spoke(exchange.Exchange{Kind: exchangePreflight, At: begun, Took: cfg.Now().Sub(begun), Attempt: attempt + 1}, faults.Err())
}

// tally is what the rows of a checkpoint were, for those who look at the exchanges. It belongs to the source's goroutine until a commit hands it on.
type tally struct {
	bytes int64
	keys  []string
}

// sample notes a row's key where few are known yet.
func (t *tally) sample(c *RunnerConfig, shape *tableShape, row []schemas.Value) {
	if c.Exchanges == nil || len(t.keys) >= status.MaxSamples {
		return
	}
	_, shown := shape.rowName(row)
	t.keys = append(t.keys, shown)
}

// merge adds what a later commit brought, and empties it.
func (t *tally) merge(later *tally) {
	t.bytes += later.bytes
	for _, k := range later.keys {
		if len(t.keys) == status.MaxSamples {
			break
		}
		t.keys = append(t.keys, k)
	}
	*later = tally{keys: later.keys[:0]}
}

// exchanged tells of the transactions between two checkpoints; of a heartbeat there is nothing to tell.
func (c *commits) exchanged(j *job, before, after *schemas.Checkpoint) {
	if c.cfg.Exchanges == nil || before == after || after == nil {
		return
	}
	e := exchange.Exchange{
		Kind: exchangeChanges, At: j.begun, Took: c.cfg.Now().Sub(j.begun), Bytes: j.tally.bytes, Keys: j.tally.keys, Position: after.Position,
	}
	for i := range after.Topics {
		t := &after.Topics[i]
		var was *schemas.CheckpointTopic
		if before != nil {
			was = before.Topic(t.Topic)
		}
		for p, next := range t.Next {
			from := int64(0)
			if was != nil && p < len(was.Next) {
				from = was.Next[p]
			}
			if next > from {
				e.Records += next - from
				e.Spans = append(e.Spans, exchange.Span{Topic: t.Topic, Partition: int32(p), From: from, To: next})
			}
		}
	}
	if e.Records > 0 {
		c.cfg.spoke(e, nil)
	}
}

// told tells of a table that was read whole.
func (s *snapshot) told(t *snapshotTable, position Position) {
	cfg := s.w.cfg
	begun := t.progress.started
	cfg.spoke(exchange.Exchange{
		Kind: exchangeSnapshot, At: begun, Took: cfg.Now().Sub(begun), Records: t.progress.rows.Load(), Keys: []string{t.progress.table}, Position: string(position),
	}, nil)
}

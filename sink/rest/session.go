package rest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/ledger"
)

// renderedAtOnce is for how many records the calls are in memory at once.
const renderedAtOnce = 512

// session delivers one partition.
type session struct {
	t    *Target
	p    sink.Partition
	plan *plan
	led  *ledger.Ledger

	replaying bool // the batch is a part of a replay
	retrying  bool // the batch is of parked records

	// over are records whose last call of this session is over, whatever came of it, so that nobody needs to wait for its end; true: it surely was not done.
	over map[sink.KeyHash]bool
	// tries are calls in a row that failed for a record with nothing to tell whether it is the record or everything.
	tries map[sink.KeyHash]int
	// good are calls of the present batch that went well.
	good int
	// row are calls that failed since one went well.
	row int
	// began is when the present attempt did.
	began time.Time
	// through are records of the present attempt of which it is written down that they are delivered, or refused.
	through int
	// told are records whose answers are to be written before they count as delivered.
	told []*item
}

// Place implements sink.Session.
func (s *session) Place() sink.Place { return s.led.Place() }

// Close implements sink.Session.
func (s *session) Close() error { return s.led.Close() }

// Parked implements sink.Retrier.
func (s *session) Parked(_ context.Context, after int64, limit int) ([]sink.Parked, error) {
	return s.led.Parked(after, limit), nil
}

// Held implements sink.Retrier.
func (s *session) Held() int { return s.led.Held() }

// OnWake implements sink.Retrier; nothing here tells that a reason has gone.
func (s *session) OnWake(func()) {}

// TakeWoken implements sink.Retrier.
func (s *session) TakeWoken() []int64 { return nil }

// Apply implements sink.Session. Each record is delivered by itself, so after an error some may be; the same batch again delivers the others.
func (s *session) Apply(ctx context.Context, b *sink.Batch) ([]sink.Parked, error) {
	place := s.led.Place()
	if b.Next < place.Next {
		return nil, fmt.Errorf("batch of %s goes back from %d to %d", s.p, place.Next, b.Next)
	}
	s.refresh()
	s.replaying = place.Next < place.ReplayUntil
	s.retrying = b.Next == place.Next && !s.replaying
	s.good, s.row, s.through, s.began = 0, 0, 0, s.t.now()
	parked := append([]sink.Parked(nil), b.Parked...)
	last := ledger.Change{Park: append([]sink.Parked(nil), b.Parked...), Free: append([][]byte(nil), b.Gone...)}

	for records := range slices.Chunk(b.Records, renderedAtOnce) {
		held, err := s.some(ctx, records, &last)
		if err != nil {
			if s.through > 0 && !errors.Is(err, sink.ErrLost) && ctx.Err() == nil {
				err = fmt.Errorf("%w; %w", err, sink.ErrAdvanced)
			}
			return nil, err
		}
		parked = append(parked, held...)
	}
	if b.Next > place.Next {
		place.Next, place.ReplayUntil = b.Next, 0
	}
	last.Place = &place
	if err := s.led.Write(ctx, last); err != nil {
		return nil, err
	}
	return parked, nil
}

// some delivers some records of a batch, and returns which of them are held back. What needs no call is left to last, the batch's end.
func (s *session) some(ctx context.Context, records []sink.Record, last *ledger.Change) (parked []sink.Parked, _ error) {
	var order []*call
	work := map[*call][]*item{}
	all := make([]*item, len(records))
	for i := range records {
		it := s.item(&records[i])
		all[i] = it
		switch {
		case s.stays(it):
		case s.decide(it):
			if work[it.call] == nil {
				order = append(order, it.call)
			}
			work[it.call] = append(work[it.call], it)
		case it.fault != nil:
			last.Park = append(last.Park, s.parked(it))
		default:
			last.Free = append(last.Free, it.rec.Key)
		}
	}
	for _, c := range order {
		if err := s.deliver(ctx, c, work[c]); err != nil {
			return nil, err
		}
	}
	for _, it := range all {
		if it.fault != nil {
			parked = append(parked, s.parked(it))
		}
	}
	return parked, nil
}

// stays says whether a parked record is left where it is: its call was made, the answer was not understood, and there is no lookup to ask. Calling again each minute would
// be right only at a server that knows its Idempotency-Key.
func (s *session) stays(it *item) bool {
	if !s.retrying || !it.unsure || s.plan.lookup != nil {
		return false
	}
	list := s.led.Parked(it.rec.Offset-1, 1)
	if len(list) == 0 || list[0].Offset != it.rec.Offset || list[0].Fault.Cause != fault.RestAnswer {
		return false
	}
	it.fault = list[0].Fault
	return true
}

// refresh takes the plan that the last Check made, if it is for the same shape.
func (s *session) refresh() {
	if p := s.t.planOf(s.p.View); p != nil {
		s.plan = p
	}
}

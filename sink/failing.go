package sink

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/retry"
	"shelfstream/status"
)

// failure is something that failed and is tried again: a partition's, or what comes before partitions.
type failure struct {
	state  string
	detail string
	faults fault.List
	tries  int // that failed in a row
	next   time.Time
}

// linkDown says whether an error tells of the link to the target as a whole. One that blames a table, or another one's locks, is an answer.
func linkDown(err error) bool {
	if errors.Is(err, ErrLost) || errors.Is(err, ErrContention) || errors.Is(err, ErrAdvanced) {
		return false
	}
	kind := retry.KindOf(err)
	return kind.Passes() || kind == fault.Refused
}

// viaLink is fails for a call that went through the breaker: while the circuit is open nothing is to wait for, as the breaker lets one after the other through.
func (r *Runner) viaLink(ctx context.Context, who string, tries int, err error) time.Duration {
	wait := r.fails(ctx, who, tries, err)
	if r.link.Link().Circuit != retry.Closed {
		return 0
	}
	return wait
}

// fails shows and logs that a try of who has failed, the tries-th in a row, and says how long to wait before the next one. It is logged once until something
// else happens.
func (r *Runner) fails(ctx context.Context, who string, tries int, err error) time.Duration {
	faults := fault.All(err)
	if len(faults) == 0 {
		f := &fault.Fault{Class: fault.Runtime, Cause: fault.Unexpected, Where: "sink " + r.cfg.Sink, What: "an attempt failed and is repeated", Err: err}
		faults = fault.List{f}
	}
	now, wait := r.cfg.Now(), r.cfg.Retries.Delay(tries, err)
	if r.board.fails(who, &failure{state: status.StateRetrying, detail: err.Error(), faults: faults, tries: tries, next: now.Add(wait)}, now) {
		r.cfg.Logger.WarnContext(ctx, "sink: retrying", "sink", r.cfg.Sink, "error", err)
	}
	return wait
}

// fails shows that something failed; true if that is news.
func (b *board) fails(who string, f *failure, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.failures[who]
	if b.failures == nil {
		b.failures = map[string]*failure{}
	}
	b.failures[who] = f
	b.judge(now)
	return old == nil || old.detail != f.detail
}

// fine says that what had failed goes on.
func (b *board) fine(who string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.failures, who)
}

// worst is the failure with the most tries; nil if nothing fails. b.mu is held.
func (b *board) worst() *failure {
	var worst *failure
	for _, who := range slices.Sorted(maps.Keys(b.failures)) {
		if f := b.failures[who]; worst == nil || f.tries > worst.tries {
			worst = f
		}
	}
	return worst
}

// failing fills in what fails now. Partitions that fail for the same reason are named once. b.mu is held.
func (b *board) failing(s *status.Stage, link retry.Link) {
	if f := b.worst(); f != nil {
		s.Attempt, s.NextTry = f.tries, f.next
	}
	if link.Circuit != retry.Closed {
		s.Attempt, s.NextTry = max(s.Attempt, link.Failed), link.NextTry
		s.Detail = "the circuit is open: one worker tries for all, the others wait"
		if link.Err != nil {
			s.Detail += "; " + link.Err.Error()
		}
	}
	for _, who := range slices.Sorted(maps.Keys(b.failures)) {
		for _, f := range b.failures[who].faults {
			if !slices.ContainsFunc(s.Faults, func(o *fault.Fault) bool { return o.Cause == f.Cause && o.Where == f.Where && o.What == f.What }) {
				s.Faults.Add(f)
			}
		}
	}
}

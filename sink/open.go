package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shelfstream/internal/fault"
)

// open takes a partition over, finishes what was asked of it (a replay, a comparison of all keys) and begins to read it.
func (w *worker) open(ctx context.Context, p *partition) error {
	r := w.r
	var s Session
	err := r.link.Do(ctx, func(ctx context.Context) (err error) {
		begun := r.cfg.Now()
		s, err = r.cfg.Target.Open(ctx, p.Partition)
		r.opened(ctx, p, begun, err)
		return err
	})
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		w.later(ctx, p, err)
		return nil
	}
	p.session = s
	place := s.Place()
	start, end, err := w.bounds(ctx, p)
	if err != nil {
		return w.notYet(ctx, p, err)
	}
	if lost := r.positionLost(p, place, end); lost != nil {
		told := false
		r.board.update(p, func(s *shown) { told, s.blocked = s.blocked != nil, lost })
		if !told { // it is looked at every few seconds, until somebody decides
			r.cfg.Logger.ErrorContext(ctx, "sink: position lost", "sink", r.cfg.Sink, "partition", p.String(), "error", lost)
		}
		r.board.update(p, func(*shown) { r.board.judge(r.cfg.Now()) })
		w.close(ctx, p)
		p.openAt = r.cfg.Now().Add(10 * time.Second)
		return nil
	}
	r.board.update(p, func(s *shown) { s.blocked, s.next, s.end = nil, place.Next, end })

	// Tombstones may be gone that this sink never read: the log begins past its place, or nobody wrote for longer than they are kept.
	away := !place.Updated.IsZero() && r.cfg.Now().Sub(place.Updated) > r.cfg.TombstoneRetention && place.Next < end
	missed := away || place.Next < start && place.Next > 0
	if _, lists := r.cfg.Target.(Pruner); !lists { // what it delivered stays delivered
		missed = false
	}
	p.stale = place.Prune || missed || place.Others && !r.board.left(p.View.Name)

	if place.Next < place.ReplayUntil && place.Next < end {
		if err := w.replay(ctx, p, end); err != nil {
			return w.notYet(ctx, p, err)
		}
	}
	if p.stale {
		if err := r.prune(ctx, p.View, place.Prune); err != nil {
			return w.notYet(ctx, p, err)
		}
		p.stale = false
	}
	p.failed, p.lostTimes = 0, 0
	p.next = max(s.Place().Next, start)
	now := r.cfg.Now()
	p.touchAt = now.Add(r.cfg.Touch)
	p.retryAt, p.retryAfter = now, -1
	p.decoders.forget()
	held := 0
	if t, ok := s.(Retrier); ok {
		if held = t.Held(); held > 0 {
			if err := p.loadTroubles(ctx, t); err != nil {
				return w.notYet(ctx, p, err)
			}
		} else {
			p.forgetTroubles()
		}
		t.OnWake(func() {
			select {
			case w.wake <- struct{}{}:
			default:
			}
		})
	}
	r.board.fine(p.String())
	r.board.update(p, func(s *shown) { s.open, s.next, s.held = true, p.next, held })
	r.board.update(p, func(s *shown) { r.board.judge(now) })
	w.fetcher.Add(p.View.Topic, p.ID, p.next)
	return nil
}

// notYet closes a partition whose opening did not get to its end, to try again.
func (w *worker) notYet(ctx context.Context, p *partition, err error) error {
	w.close(ctx, p)
	if ctx.Err() != nil || errors.Is(err, errShape) || errors.Is(err, ErrLost) {
		return err
	}
	w.later(ctx, p, err)
	return nil
}

func (w *worker) bounds(ctx context.Context, p *partition) (start, end int64, err error) {
	if start, err = w.r.cfg.Client.StartOffset(ctx, p.View.Topic, p.ID); err != nil {
		return 0, 0, err
	}
	end, err = w.r.cfg.Client.EndOffset(ctx, p.View.Topic, p.ID)
	return start, end, err
}

// positionLost says what is wrong if the target has seen more than the log holds: the topic was made anew or the broker lost its end. What the
// log has now may be older than what the shop shows, so nothing is written until a person decides.
func (r *Runner) positionLost(p *partition, place Place, end int64) *fault.Fault {
	seen := place.Next
	if place.ReplayUntil > seen && place.ReplayUntil != endOfTopic {
		seen = place.ReplayUntil
	}
	if seen <= end {
		return nil
	}
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.ShopPositionLost, Where: fmt.Sprintf("sink %s: %s", r.cfg.Sink, p.Partition),
		What: fmt.Sprintf("the target has everything up to offset %d, and the topic ends at %d: it was made anew, or its end was lost", seen, end),
		Fix:  fmt.Sprintf("restore the topic; or, if what it holds now is right, run shelfstream replay %s -to beginning -prune, which also removes what the topic does not have", r.cfg.Sink),
	}
}

package ledger

import (
	"context"
	"fmt"
	"time"

	"shelfstream/internal/fault"
)

// A ledger whose topic was deleted looks like that of a new sink, and every order would be delivered once more. So it has a witness elsewhere: the place is committed as the
// offset of a consumer group that has the ledger's name and no members. It is written after the first record and before anything is delivered, at each take-over, hourly,
// and at the end: brokers forget such offsets after offsets.retention.minutes (a week, as shipped), and when the view's topic is deleted.

const (
	vouchEvery  = time.Hour
	vouchWithin = 20 * time.Second
)

// lastWordWithin bounds lastWord: nobody who stops waits for a witness that is as good without it.
var lastWordWithin = 300 * time.Millisecond

// vouch writes the witness, if it is time. The caller has l.writing, or is alone.
func (l *Ledger) vouch(ctx context.Context) error {
	now := l.cfg.Now()
	l.mu.RLock()
	seen, next := l.seen, l.place.Next
	l.mu.RUnlock()
	if !seen || !l.vouched.IsZero() && now.Sub(l.vouched) < vouchEvery {
		return nil
	}
	// A topic that its group's broker does not know is asked for again and again.
	ctx, cancel := context.WithTimeout(ctx, vouchWithin)
	defer cancel()
	if err := l.cfg.Client.CommitOffset(ctx, l.cfg.Topic, l.p.View.Topic, l.p.ID, next); err != nil {
		return fmt.Errorf("vouch for the ledger %s/%d: %w", l.cfg.Topic, l.p.ID, err)
	}
	l.vouched = now
	return nil
}

// lastWord writes the witness at the end, so that it says how far deliveries came. Without it what was written before stands, which is as good a witness.
func (l *Ledger) lastWord(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastWordWithin)
	defer cancel()
	l.writing.Lock()
	defer l.writing.Unlock()
	l.vouched = time.Time{}
	if l.producer.Err() == nil {
		_ = l.vouch(ctx)
	}
}

// lostAt is the place of the ledger that was lost, -1 if none was.
func (l *Ledger) lostAt(ctx context.Context) (int64, error) {
	l.mu.RLock()
	seen := l.seen
	l.mu.RUnlock()
	if seen {
		return -1, nil
	}
	at, err := l.cfg.Client.CommittedOffset(ctx, l.cfg.Topic, l.p.View.Topic, l.p.ID)
	if err != nil {
		return -1, fmt.Errorf("ask for the witness of the ledger %s/%d: %w", l.cfg.Topic, l.p.ID, err)
	}
	return at, nil
}

func (l *Ledger) lostFault(at int64) *fault.Fault {
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.LedgerLost, Where: fmt.Sprintf("sink %s: %s", l.cfg.Sink, l.p),
		What: fmt.Sprintf("its topic %s is empty, and it has delivered before (up to offset %d, when that was noted last): what was delivered is not known any more", l.cfg.Topic, at),
		Fix: fmt.Sprintf("restore the topic; or say from where on to deliver: shelfstream replay %s -to <time>; what came before counts as delivered, and -to beginning delivers all of it once more. Nothing is delivered meanwhile",
			l.cfg.Sink),
	}
}

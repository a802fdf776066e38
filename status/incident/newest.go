package incident

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"shelfstream/internal/kafka"
)

// newest knows of what time the newest record of each expectation is.
type newest struct {
	client *kafka.Client
	expect []Expectation
	every  time.Duration
	now    func() time.Time

	mu sync.Mutex
	at map[string]time.Time // by expectation; a zero time: there is no record
}

func newNewest(client *kafka.Client, expect []Expectation, every time.Duration, now func() time.Time) *newest {
	return &newest{client: client, expect: expect, every: every, now: now, at: map[string]time.Time{}}
}

// askEvery is how often it is worth asking, so that what stays away is missed in good time.
func askEvery(expect []Expectation) time.Duration {
	every := 30 * time.Second
	for i := range expect {
		every = min(every, expect[i].Within/5)
	}
	return max(every, time.Second)
}

// run asks until ctx ends.
func (n *newest) run(ctx context.Context, log *slog.Logger) {
	if len(n.expect) == 0 {
		return
	}
	tick := time.NewTicker(n.every)
	defer tick.Stop()
	ends := map[string][]int64{} // by topic: what was there when it was asked last
	of := map[string]time.Time{}
	for {
		for i := range n.expect {
			e := &n.expect[i]
			var at time.Time
			ok := true
			for _, topic := range e.Topics {
				t, err := n.ask(ctx, topic, ends, of)
				if err != nil {
					if ctx.Err() == nil {
						log.Warn("an expectation cannot be looked at", "expectation", e.Name, "topic", topic, "error", err)
					}
					ok = false
				} else if t.After(at) {
					at = t
				}
			}
			n.mu.Lock()
			if delete(n.at, e.Name); ok {
				n.at[e.Name] = at
			}
			n.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// ask gives the time of a topic's newest record; zero: there is none, or no such topic yet. A topic that has not grown is not read.
func (n *newest) ask(ctx context.Context, topic string, ends map[string][]int64, of map[string]time.Time) (time.Time, error) {
	have, err := n.client.Partitions(ctx, topic)
	if err != nil || have == 0 {
		return time.Time{}, err
	}
	now, err := n.client.EndOffsets(ctx, topic)
	if err != nil {
		return time.Time{}, err
	}
	at := of[topic]
	for p, end := range now {
		if old := ends[topic]; p < len(old) && old[p] == end || end == 0 {
			continue
		}
		last, err := n.client.Last(ctx, topic, int32(p))
		if err != nil {
			return time.Time{}, err
		}
		if last != nil && last.TimestampMS > at.UnixMilli() || last != nil && at.IsZero() {
			at = time.UnixMilli(last.TimestampMS)
		}
	}
	ends[topic], of[topic] = now, at
	return at, nil
}

// missing are the expectations that are not met, and the links of those of which is not known whether they are.
func (n *newest) missing(m *marks, now time.Time) (missing []Missing, unasked map[string]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	unasked = map[string]bool{}
	expecting := map[string]time.Time{}
	for i := range n.expect {
		e := &n.expect[i]
		from, ok := m.Expecting[e.Name]
		if !ok || from.After(now) {
			from = now.UTC().Round(time.Second)
		}
		expecting[e.Name] = from
		at, known := n.at[e.Name]
		if !known {
			unasked[e.Link()] = true
			continue
		}
		never := at.IsZero()
		if never {
			at = from
		}
		if miss, is := e.Check(at, never, now); is {
			missing = append(missing, miss)
		}
	}
	if m.Expecting = expecting; len(expecting) == 0 {
		m.Expecting = nil
	}
	return missing, unasked
}

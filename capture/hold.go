package capture

import (
	"log/slog"
	"strconv"
	"time"

	"shelfstream/internal/kafka"
)

// Rows beyond the newest checkpoint are left over when a worker dies, and a later start writes them again. Until it has, they are the future:
//
//	last checkpoint (T1) → T2 read and its checkpoint not yet written; T3 half written → crash
//	→ the new worker reads T2 again and would write its checkpoint: the half of T3 that lies before T2's new rows would be
//	below it, and a view would show part of a transaction.
//
// So checkpoints are held back until every transaction that was left over has come by again whole. Each partition's last one is not enough: the
// next worker may die as well, before it is through, and then its T2 stands behind the first one's T3.
type hold struct {
	open map[leftover]int64 // its commit time in milliseconds
	log  *slog.Logger
	now  func() time.Time
	// quiet is since when only heartbeats came.
	quiet time.Time
}

// leftover is a transaction with rows beyond the checkpoint; without a transaction it is a snapshot's.
type leftover struct {
	topic       string
	transaction string
}

const (
	// A transaction that committed this much later by the server's clock stands behind the one waited for.
	holdMargin = time.Minute
	// A source that sent nothing but heartbeats for so long has nothing to send again.
	holdQuiet = 30 * time.Second
)

// add notes a record that lies beyond the checkpoint.
func (h *hold) add(topic string, r *kafka.Record) {
	if h.open == nil {
		h.open = map[leftover]int64{}
	}
	l := leftover{topic: topic}
	var ms int64
	for _, x := range r.Headers {
		switch x.Key {
		case HeaderTransaction:
			l.transaction = string(x.Value)
		case HeaderSourceTime:
			ms, _ = strconv.ParseInt(string(x.Value), 10, 64) // a header that is no time counts as very old
		}
	}
	h.open[l] = max(ms, h.open[l])
}

// snapshots lists the topics that a broken-off snapshot has written to: they must be read again.
func (h *hold) snapshots() []string {
	var topics []string
	for l := range h.open {
		if l.transaction == "" {
			topics = append(topics, l.topic)
		}
	}
	return topics
}

// held says whether a checkpoint for the commit would still be too early. A nil hold never holds.
//
// A transaction that the source does not send any more (its table was taken out of the publication, say) must not hold for ever; that
// it is past is then told by the clock, and logged.
func (h *hold) held(c *Commit) bool {
	if h == nil || len(h.open) == 0 {
		return false
	}
	if c.Heartbeat {
		if h.quiet.IsZero() {
			h.quiet = h.now()
		}
		if h.now().Sub(h.quiet) > holdQuiet {
			h.giveUp("the source sends only heartbeats")
		}
		return len(h.open) > 0
	}
	h.quiet = time.Time{}
	for l, ms := range h.open {
		switch {
		case l.transaction == "":
		case l.transaction == c.Transaction:
			delete(h.open, l)
		case c.CommitTimeUS/1000 > ms+holdMargin.Milliseconds():
			h.log.Warn("a transaction that was half written before the start was not sent again", "topic", l.topic, "transaction", l.transaction)
			delete(h.open, l)
		}
	}
	return len(h.open) > 0
}

func (h *hold) giveUp(why string) {
	for l := range h.open {
		if l.transaction == "" {
			continue // a snapshot that broke off is read again, whatever else happens
		}
		h.log.Warn("a transaction that was half written before the start was not sent again", "topic", l.topic, "transaction", l.transaction, "reason", why)
		delete(h.open, l)
	}
}

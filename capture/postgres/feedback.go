package postgres

import (
	"context"
	"encoding/binary"
	"time"

	"shelfstream/internal/retry"
)

// feedback is the goroutine that tells the server what is durable. It is apart from reading, because reading stops while the log takes
// no more, and the walsender ends connections that say nothing for wal_sender_timeout.
type feedback struct {
	s    *Source
	w    *wire
	sent uint64 // what was told last
	at   time.Time
	ask  time.Time
	buf  [msgHeaderBytes + statusBytes]byte
}

const (
	statusBytes = 34
	// aliveEvery is how often a status goes out when nothing has changed.
	aliveEvery = 10 * time.Second
)

// run ends with ctx (nil) or when the server cannot be written to.
func (f *feedback) run(ctx context.Context) error {
	tick := time.NewTicker(min(f.s.cfg.StatusEvery, f.s.cfg.Heartbeat))
	defer tick.Stop()
	for {
		now := time.Now()
		ask := now.Sub(f.ask) >= f.s.cfg.Heartbeat
		select {
		case <-ctx.Done():
			return nil
		default:
		}
		if err := f.send(now, ask); err != nil {
			_ = retry.Sleep(ctx, closeTimeout) // why the server has gone may lie unread; ctx ends when it is read
			return err
		}
		for due := false; !due; {
			select {
			case <-ctx.Done():
				return nil
			case <-f.s.wake:
				due = true
			case now = <-tick.C:
				changed := f.s.confirmed.Load() != f.sent && now.Sub(f.at) >= f.s.cfg.StatusEvery
				due = changed || now.Sub(f.ask) >= f.s.cfg.Heartbeat || now.Sub(f.at) >= aliveEvery
			}
		}
	}
}

// send writes a standby status update: how far WAL was received, and how far it is durable in the log.
func (f *feedback) send(now time.Time, ask bool) error {
	b := f.buf[:]
	confirmed := f.s.confirmed.Load()
	b[0] = msgCopyData
	binary.BigEndian.PutUint32(b[1:], statusBytes+4)
	b[5] = 'r'
	binary.BigEndian.PutUint64(b[6:], max(f.s.received.Load(), confirmed))
	binary.BigEndian.PutUint64(b[14:], confirmed)
	binary.BigEndian.PutUint64(b[22:], confirmed)
	binary.BigEndian.PutUint64(b[30:], uint64(now.UnixMicro()-postgresEpochUS))
	b[38] = 0
	if ask {
		b[38] = 1
		f.ask = now
	}
	f.sent, f.at = confirmed, now
	return f.w.send(b)
}

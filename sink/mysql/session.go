package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"shelfstream/internal/fault"
	"shelfstream/sink"
)

// session writes one partition.
type session struct {
	t     *Target
	p     sink.Partition
	vp    *viewPlan
	place sink.Place
	epoch int64

	keyLiterals string // sink, topic, partition as the first values of a row in our tables
	held        map[sink.KeyHash]struct{}
	heldMore    bool   // more are parked than held has
	wake        func() // guarded by holds.mu

	enc     encoder
	packets packetBuilder
}

// held is a record to park.
type held struct {
	sink.Parked
	hash     sink.KeyHash
	waitsFor waitKey // zero: nobody in particular
}

func newSession(t *Target, p sink.Partition, vp *viewPlan, row offsetRow) *session {
	s := &session{t: t, p: p, vp: vp, place: row.Place, epoch: row.epoch, held: map[sink.KeyHash]struct{}{}}
	s.keyLiterals = textLiteral(t.name) + ", " + textLiteral(p.View.Topic) + ", " + strconv.Itoa(int(p.ID)) + ", "
	s.enc.sink = t.name
	return s
}

// Place implements sink.Session.
func (s *session) Place() sink.Place { return s.place }

// Close implements sink.Session.
func (s *session) Close() error {
	s.t.holds.drop(s)
	return nil
}

// Apply implements sink.Session.
func (s *session) Apply(ctx context.Context, b *sink.Batch) ([]sink.Parked, error) {
	if b.Next < s.place.Next {
		return nil, fmt.Errorf("batch of %s goes back from %d to %d", s.p, s.place.Next, b.Next)
	}
	set := s.t.planned.Load()
	// A later Check of the same shape may have seen wider columns.
	if latest := set.views[s.p.View.Name]; latest != nil && latest != s.vp && reflect.DeepEqual(latest.view.Table, s.p.View.Table) {
		s.vp = latest
	}
	vp := s.vp
	s.packets.limit = min(packetLimit, set.maxPacket-set.maxPacket/8)
	s.packets.rows = s.t.cfg.MaxRows

	conn, err := s.t.db.Conn(ctx)
	if err != nil {
		return nil, s.t.unreachable(err)
	}
	parked, err := s.apply(ctx, conn, vp, b)
	if cerr := conn.Close(); err == nil && cerr != nil && !errors.Is(cerr, sql.ErrConnDone) {
		s.t.log.WarnContext(ctx, "give back a connection", "sink", s.t.name, "error", cerr)
	}
	if err != nil {
		return nil, err
	}
	s.place.Updated = time.Now()
	if b.Next > s.place.Next {
		s.place.Next, s.place.ReplayUntil = b.Next, 0
	}
	s.settle(vp, b, parked)
	out := make([]sink.Parked, len(parked))
	for i := range parked {
		out[i] = parked[i].Parked
	}
	return out, nil
}

// apply first tries the whole batch at once, which is nearly always right, and only if the database blames a row goes carefully.
func (s *session) apply(ctx context.Context, conn *sql.Conn, vp *viewPlan, b *sink.Batch) ([]held, error) {
	parked := s.unreadable(b)
	s.enc.st.reset(vp)
	good := make([]*sink.Record, 0, len(b.Records))
	for i := range b.Records {
		r := &b.Records[i]
		if f := s.enc.add(vp, r); f != nil {
			parked = append(parked, s.hold(r, f, waitKey{}))
		} else {
			good = append(good, r)
		}
	}
	err := s.enc.st.leaving(ctx, conn, s.packets.limit, s.packets.rows)
	if err != nil {
		rollback(ctx, conn, err)
	} else {
		s.packets.reset()
		s.packets.statement("START TRANSACTION")
		s.packets.statement(string(s.appendFence(nil, b.Next)))
		s.packets.add(&s.enc.st)
		s.appendParked(&s.packets, good, b.Gone, parked)
		s.packets.statement("COMMIT")
		err = s.send(ctx, conn, s.packets.finish())
	}
	if err == nil {
		return parked, nil
	}
	if committed, ferr := s.fenced(ctx, conn, err, b.Next); ferr != nil {
		return nil, ferr
	} else if committed {
		return s.parkedBefore(ctx, b.Next)
	}
	if !isData(err) {
		return nil, s.explain(err)
	}
	parked, err = s.careful(ctx, conn, vp, b, good, parked)
	if committed, ferr := s.fenced(ctx, conn, err, b.Next); ferr != nil {
		return nil, ferr
	} else if committed {
		return s.parkedBefore(ctx, b.Next)
	}
	return parked, s.explain(err)
}

func (s *session) explain(err error) error {
	if err == nil {
		return nil
	}
	return environment("sink "+s.t.name, fmt.Errorf("write %s: %w", s.p, err))
}

// unreadable takes up the records that could not even be read.
func (s *session) unreadable(b *sink.Batch) []held {
	out := make([]held, 0, len(b.Parked))
	for _, p := range b.Parked {
		out = append(out, held{Parked: p, hash: sink.HashKey(p.ID)})
	}
	return out
}

func (s *session) hold(r *sink.Record, f *fault.Fault, waits waitKey) held {
	return held{
		Parked: sink.Parked{
			Topic: s.p.View.Topic, Partition: s.p.ID, Offset: r.Offset, ID: append([]byte(nil), r.Key...),
			Key: keyText(r.KeyValues), SourceTSMS: r.SourceTSMS, Fault: f,
		},
		hash: sink.HashKey(r.Key), waitsFor: waits,
	}
}

// send executes packets and, if one fails, leaves the connection without an open transaction, or closed.
func (s *session) send(ctx context.Context, conn *sql.Conn, packets [][]byte) error {
	for _, p := range packets {
		if err := exec(ctx, conn, p); err != nil {
			rollback(ctx, conn, err)
			return err
		}
	}
	return nil
}

// exec sends one packet. The driver copies it before it returns.
func exec(ctx context.Context, conn *sql.Conn, packet []byte) error {
	_, err := conn.ExecContext(ctx, packetText(packet))
	return err
}

// packetText is the packet as a string without a copy; it must not be kept.
func packetText(packet []byte) string { return unsafe.String(unsafe.SliceData(packet), len(packet)) }

// rollback ends what a failed statement left open. A connection on which that cannot be done is thrown away, and the server rolls back.
func rollback(ctx context.Context, conn *sql.Conn, cause error) {
	if !brokenConn(cause) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, err := conn.ExecContext(ctx, "ROLLBACK"); err == nil {
			return
		}
	}
	// The error is the very ErrBadConn that makes the pool drop the connection.
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}

// fenced looks what it means when the fence failed: ErrLost if the partition has another owner; committed if it was our own earlier attempt, whose answer was lost, that moved the place.
func (s *session) fenced(ctx context.Context, conn *sql.Conn, err error, next int64) (committed bool, _ error) {
	if err == nil || number(err) != errBadNull || !strings.Contains(err.Error(), "next_offset") {
		return false, nil
	}
	row, found, rerr := readOffset(ctx, conn, s.where(), "")
	switch {
	case rerr != nil:
		return false, s.explain(rerr)
	case found && row.epoch == s.epoch && row.Next == s.place.Next:
		return false, nil // the fence holds; a column of the shop has the same name
	case found && row.epoch == s.epoch && row.Next == next:
		return true, nil
	}
	return false, fmt.Errorf("%s: %w", s.p, sink.ErrLost)
}

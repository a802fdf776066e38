package table

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"time"

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

	enc      encoder
	loadFrom int // records
	// plainNotes is that of Facts.
	plainNotes bool
	packets    packetBuilder
}

// held is a record to park.
type held struct {
	sink.Parked
	hash     sink.KeyHash
	waitsFor waitKey // zero: nobody in particular
}

func newSession(t *Target, p sink.Partition, vp *viewPlan, row offsetRow) *session {
	s := &session{t: t, p: p, vp: vp, place: row.Place, epoch: row.epoch, held: map[sink.KeyHash]struct{}{}}
	s.keyLiterals = t.d.text(t.name) + ", " + t.d.text(p.View.Topic) + ", " + strconv.Itoa(int(p.ID)) + ", "
	s.enc.sink = t.name
	s.packets.d = t.d
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
	s.packets.limit = min(packetLimit, set.facts.MaxPacket-set.facts.MaxPacket/8)
	s.loadFrom = set.facts.LoadFrom
	s.plainNotes = set.facts.PlainNotes
	s.packets.rows = s.t.cfg.MaxRows

	conn, err := s.t.pool.Get(ctx)
	if err != nil {
		return nil, s.t.unreachable(err)
	}
	u := &used{Conn: conn}
	parked, err := s.apply(ctx, u, vp, b)
	conn.Release(u.broken)
	if err != nil {
		return nil, s.swept(ctx, err)
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

// used is a connection, and whether it can be used again.
type used struct {
	Conn
	broken bool
}

// apply first tries the whole batch at once, which is nearly always right, and only if the database blames a row goes carefully.
func (s *session) apply(ctx context.Context, conn *used, vp *viewPlan, b *sink.Batch) ([]held, error) {
	parked := s.unreadable(b)
	s.enc.st.reset(vp)
	_, s.enc.load = conn.Conn.(Loader)
	s.enc.load = s.enc.load && s.loadFrom > 0 && len(b.Records) >= s.loadFrom
	good := make([]*sink.Record, 0, len(b.Records))
	absent, err := s.absent(ctx, conn, vp, b)
	if err != nil {
		return nil, s.explain(err)
	}
	for i := range b.Records {
		r := &b.Records[i]
		if p := absent[i]; p != nil {
			parked = append(parked, s.hold(r, p.absentFault(s.t.name, r), waitKey{}))
		} else if f := s.enc.add(vp, r); f != nil {
			parked = append(parked, s.hold(r, f, waitKey{}))
		} else {
			good = append(good, r)
		}
	}
	err = s.transaction(ctx, conn, vp, b, good, parked)
	if err == nil {
		return parked, nil
	}
	if committed, ferr := s.fenced(ctx, conn, err, b.Next); ferr != nil {
		return nil, ferr
	} else if committed {
		return s.parkedBefore(ctx, b.Next)
	}
	if !s.t.d.data(err) {
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

// transaction sends everything as one packet, where it fits. It ends with COMMIT, so a worker that is stopped in the middle holds no lock longer than the server takes for it. What
// goes by way of Loader goes first, into tables of the connection that nobody else waits for.
func (s *session) transaction(ctx context.Context, conn *used, vp *viewPlan, b *sink.Batch, good []*sink.Record, parked []held) error {
	if err := s.enc.st.leaving(ctx, conn, s.packets.limit, s.packets.rows); err != nil {
		s.t.rollback(ctx, conn, err)
		return err
	}
	s.packets.reset()
	var loaded map[int]string
	if s.enc.load {
		var err error
		if loaded, err = s.load(ctx, conn.Conn.(Loader), vp); err != nil {
			s.t.rollback(ctx, conn, err)
			return err
		}
	}
	if len(loaded) == 0 {
		s.packets.statement("START TRANSACTION")
	}
	s.packets.mark()
	s.packets.statement(string(s.appendFence(nil, b.Next)))
	s.packets.add(&s.enc.st, loaded)
	s.appendParked(&s.packets, good, b.Gone, parked)
	s.packets.statement("COMMIT")
	return s.send(ctx, conn, s.packets.finish())
}

func (s *session) explain(err error) error {
	if err == nil {
		return nil
	}
	return s.t.d.Environment("sink "+s.t.name, fmt.Errorf("write %s: %w", s.p, err))
}

// swept is ErrLost where our own tables are gone: somebody made the database anew, and whoever opens the partition makes them and begins at the beginning.
func (s *session) swept(ctx context.Context, err error) error {
	if s.t.d.Kind(err) != ErrNoTable {
		return err
	}
	none := s.t.with(ctx, func(c Conn) error {
		_, _, err := s.t.readOffset(ctx, c, s.where(), "")
		return err
	})
	if none == nil || s.t.d.Kind(none) != ErrNoTable {
		return err
	}
	return fmt.Errorf("%s: %w: %w", s.p, sink.ErrLost, err)
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

// load fills the loader's tables with what the encoder has for it, and names them by tablePlan.at.
func (s *session) load(ctx context.Context, loader Loader, vp *viewPlan) (map[int]string, error) {
	var loads []Load
	var at []int
	for _, p := range vp.tables {
		if rows := s.enc.st.tables[p.at].rows; len(rows) > 0 {
			loads = append(loads, Load{Like: p.name, Columns: p.allNames(), Version: p.version, Rows: rows})
			at = append(at, p.at)
		}
	}
	if len(loads) == 0 {
		return nil, nil
	}
	names, err := loader.Load(ctx, loads)
	if err != nil {
		return nil, err
	}
	loaded := map[int]string{}
	for i, name := range names {
		loaded[at[i]] = name
	}
	return loaded, nil
}

// send executes packets and, if one fails, leaves the connection without an open transaction, or broken.
func (s *session) send(ctx context.Context, conn *used, packets [][]byte) error {
	for _, p := range packets {
		if err := conn.Exec(ctx, p); err != nil {
			s.t.rollback(ctx, conn, err)
			return err
		}
	}
	return nil
}

// rollback ends what a failed statement left open. A connection on which that cannot be done is thrown away, and the server rolls back.
func (t *Target) rollback(ctx context.Context, conn *used, cause error) {
	if t.d.spent(cause) {
		conn.broken = true
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	conn.broken = conn.Exec(ctx, []byte("ROLLBACK")) != nil
}

// fenced looks what it means when the fence failed: ErrLost if the partition has another owner; committed if it was our own earlier attempt, whose answer was lost, that moved the place.
func (s *session) fenced(ctx context.Context, conn Conn, err error, next int64) (committed bool, _ error) {
	if err == nil || s.t.d.Kind(err) != ErrFenced {
		return false, nil
	}
	row, found, rerr := s.t.readOffset(ctx, conn, s.where(), "")
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

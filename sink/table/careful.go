package table

import (
	"context"
	"fmt"
	"slices"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink"
)

// careful applies a batch of which the database blamed a row: in one transaction, it finds the rows by bisection under savepoints and parks their
// products. Products that are refused because of another's value in a unique index are tried again after the others, since the other may give the value up in
// the same batch; what is refused even then goes to swap.
func (s *session) careful(ctx context.Context, conn *used, vp *viewPlan, b *sink.Batch, good []*sink.Record, parked []held) (_ []held, err error) {
	c := carefulTx{s: s, conn: conn, vp: vp}
	if err := s.send(ctx, conn, s.begin(b.Next)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.t.rollback(ctx, conn, err)
		}
	}()
	refused, err := c.bisect(ctx, good)
	if err != nil {
		return nil, err
	}
	for passes, again := 0, len(refused) > 0; again && passes < maxPasses; passes++ {
		slices.Reverse(refused) // a long row of products that each take the next one's value is done in one pass of the two directions
		var next []refusal
		if next, err = c.again(ctx, refused); err != nil {
			return nil, err
		}
		again = len(next) > 0 && len(next) < len(refused)
		refused = next
	}
	if refused, err = c.swap(ctx, refused); err != nil {
		return nil, err
	}
	bad := map[*sink.Record]bool{}
	for _, r := range refused {
		h, err := c.judge(ctx, r)
		if err != nil {
			return nil, err
		}
		bad[r.record] = true
		parked = append(parked, h)
	}
	applied := good[:0:0]
	for _, r := range good {
		if !bad[r] {
			applied = append(applied, r)
		}
	}
	s.packets.reset()
	s.appendParked(&s.packets, applied, b.Gone, parked)
	s.packets.statement("COMMIT")
	for _, p := range s.packets.finish() {
		if err = conn.Exec(ctx, p); err != nil {
			return nil, err
		}
	}
	return parked, nil
}

// begin is the head of a careful transaction.
func (s *session) begin(next int64) [][]byte {
	s.packets.reset()
	s.packets.statement(s.t.d.Careful)
	s.packets.mark()
	s.packets.statement(string(s.appendFence(nil, next)))
	return s.packets.finish()
}

// maxPasses bounds how often refused products are tried again: each pass tries them one by one, and swap takes the rest.
const maxPasses = 4

// refusal is a product the database refused by itself, and the error.
type refusal struct {
	record *sink.Record
	err    error
}

// carefulTx is the open transaction.
type carefulTx struct {
	s    *session
	conn Conn
	vp   *viewPlan
	// waiting are the keys of parked products by what they wait for, of all partitions; nil until it is asked for.
	waiting map[waitKey][]string
}

// try applies records within a savepoint: all or none. A deadlock or lost connection ends the whole transaction, and comes back as an error that blames no row.
func (c *carefulTx) try(ctx context.Context, records []*sink.Record) error {
	// By itself: of a packet with a character that its encoding does not have, PostgreSQL executes nothing.
	if err := c.conn.Exec(ctx, []byte("SAVEPOINT shelfstream")); err != nil {
		return err
	}
	err := c.write(ctx, records)
	if c.vp.d.data(err) {
		return c.back(ctx, "shelfstream", err)
	}
	return err
}

// write sends records.
func (c *carefulTx) write(ctx context.Context, records []*sink.Record) error {
	s := c.s
	s.enc.st.reset(c.vp)
	s.enc.load = false
	var err error
	s.enc.kept = func(p *tablePlan, r *sink.Record, elem *schemas.Value, pos int) map[int]stored {
		if err != nil {
			return nil
		}
		var kept map[int]stored
		kept, err = c.kept(ctx, p, r, elem, pos)
		return kept
	}
	defer func() { s.enc.kept = nil }()
	for _, r := range records {
		if f := s.enc.add(c.vp, r); f != nil { // it fitted before
			return f
		}
	}
	if err != nil {
		return err
	}
	if err := s.enc.st.leaving(ctx, c.conn, s.packets.limit, s.packets.rows); err != nil {
		return err
	}
	s.packets.reset()
	s.packets.add(&s.enc.st, nil)
	for _, p := range s.packets.finish() {
		if err := c.conn.Exec(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// back returns to a savepoint, and gives err unless even that fails.
func (c *carefulTx) back(ctx context.Context, savepoint string, err error) error {
	if rerr := c.conn.Exec(ctx, []byte("ROLLBACK TO SAVEPOINT "+savepoint)); rerr != nil {
		return rerr
	}
	return err
}

func (c *carefulTx) bisect(ctx context.Context, records []*sink.Record) ([]refusal, error) {
	var out []refusal
	err := sink.Bisect(len(records),
		func(from, to int) error { return c.try(ctx, records[from:to]) }, c.vp.d.data,
		func(i int, err error) { out = append(out, refusal{records[i], err}) })
	return out, err
}

// again tries those that met another's value once more, one by one.
func (c *carefulTx) again(ctx context.Context, refused []refusal) ([]refusal, error) {
	var left []refusal
	for _, r := range refused {
		if !c.vp.d.unique(r.err) {
			left = append(left, r)
			continue
		}
		if err := c.try(ctx, []*sink.Record{r.record}); c.vp.d.data(err) {
			left = append(left, refusal{r.record, err})
		} else if err != nil {
			return nil, err
		}
	}
	return left, nil
}

// judge makes the held record of a refusal.
func (c *carefulTx) judge(ctx context.Context, r refusal) (held, error) {
	if c.vp.d.unique(r.err) {
		v, err := c.rival(ctx, r.record)
		if err != nil {
			return held{}, err
		}
		if v != nil {
			return c.s.hold(r.record, v.fault(c.s.t.name, c.vp, r.record), v.waitKey()), nil
		}
	}
	return c.s.hold(r.record, c.s.refused(c.vp, r), waitKey{}), nil
}

// refused tells a person why the server refused one record.
func (s *session) refused(vp *viewPlan, r refusal) *fault.Fault {
	f := &fault.Fault{
		Class: fault.Runtime, Cause: fault.ProductRefused, Where: fmt.Sprintf("sink %s: %s %s", s.t.name, vp.view.Name, keyText(r.record.KeyValues)),
		What: "the database refuses it", Fix: "correct the value in the source or in a rule", Err: r.err,
	}
	vp.d.Refusal(f, r.err)
	return f
}

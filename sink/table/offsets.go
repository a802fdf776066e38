package table

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"shelfstream/sink"
)

// Names of our own tables.
const (
	OffsetsTable = "shelfstream_offsets"
	ParkedTable  = "shelfstream_parked"
)

// What shelfstream_offsets.prune says.
const (
	pruneNone   = 0
	pruneAsked  = 1 // a comparison that removes what the topic does not have
	pruneOthers = 2 // the last comparison left some; nobody has decided about them
)

const (
	endOfTopic = math.MaxInt64
	// firstStart is within how long of each other all partitions are opened when a sink starts for the first time.
	firstStart = 10 * time.Minute
)

// where is the key of the partition's rows in our tables, as a condition.
func (s *session) where() string { return s.t.condition(s.p) }

func (t *Target) condition(p sink.Partition) string {
	return fmt.Sprintf("%s AND %s = %d", t.ofTopic(p.View), t.d.Quote("partition"), p.ID)
}

func (t *Target) ofTopic(v sink.View) string {
	return "sink = " + t.d.text(t.name) + " AND topic = " + t.d.text(v.Topic)
}

// offsetRow is the partition's row.
type offsetRow struct {
	sink.Place
	epoch int64
}

func (t *Target) readOffset(ctx context.Context, c Conn, condition, suffix string) (offsetRow, bool, error) {
	var r offsetRow
	var updated int64
	var prune int
	found, err := queryRow(ctx, c, "SELECT next_offset, replay_until, prune, epoch, "+t.d.Micros("updated_at")+" FROM "+OffsetsTable+" WHERE "+condition+suffix,
		&r.Next, &r.ReplayUntil, &prune, &r.epoch, &updated)
	r.Prune, r.Others = prune == pruneAsked, prune == pruneOthers
	if found {
		r.Updated = time.UnixMicro(updated).UTC()
	}
	return r, found, err
}

// within runs one short transaction on a connection of its own.
func (t *Target) within(ctx context.Context, do func(c Conn) error) error {
	conn, err := t.pool.Get(ctx)
	if err != nil {
		return t.unreachable(err)
	}
	u := &used{Conn: conn}
	if err = u.Exec(ctx, []byte("START TRANSACTION")); err == nil {
		if err = do(u); err == nil {
			err = u.Exec(ctx, []byte("COMMIT"))
		}
	}
	if err != nil {
		t.rollback(ctx, u, err)
	}
	conn.Release(u.broken)
	return err
}

// with lends a connection for statements of their own.
func (t *Target) with(ctx context.Context, do func(c Conn) error) error {
	conn, err := t.pool.Get(ctx)
	if err != nil {
		return t.unreachable(err)
	}
	err = do(conn)
	conn.Release(t.d.spent(err))
	return err
}

// takeOver raises the epoch in the partition's row, or makes the row, in one short transaction. The row's lock makes it wait for a transaction of the owner before
// that is under way; one that comes later meets the new epoch and fails.
func (t *Target) takeOver(ctx context.Context, p sink.Partition, vp *viewPlan) (row offsetRow, err error) {
	err = t.within(ctx, func(c Conn) (err error) {
		cond := t.condition(p)
		var found bool
		if row, found, err = t.readOffset(ctx, c, cond, " FOR UPDATE"); err != nil {
			return err
		}
		owner := t.d.text(cut(p.Owner, 191))
		if found {
			row.epoch++
			return c.Exec(ctx, fmt.Appendf(nil, "UPDATE %s SET epoch = %d, owner = %s WHERE %s", OffsetsTable, row.epoch, owner, cond))
		}
		row = offsetRow{epoch: 1}
		filled, err := t.hadRows(ctx, c, p, vp)
		if err != nil {
			return err
		}
		if filled {
			row.ReplayUntil = endOfTopic
			t.log.InfoContext(ctx, "the tables have rows already: those of the view's products become what the view says, lists included; all others stay", "sink", t.name, "partition", p.String())
		}
		return c.Exec(ctx, fmt.Appendf(nil, "INSERT INTO %s (%s) VALUES (%s, %s, %d, 0, %d, 0, 1, %s, %s, %s, %d)",
			OffsetsTable, t.offsetColumns(), t.d.text(t.name), t.d.text(p.View.Topic), p.ID, row.ReplayUntil, owner, t.d.Now, t.d.Now, number(filled)))
	})
	return row, err
}

func (t *Target) offsetColumns() string {
	return "sink, topic, " + t.d.Quote("partition") + ", next_offset, replay_until, prune, epoch, owner, updated_at, created_at, tables_had_rows"
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// hadRows says whether the view's tables may hold states from before the partition's offset was lost. Then its first reading is a replay: only the newest
// record of each key counts. Rows that the topic's other partitions have written since the sink started for the first time do not count.
func (t *Target) hadRows(ctx context.Context, c Conn, p sink.Partition, vp *viewPlan) (bool, error) {
	var filled bool
	var made, now int64
	found, err := queryRow(ctx, c, "SELECT tables_had_rows, "+t.d.Micros("created_at")+", "+t.d.Micros(t.d.Now)+" FROM "+OffsetsTable+" WHERE "+t.ofTopic(p.View)+" ORDER BY created_at LIMIT 1", &filled, &made, &now)
	if err != nil || found && time.Duration(now-made)*time.Microsecond < firstStart {
		return filled, err
	}
	for _, p := range vp.all() {
		found, err := queryRow(ctx, c, "SELECT 1 FROM "+t.d.Table(p.name)+" LIMIT 1")
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// appendFence appends the statement that moves the partition's place, and fails unless the row has our epoch and the place we know. The place is compared as
// well as the epoch because of a packet that a broken connection left behind: it may still be executed after we, believing it lost, have
// sent the batch again and gone on; then the place has moved and the old packet changes nothing. A row that is not there (somebody made the table anew, and the shop's perhaps
// too) is made as one of which nothing is known to be written: the next fence fails, and the partition is opened anew and sent from its beginning.
func (s *session) appendFence(dst []byte, next int64) []byte {
	d := s.t.d
	replay := s.place.ReplayUntil
	if next > s.place.Next {
		replay = 0
	}
	dst = append(dst, "INSERT INTO "+OffsetsTable+" ("+s.t.offsetColumns()+") VALUES ("...)
	dst = append(dst, s.keyLiterals...)
	dst = append(dst, "0, "...)
	dst = strconv.AppendInt(dst, endOfTopic, 10)
	dst = append(dst, ", 0, "...)
	dst = strconv.AppendInt(dst, s.epoch, 10)
	dst = append(dst, ", "...)
	dst = d.Text(dst, []byte(cut(s.p.Owner, 191)))
	dst = append(dst, ", "+d.Now+", "+d.Now+", 1)"+d.Conflict([]string{"sink", "topic", "partition"})+"next_offset = CASE WHEN "+OffsetsTable+".epoch = "...)
	dst = strconv.AppendInt(dst, s.epoch, 10)
	dst = append(dst, " AND "+OffsetsTable+".next_offset = "...)
	dst = strconv.AppendInt(dst, s.place.Next, 10)
	dst = append(dst, " THEN "...)
	dst = strconv.AppendInt(dst, next, 10)
	dst = append(dst, " ELSE NULL END, replay_until = "...)
	dst = strconv.AppendInt(dst, replay, 10)
	return append(dst, ", updated_at = "+d.New("updated_at")...)
}

// cut shortens a text for people to n bytes, on a character's border.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"shelfstream/sink"
)

// Shelfstream's own tables. Names of sinks and topics are ASCII.
const (
	offsetsDDL = `CREATE TABLE IF NOT EXISTS shelfstream_offsets (
  sink varchar(64) NOT NULL,
  topic varchar(249) NOT NULL,
  ` + "`partition`" + ` int NOT NULL,
  next_offset bigint NOT NULL,
  replay_until bigint NOT NULL,
  prune tinyint(1) NOT NULL,
  epoch bigint NOT NULL,
  owner varchar(191) NOT NULL,
  updated_at datetime(6) NOT NULL,
  created_at datetime(6) NOT NULL,
  tables_had_rows tinyint(1) NOT NULL,
  PRIMARY KEY (sink, topic, ` + "`partition`" + `)
) ENGINE=InnoDB DEFAULT CHARACTER SET ascii COLLATE ascii_bin COMMENT='where each sink stands; changes in one transaction with the rows'`

	parkedDDL = `CREATE TABLE IF NOT EXISTS shelfstream_parked (
  sink varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  topic varchar(249) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ` + "`partition` int NOT NULL,\n  `offset`" + ` bigint NOT NULL,
  record_id varbinary(1000) NOT NULL,
  record_hash binary(16) NOT NULL,
  record_key text NOT NULL,
  cause varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  place text NOT NULL,
  reason text NOT NULL,
  fix text NOT NULL,
  waits_for binary(16) NULL,
  record_time datetime(6) NULL,
  first_seen datetime(6) NOT NULL,
  last_tried datetime(6) NOT NULL,
  attempts int NOT NULL,
  PRIMARY KEY (sink, topic, ` + "`partition`, `offset`" + `),
  KEY shelfstream_hash (sink, topic, ` + "`partition`" + `, record_hash)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COMMENT='products a sink could not write, and why; a row leaves when a newer state of its product is written'`

	// parkedUpgrade is for a table that was made before causes had names.
	parkedUpgrade = `ALTER TABLE shelfstream_parked ADD COLUMN cause varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' AFTER record_key`
)

// What shelfstream_offsets.prune says.
const (
	pruneNone   = 0
	pruneAsked  = 1 // a comparison that removes what the topic does not have
	pruneOthers = 2 // the last comparison left some; nobody has decided about them
)

const (
	endOfTopic = math.MaxInt64
	// firstStart is within how many seconds of each other all partitions are opened when a sink starts for the first time.
	firstStart = 600
)

// where is the key of the partition's rows in our tables, as a condition.
func (s *session) where() string { return condition(s.t.name, s.p) }

func condition(sinkName string, p sink.Partition) string {
	return fmt.Sprintf("sink = %s AND topic = %s AND `partition` = %d", textLiteral(sinkName), textLiteral(p.View.Topic), p.ID)
}

const placeColumns = "next_offset, replay_until, prune, epoch, updated_at"

// offsetRow is the partition's row.
type offsetRow struct {
	sink.Place
	epoch int64
}

func readOffset(ctx context.Context, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, condition, suffix string,
) (offsetRow, bool, error) {
	var r offsetRow
	var updated string
	var prune int
	err := q.QueryRowContext(ctx, "SELECT "+placeColumns+" FROM shelfstream_offsets WHERE "+condition+suffix).
		Scan(&r.Next, &r.ReplayUntil, &prune, &r.epoch, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	r.Prune, r.Others = prune == pruneAsked, prune == pruneOthers
	r.Updated, err = time.Parse("2006-01-02 15:04:05.999999", updated)
	return r, true, err
}

// takeOver raises the epoch in the partition's row, or makes the row, in one short transaction. The row's lock makes it wait for a transaction of the owner before
// that is under way; one that comes later meets the new epoch and fails.
func (t *Target) takeOver(ctx context.Context, p sink.Partition, vp *viewPlan) (row offsetRow, err error) {
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return row, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreDone(tx.Rollback()))
		}
	}()
	cond := condition(t.name, p)
	row, found, err := readOffset(ctx, tx, cond, " FOR UPDATE")
	if err != nil {
		return row, err
	}
	if found {
		row.epoch++
		_, err = tx.ExecContext(ctx, "UPDATE shelfstream_offsets SET epoch = "+strconv.FormatInt(row.epoch, 10)+", owner = ? WHERE "+cond, cut(p.Owner, 191))
	} else {
		row = offsetRow{epoch: 1}
		filled, ferr := t.hadRows(ctx, tx, p, vp)
		if ferr != nil {
			err = ferr
			return row, err
		}
		if filled {
			row.ReplayUntil = endOfTopic
			t.log.InfoContext(ctx, "the tables have rows already: those of the view's products become what the view says, lists included; all others stay", "sink", t.name, "partition", p.String())
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO shelfstream_offsets (sink, topic, `partition`, next_offset, replay_until, prune, epoch, owner, updated_at, created_at, tables_had_rows)"+
			" VALUES (?, ?, ?, 0, ?, 0, 1, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), ?)", t.name, p.View.Topic, p.ID, row.ReplayUntil, cut(p.Owner, 191), filled)
	}
	if err != nil {
		return row, err
	}
	err = tx.Commit()
	return row, err
}

// hadRows says whether the view's tables may hold states from before the partition's offset was lost. Then its first reading is a replay: only the newest
// record of each key counts. Rows that the topic's other partitions have written since the sink started for the first time do not count.
func (t *Target) hadRows(ctx context.Context, tx *sql.Tx, p sink.Partition, vp *viewPlan) (bool, error) {
	var filled bool
	var age int64
	err := tx.QueryRowContext(ctx, "SELECT tables_had_rows, TIMESTAMPDIFF(SECOND, created_at, UTC_TIMESTAMP(6)) FROM shelfstream_offsets WHERE sink = ? AND topic = ? ORDER BY created_at LIMIT 1",
		t.name, p.View.Topic).Scan(&filled, &age)
	if err == nil && age < firstStart {
		return filled, nil
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	for _, p := range vp.all() {
		var one int
		err := tx.QueryRowContext(ctx, "SELECT 1 FROM "+quoteName(p.name)+" LIMIT 1").Scan(&one)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return false, err
		}
	}
	return false, nil
}

// appendFence appends the statement that moves the partition's place, and fails unless the row has our epoch and the place we know. The place is compared as
// well as the epoch because of a packet that a broken connection left behind: it may still be executed after we, believing it lost, have
// sent the batch again and gone on; then the place has moved and the old packet changes nothing.
func (s *session) appendFence(dst []byte, next int64) []byte {
	replay := s.place.ReplayUntil
	if next > s.place.Next {
		replay = 0
	}
	n := strconv.FormatInt(next, 10)
	dst = append(dst, "INSERT INTO shelfstream_offsets (sink, topic, `partition`, next_offset, replay_until, prune, epoch, owner, updated_at, created_at, tables_had_rows) VALUES ("...)
	dst = append(dst, s.keyLiterals...)
	dst = append(dst, n...)
	dst = append(dst, ", "...)
	dst = strconv.AppendInt(dst, replay, 10)
	dst = append(dst, ", 0, "...)
	dst = strconv.AppendInt(dst, s.epoch, 10)
	dst = append(dst, ", "...)
	dst = appendText(dst, []byte(cut(s.p.Owner, 191)))
	dst = append(dst, ", UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 1) ON DUPLICATE KEY UPDATE next_offset = IF(epoch = "...)
	dst = strconv.AppendInt(dst, s.epoch, 10)
	dst = append(dst, " AND next_offset = "...)
	dst = strconv.AppendInt(dst, s.place.Next, 10)
	dst = append(dst, ", "...)
	dst = append(dst, n...)
	return append(dst, ", NULL), replay_until = VALUES(replay_until), updated_at = VALUES(updated_at)"...)
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
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

package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-mysql-org/go-mysql/replication"
	guid "github.com/google/uuid"

	"shelfstream/capture"
)

// group is a transaction of the binlog: what stands between a GTID event and its end.
type group struct {
	open bool
	// alone: the statement that follows is all of it, and no COMMIT comes.
	alone    bool
	prepared bool // of an XA transaction: its rows count only from XA COMMIT on
	own      bool // one of our sinks wrote it
	changed  bool // something of it was pushed
	rows     int
	meta     capture.Meta // once it is changed; position and transaction are its GTID
	timeUS   int64
	began    uint64 // offset in its file

	maria mariaGTID
	sid   guid.UUID
	gno   int64

	touched []string // tables of which it has rows
}

// What a GTID event of MariaDB says in its flags (MariaDB documentation, "GTID_EVENT").
const (
	flagStandalone = 1
	flagPreparedXA = 64
)

// begin reads a GTID event.
func (st *stream) begin(ctx context.Context, h *replication.EventHeader, body []byte) error {
	if st.group.open {
		return errors.New("read the binlog: a transaction began inside another")
	}
	st.group = group{open: true, timeUS: int64(h.Timestamp) * 1e6, began: st.end - min(st.end, uint64(h.EventSize)), touched: st.group.touched[:0]}
	g := &st.group
	if h.EventType == replication.MARIADB_GTID_EVENT {
		if len(body) < 13 {
			return errCut
		}
		g.maria = mariaGTID{sequence: binary.LittleEndian.Uint64(body), domain: binary.LittleEndian.Uint32(body[8:]), server: h.ServerID}
		g.alone, g.prepared = body[12]&flagStandalone != 0, body[12]&flagPreparedXA != 0
		return nil
	}
	if h.EventType == replication.GTID_TAGGED_LOG_EVENT {
		return st.s.cfg.tagged(nil)
	}
	var e replication.GTIDEvent
	if err := e.Decode(body); err != nil {
		return fmt.Errorf("read a GTID event: %w", err)
	}
	g.alone = true // until BEGIN says otherwise
	g.gno = e.GNO
	copy(g.sid[:], e.SID)
	if e.ImmediateCommitTimestamp != 0 {
		g.timeUS = int64(e.ImmediateCommitTimestamp)
	}
	return nil
}

// name is the transaction's, the same whenever it is read.
func (st *stream) name() string {
	g := &st.group
	switch st.at.kind {
	case byMariaGTID:
		return string(g.maria.appendText(make([]byte, 0, 32)))
	case byMySQLGTID:
		return g.sid.String() + ":" + strconv.FormatInt(g.gno, 10)
	case byFile, noPosition:
	}
	return st.at.file.name + ":" + strconv.FormatUint(g.began, 10)
}

// enter notes that the open transaction has a change of ours.
func (st *stream) enter() {
	g := &st.group
	g.rows++
	if g.changed {
		return
	}
	g.changed = true
	name := st.name()
	g.meta = capture.Meta{Position: capture.Position(name), Transaction: name, CommitTimeUS: g.timeUS}
}

// commit ends the open transaction.
func (st *stream) commit(ctx context.Context) error {
	g := &st.group
	if !g.open {
		return errors.New("read the binlog: a commit without a beginning")
	}
	g.open = false
	switch st.at.kind {
	case byMariaGTID:
		st.at.add(g.maria)
	case byMySQLGTID:
		st.at.mysql.AddGTID(g.sid, g.gno)
	case byFile:
		st.at.file.offset = st.end
	case noPosition:
	}
	if err := st.push(ctx); err != nil {
		return err
	}
	if err := st.raise(ctx); err != nil {
		return err
	}
	return st.cross(ctx)
}

// push tells the log of the transaction's end. One without a change of ours moves the position now and then.
func (st *stream) push(ctx context.Context) error {
	g := &st.group
	if !g.changed {
		return st.heartbeat(ctx)
	}
	st.last = st.s.now()
	st.s.metrics.transactions.Inc()
	st.s.metrics.rows.Add(float64(g.rows))
	c := capture.Commit{Meta: g.meta, System: st.s.system}
	c.Position = st.at.text()
	if err := st.log.Commit(ctx, c); err != nil {
		return fmt.Errorf("commit at %s: %w", st.at, err)
	}
	return nil
}

// abandon ends a transaction whose rows do not count after all; its tables are read anew.
func (st *stream) abandon(ctx context.Context, reason string) error {
	for _, table := range st.group.touched {
		st.mistrust(table, reason)
	}
	return st.commit(ctx)
}

// query reads a QUERY event: the end of a transaction, or a statement that is logged as such.
func (st *stream) query(ctx context.Context, body []byte, more int, compressed bool) error {
	q, err := parseQuery(body, more)
	if err != nil {
		return err
	}
	if compressed {
		if q.text, err = st.inflater.unpack(q.text); err != nil {
			return err
		}
	}
	e := statementOf(q.text)
	g := &st.group
	switch e.kind {
	case begins:
		g.alone = false
		return nil
	case begunXA:
		g.alone, g.prepared = false, true
		return nil
	case commits:
		return st.commit(ctx)
	case rollsBack:
		return st.abandon(ctx, "a transaction with rows was rolled back")
	case endsXA:
		st.xa[e.xid] = slices.Clone(g.touched)
	case rollsBackXA:
		delete(st.xa, e.xid)
	case commitsXA:
		tables, known := st.xa[e.xid]
		if !known { // it was prepared before this run
			tables = sortedTables(st.s.cfg.Tables)
		}
		for _, table := range tables {
			st.mistrust(table, "an XA transaction that changed it was committed")
		}
		delete(st.xa, e.xid)
	case rollsPart:
		for _, table := range g.touched {
			st.mistrust(table, "a part of a transaction was rolled back")
		}
	case noEffect:
	default:
		if err := st.apply(ctx, &e, string(q.schema), q.text); err != nil {
			return err
		}
	}
	if g.open && g.alone {
		return st.commit(ctx)
	}
	return nil
}

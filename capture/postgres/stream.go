package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"shelfstream/capture"
	"shelfstream/schemas"
)

// stream reads the slot's changes and pushes them into the log, transaction by transaction in the order of their commits.
type stream struct {
	s       *Source
	log     capture.Log
	w       *wire
	after   LSN      // transactions that end here or before are captured
	barrier *barrier // tables to read whole as of a later position; nil once done

	tables map[uint32]*streamTable // by OID; nil: not captured
	recent *streamTable            // the table of the change before, and its OID
	oid    uint32

	m     Message
	arena arena

	open    bool // between Begin and Commit
	skip    bool // the open transaction is captured already
	own     bool // the open transaction is one of the pipeline's own sinks, and dropped
	changed bool // the open transaction had a change of ours
	rows    int
	meta    capture.Meta
	begin   Message // of the open transaction: LSN, TimeUS, XID

	last   LSN       // the newest position pushed
	pushed time.Time // when
}

const (
	xlogHeader = 25 // 'w', start, end, clock
	keepalive  = 18 // 'k', end, clock, reply wanted
	// minSilence bounds from below how long a server may say nothing; it answers a request for its position at least every half
	// wal_sender_timeout, also while it decodes something large.
	minSilence = 2 * time.Minute
)

// run streams until ctx ends or something breaks. It uses repl up.
func (st *stream) run(ctx context.Context, repl *pgconn.PgConn) error {
	silence, err := st.s.silence(ctx, repl)
	if err != nil {
		return err
	}
	if st.w, err = hijack(ctx, repl); err != nil {
		return err
	}
	defer st.w.close()
	st.w.batch.silence = silence
	stop := st.w.interruptOn(ctx)
	defer stop()

	st.last, st.pushed = st.after, time.Now()
	if err := st.start(); err != nil {
		return fmt.Errorf("start replication from slot %s at %s: %w", st.s.cfg.Slot, st.after, err)
	}
	st.s.cfg.Logger.Info("streaming", "slot", st.s.cfg.Slot, "position", st.after.String())

	st.watchAll()
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	beside, working := errgroup.WithContext(working)
	for _, run := range []func(context.Context) error{(&feedback{s: st.s, w: st.w}).run, (&watch{s: st.s}).run} {
		beside.Go(func() error {
			err := run(working)
			if err != nil {
				st.w.batch.Interrupt()
			}
			return err
		})
	}
	err = st.read(ctx)
	if code(err) == codeUndefinedObject {
		err = st.s.lost("publication "+st.s.cfg.Publication+" did not exist when changes after the checkpoint were made; they cannot be read any more", err)
	}
	cancel()
	if other := beside.Wait(); other != nil && errors.Is(err, errInterrupted) {
		return other
	}
	return err
}

// silence is how long the server may say nothing before the connection is given up; 0 = for ever, as it then promises nothing.
func (s *Source) silence(ctx context.Context, repl *pgconn.PgConn) (time.Duration, error) {
	r, err := repl.Exec(ctx, "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'").ReadAll()
	if err != nil {
		return 0, fmt.Errorf("read wal_sender_timeout: %w", err)
	}
	if len(r) != 1 || len(r[0].Rows) != 1 {
		return 0, errors.New("read wal_sender_timeout: no answer")
	}
	ms, err := strconv.Atoi(string(r[0].Rows[0][0]))
	if err != nil || ms == 0 {
		return 0, err
	}
	return max(minSilence, 2*time.Duration(ms)*time.Millisecond, 3*s.cfg.Heartbeat), nil
}

// start begins the stream on the connection that was taken over.
func (st *stream) start() error {
	err := st.w.query(fmt.Sprintf("START_REPLICATION SLOT %s LOGICAL %s (proto_version '1', publication_names %s, messages 'true')",
		st.s.cfg.Slot, st.after, quoteLiteral(quoteIdentifier(st.s.cfg.Publication))))
	if err != nil {
		return err
	}
	kind, _, err := st.w.next()
	if err != nil {
		return err
	}
	if kind != msgCopyBoth {
		return fmt.Errorf("the server answered with a message %q", kind)
	}
	return nil
}

func quoteLiteral(s string) string    { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func quoteIdentifier(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func (st *stream) read(ctx context.Context) error {
	for {
		kind, body, err := st.w.next()
		if err != nil {
			return err
		}
		switch {
		case kind == msgCopyDone || kind == msgComplete || kind == msgReady:
			return fmt.Errorf("%w: the server ended the stream", errBroke) // it is being stopped
		case kind != msgCopyData || len(body) == 0:
			return fmt.Errorf("read the stream: a message %q", kind)
		case body[0] == 'w' && len(body) > xlogHeader:
			st.s.metrics.bytes.Add(float64(len(body)))
			if err := st.m.Parse(body[xlogHeader:]); err != nil {
				return err
			}
			if err := st.message(ctx); err != nil {
				return err
			}
		case body[0] == 'k' && len(body) == keepalive:
			end := LSN(binary.BigEndian.Uint64(body[1:]))
			clock := int64(binary.BigEndian.Uint64(body[9:])) + postgresEpochUS
			if err := st.keepalive(ctx, end, clock, body[17] != 0); err != nil {
				return err
			}
		default:
			return fmt.Errorf("read the stream: a copy message %q of %d bytes", body[0], len(body))
		}
	}
}

func (st *stream) message(ctx context.Context) error {
	switch m := &st.m; m.Kind {
	case KindInsert, KindUpdate, KindDelete:
		return st.change(ctx)
	case KindBegin:
		if st.open {
			return errors.New("read the stream: a transaction began inside another")
		}
		// Positions are ends of commit records and records do not overlap, so a commit that begins before one ends at or before it.
		if b := st.barrier; b != nil && LSN(m.LSN) >= b.slot.at {
			if err := st.cross(ctx); err != nil {
				return err
			}
		}
		st.open, st.skip, st.own, st.changed, st.rows = true, LSN(m.LSN) < st.after, false, false, 0
		st.begin.LSN, st.begin.TimeUS, st.begin.XID = m.LSN, m.TimeUS, m.XID
	case KindCommit:
		return st.commit(ctx)
	case KindRelation:
		st.relation()
	case KindTruncate:
		return st.truncate(ctx)
	case KindMessage:
		st.own = st.own || st.open && st.ours(m)
	case KindType, KindOrigin:
		// A type's description is read from the catalogue; origins carry no rows.
	}
	return nil
}

// ownPrefix is what our sinks give the message with which each of their transactions begins; its content is "<pipeline>/<sink>".
const ownPrefix = "shelfstream"

// ours says whether a message marks a transaction of one of the pipeline's own sinks.
func (st *stream) ours(m *Message) bool {
	if st.s.cfg.OwnWrites == ownKeep || m.Flags&1 == 0 || string(m.Name) != ownPrefix {
		return false
	}
	pipeline, _, ok := bytes.Cut(m.Content, []byte{'/'})
	return ok && string(pipeline) == st.s.cfg.Pipeline
}

// enter notes that the open transaction has a change of ours, and gives what all of its changes have in common.
func (st *stream) enter() {
	st.rows++
	if st.changed {
		return
	}
	st.changed = true
	st.meta = capture.Meta{
		Position:     position(LSN(st.begin.LSN)),
		Transaction:  strconv.FormatUint(uint64(st.begin.XID), 10),
		CommitTimeUS: st.begin.TimeUS + postgresEpochUS,
	}
}

func (st *stream) commit(ctx context.Context) error {
	if !st.open {
		return errors.New("read the stream: a commit without a beginning")
	}
	st.open = false
	end := LSN(st.m.EndLSN)
	st.s.received.Store(uint64(end))
	switch {
	case st.skip:
		st.s.metrics.skipped.Inc()
		return nil
	case !st.changed:
		return nil // the next keepalive's position covers it
	}
	st.s.metrics.transactions.Inc()
	st.s.metrics.rows.Add(float64(st.rows))
	st.last, st.pushed = end, time.Now()
	at := st.meta
	at.Position = position(end)
	if err := st.log.Commit(ctx, capture.Commit{Meta: at, System: st.s.system}); err != nil {
		return fmt.Errorf("commit at %s: %w", end, err)
	}
	return nil
}

// keepalive is the server's word that everything whose commit ends at or before end has been sent. The position it gives goes
// through the log like a commit, so it is confirmed only after all that was pushed before it.
func (st *stream) keepalive(ctx context.Context, end LSN, clock int64, reply bool) error {
	st.s.metrics.retained.Set(float64(end - min(end, LSN(st.s.confirmed.Load()))))
	if st.open {
		if reply {
			st.s.nudge()
		}
		return nil
	}
	st.s.received.Store(max(st.s.received.Load(), uint64(end)))
	if b := st.barrier; b != nil && end >= b.slot.at {
		if err := st.cross(ctx); err != nil {
			return err
		}
	}
	// A server that shuts down waits until everything is confirmed.
	if reply || time.Since(st.pushed) >= st.s.cfg.Heartbeat*9/10 {
		if reply {
			st.s.urgent.Store(true)
		}
		if err := st.heartbeat(ctx, max(end, st.last), clock); err != nil {
			return err
		}
	}
	if reply {
		st.s.nudge()
	}
	return nil
}

func (st *stream) heartbeat(ctx context.Context, at LSN, clock int64) error {
	st.last, st.pushed = at, time.Now()
	st.s.metrics.heartbeats.Inc()
	c := capture.Commit{Meta: capture.Meta{Position: position(at), CommitTimeUS: clock}, System: st.s.system, Heartbeat: true}
	if err := st.log.Commit(ctx, c); err != nil {
		return fmt.Errorf("heartbeat at %s: %w", at, err)
	}
	return nil
}

// streamTable is a captured table as the stream describes it.
type streamTable struct {
	name string // as the configuration calls it
	rel  *relation
	err  error // why it cannot be captured any more
	*shape
	handle      capture.Handle
	ready       bool // shape and handle are those of rel
	row, before []schemas.Value
}

package postgres

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"shelfstream/capture"
	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// lost makes the fault of a source that cannot go on where it was without a gap.
func (s *Source) lost(what string, cause error) error {
	err := capture.ErrPositionLost
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return &fault.Fault{Class: fault.Environment, Cause: fault.SourcePositionLost, Where: "source " + s.cfg.Source, What: what, Fix: s.cfg.resnapshot(""), Err: err}
}

// verifyHistory checks that the checkpoint was taken on this server, in a history that leads to its present one.
func (s *Source) verifyHistory(ctx context.Context, repl *pgconn.PgConn, sys pglogrepl.IdentifySystemResult, c *schemas.Checkpoint, after LSN) error {
	server, _, _ := parseSystem(c.System)
	id, line, _ := strings.Cut(server, "/")
	if id != sys.SystemID {
		return s.lost(fmt.Sprintf("this is another server (system %s) than the one captured so far (system %s)", sys.SystemID, id), nil)
	}
	timeline, err := strconv.ParseInt(line, 10, 32)
	if err != nil {
		return s.lost(fmt.Sprintf("the checkpoint's system %q cannot be read", c.System), err)
	}
	if int32(timeline) != sys.Timeline {
		if err := s.verifyTimeline(ctx, repl, int32(timeline), sys.Timeline, after); err != nil {
			return err
		}
	}
	if sys.XLogPos < after {
		return s.lost(fmt.Sprintf("the server is at %s, before the checkpoint's position %s: it was set back to an older state", sys.XLogPos, after), nil)
	}
	return nil
}

// verifyTimeline allows a failover only if the new history left the old one after the checkpoint: else rows were captured
// that the new primary never had.
func (s *Source) verifyTimeline(ctx context.Context, repl *pgconn.PgConn, from, to int32, after LSN) error {
	if from > to {
		return s.lost(fmt.Sprintf("the server is on timeline %d, the checkpoint on the later %d", to, from), nil)
	}
	h, err := pglogrepl.TimelineHistory(ctx, repl, to)
	if err != nil {
		return s.lost(fmt.Sprintf("the server went from timeline %d to %d and its history cannot be read", from, to), err)
	}
	left, ok := switchPoint(h.Content, from)
	switch {
	case !ok:
		return s.lost(fmt.Sprintf("timeline %d is not in the history of the server's timeline %d", from, to), nil)
	case left < after:
		return s.lost(fmt.Sprintf("the server left timeline %d at %s, before the checkpoint's position %s", from, left, after), nil)
	}
	s.cfg.Logger.Warn("the server changed its timeline after the checkpoint; the slot goes on", "from", from, "to", to, "switch", left.String())
	return nil
}

// switchPoint finds in a timeline's history file (lines of timeline, LSN and reason) where a timeline was left.
func switchPoint(history []byte, timeline int32) (LSN, bool) {
	for lines := bufio.NewScanner(bytes.NewReader(history)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 2 || f[0] != strconv.Itoa(int(timeline)) {
			continue
		}
		l, err := parsePosition(capture.Position(f[1]))
		return l, err == nil
	}
	return 0, false
}

// verifySlot checks that the slot still has everything after the checkpoint.
func (s *Source) verifySlot(ctx context.Context, conn *pgx.Conn, after LSN) error {
	i, err := s.loadSlot(ctx, conn)
	if err != nil {
		return err
	}
	if !i.exists {
		return s.lost("replication slot "+s.cfg.Slot+" does not exist any more; changes since "+after.String()+" are missing", nil)
	}
	if f := s.foreignSlot(i, conn.Config().Database); f != nil {
		return f
	}
	if i.isLost() {
		return s.lost("the server removed WAL that replication slot "+s.cfg.Slot+" needs (max_slot_wal_keep_size)", nil)
	}
	if i.confirmed > after {
		return s.lost(fmt.Sprintf("replication slot %s is at %s, after the checkpoint's position %s: it was made anew, or somebody else read from it", s.cfg.Slot, i.confirmed, after), nil)
	}
	if i.walStatus == "unreserved" {
		s.cfg.Logger.Warn("the server is about to remove WAL that the slot needs; raise max_slot_wal_keep_size", "slot", s.cfg.Slot)
	}
	return nil
}

package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"shelfstream/internal/fault"
	"shelfstream/internal/retry"
)

// newSlot is a slot just made, and the snapshot that belongs to it.
type newSlot struct {
	at       LSN    // the consistent point: changes that end after it come in the stream, all others are in the snapshot
	snapshot string // for SET TRANSACTION SNAPSHOT while the connection that made it does nothing else
}

const plugin = "pgoutput"

// createSlot makes a logical slot and exports its snapshot. It waits for the transactions that are writing at present.
func (s *Source) createSlot(ctx context.Context, repl *pgconn.PgConn, name string, temporary bool) (newSlot, error) {
	s.cfg.Logger.Info("making a replication slot; the server first waits for the transactions that are writing now", "slot", name)
	r, err := pglogrepl.CreateReplicationSlot(ctx, repl, name, plugin, pglogrepl.CreateReplicationSlotOptions{
		Temporary: temporary, SnapshotAction: "EXPORT_SNAPSHOT", Mode: pglogrepl.LogicalReplication,
	})
	if err != nil {
		f := &fault.Fault{Class: fault.Environment, Cause: fault.PostgresUnreachable, Where: "source " + s.cfg.Source, What: "replication slot " + name + " cannot be made", Err: err}
		if code(err) == codeSlotLimit {
			f.Cause, f.Fix = fault.PostgresNoSlot, "raise max_replication_slots, or drop a slot that nobody uses (SELECT slot_name, active FROM pg_replication_slots)"
		} else {
			f.Fix = "shelfstream check -connect names what is missing; it is tried again"
		}
		return newSlot{}, f
	}
	at, err := pglogrepl.ParseLSN(r.ConsistentPoint)
	if err != nil {
		return newSlot{}, fmt.Errorf("create slot %s: %w", name, err)
	}
	s.cfg.Logger.Info("replication slot made", "slot", name, "position", r.ConsistentPoint, "temporary", temporary)
	return newSlot{at: at, snapshot: r.SnapshotName}, nil
}

const codeSlotLimit = "53400"

// code is the SQLSTATE of a server's error, or "".
func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// temporarySlot makes a name for a slot that lives as long as its connection.
func (s *Source) temporarySlot() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	suffix := "_" + hex.EncodeToString(b[:])
	return s.cfg.Slot[:min(len(s.cfg.Slot), maxName-len(suffix))] + suffix
}

// slotInfo is a row of pg_replication_slots.
type slotInfo struct {
	exists               bool
	plugin, database     string
	activePID            int32 // 0: nobody reads from it
	activeName           string
	activeOurs           bool // by this source's application name and role
	hasWAL               bool // restart_lsn is there
	confirmed            LSN
	walStatus            string
	temporary, isLogical bool
}

// loadSlot looks a slot up. The application's name is seen of one's own role's connections, or with pg_read_all_stats.
func (s *Source) loadSlot(ctx context.Context, conn *pgx.Conn) (*slotInfo, error) {
	i := &slotInfo{}
	var confirmed string
	err := conn.QueryRow(ctx, `SELECT coalesce(plugin::text, ''), coalesce(database::text, ''), slot_type = 'logical', temporary, coalesce(active_pid, 0),
		 coalesce(a.application_name, ''), coalesce(a.usename = current_user AND a.application_name = $2, false),
		 restart_lsn IS NOT NULL, coalesce(confirmed_flush_lsn, '0/0')::text, coalesce(wal_status, '')
		FROM pg_catalog.pg_replication_slots s LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid WHERE slot_name = $1`, s.cfg.Slot, s.cfg.applicationName()).
		Scan(&i.plugin, &i.database, &i.isLogical, &i.temporary, &i.activePID, &i.activeName, &i.activeOurs, &i.hasWAL, &confirmed, &i.walStatus)
	if errors.Is(err, pgx.ErrNoRows) {
		return i, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read replication slot %s: %w", s.cfg.Slot, err)
	}
	i.exists = true
	if i.confirmed, err = pglogrepl.ParseLSN(confirmed); err != nil {
		return nil, fmt.Errorf("read replication slot %s: %w", s.cfg.Slot, err)
	}
	return i, nil
}

// isLost says that the server has removed WAL which the slot needs.
func (i *slotInfo) isLost() bool { return i.exists && (i.walStatus == "lost" || !i.hasWAL) }

const (
	// leaveTime is how long a predecessor that has just ended may take to be gone from the server.
	leaveTime = time.Second
	// slotPatience is how long the slot may stay occupied, anew once that reader is disconnected.
	slotPatience = 5 * time.Second
)

// freeSlot waits until nobody reads from the slot. A predecessor of this worker that still does (it hangs, or its server has not
// noticed its death) is disconnected: the topics' fence keeps it from writing, so all it still does is hold the slot.
func (s *Source) freeSlot(ctx context.Context, conn *pgx.Conn) error {
	wait := retry.Backoff{Base: 20 * time.Millisecond, Max: 200 * time.Millisecond}
	began, told := time.Now(), false
	for attempt := 0; ; attempt++ {
		waited := time.Since(began) // before the look: who was stopped himself has not seen the slot occupied for so long
		i, err := s.loadSlot(ctx, conn)
		if err != nil || i.activePID == 0 {
			return err
		}
		switch {
		case i.activeOurs && !told && waited > leaveTime:
			if _, err := conn.Exec(ctx, "SELECT pg_terminate_backend($1)", i.activePID); err != nil {
				return fmt.Errorf("disconnect the slot's former reader: %w", err)
			}
			s.cfg.Logger.Warn("disconnected the former reader of the slot", "slot", s.cfg.Slot, "pid", i.activePID)
			began, told = time.Now(), true
		case waited > slotPatience:
			return s.slotInUse(i)
		}
		if err := wait.Wait(ctx, attempt); err != nil {
			return err
		}
	}
}

func (s *Source) slotInUse(i *slotInfo) *fault.Fault {
	who := fmt.Sprintf("process %d", i.activePID)
	if i.activeName != "" {
		who += " (" + i.activeName + ")"
	}
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.PostgresSlotBusy, Where: "source " + s.cfg.Source, What: "replication slot " + s.cfg.Slot + " is read by the server's " + who,
		Fix: fmt.Sprintf("end that client (SELECT pg_terminate_backend(%d);), or give this source a slot of its own with slot:", i.activePID),
	}
}

// dropSlot removes the slot if it is there and is ours to remove.
func (s *Source) dropSlot(ctx context.Context, conn *pgx.Conn) error {
	i, err := s.loadSlot(ctx, conn)
	if err != nil || !i.exists {
		return err
	}
	if f := s.foreignSlot(i, conn.Config().Database); f != nil {
		return f
	}
	if err := s.freeSlot(ctx, conn); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_drop_replication_slot($1)", s.cfg.Slot); err != nil && code(err) != codeUndefinedObject {
		return fmt.Errorf("drop replication slot %s: %w", s.cfg.Slot, err)
	}
	s.cfg.Logger.Info("replication slot dropped, to begin anew", "slot", s.cfg.Slot)
	return nil
}

// foreignSlot says what keeps a slot of the configured name from being this source's.
func (s *Source) foreignSlot(i *slotInfo, database string) *fault.Fault {
	if i.isLogical && i.plugin == plugin && i.database == database && !i.temporary {
		return nil
	}
	what := fmt.Sprintf("replication slot %s belongs to something else (plugin %q, database %q)", s.cfg.Slot, i.plugin, i.database)
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.PostgresSlotForeign, Where: "source " + s.cfg.Source, What: what,
		Fix: fmt.Sprintf("give this source another name with slot:, or SELECT pg_drop_replication_slot('%s'); if nobody needs it", s.cfg.Slot),
	}
}

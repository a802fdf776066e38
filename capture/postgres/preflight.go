package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"shelfstream/capture"
	"shelfstream/internal/fault"
)

// inspection collects what is wrong.
type inspection struct {
	s      *Source
	faults fault.List
	server serverInfo
	cat    *catalog
	pub    *publication
	slot   *slotInfo
}

// serverInfo is what the server says of itself and of the role.
type serverInfo struct {
	version                       int // 150004
	walLevel                      string
	standby                       bool
	maxSlots, slots               int
	maxSenders, senders           int
	role                          string
	super, replication, createPub bool
}

// minVersion is the oldest server that is supported: publications have column lists and row filters from 15 on.
const minVersion = 150000

// Preflight implements capture.Source.
func (s *Source) Preflight(ctx context.Context) (fault.List, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer closeSQL(conn)
	in := &inspection{s: s}
	if err := in.load(ctx, conn); err != nil {
		if f := s.locked(err); f != nil {
			return nil, f
		}
		return nil, &fault.Fault{Class: fault.Environment, Cause: fault.PostgresCatalogRight, Where: "source " + s.cfg.Source, What: "the database cannot be looked over", Fix: seeMessage, Err: err}
	}
	if in.server.version < minVersion {
		in.add(fault.PostgresVersion, fmt.Sprintf("PostgreSQL %d is too old", in.server.version/10000), "upgrade to PostgreSQL 15 or newer")
		return in.faults, nil // the catalogue lacks what the other checks read
	}
	in.checkServer()
	if err := in.checkTables(ctx, conn); err != nil {
		return nil, err
	}
	in.checkPublication(conn.Config().Database)
	in.checkSlot(conn.Config().Database)
	return in.faults, nil
}

func (in *inspection) add(cause fault.Cause, what, fix string) {
	in.faults.Add(&fault.Fault{Class: fault.Environment, Cause: cause, Where: "source " + in.s.cfg.Source, What: what, Fix: fix})
}

func (in *inspection) addTable(cause fault.Cause, table, what, fix string) {
	in.faults.Add(&fault.Fault{Class: fault.Environment, Cause: cause, Where: in.s.cfg.where(table), What: what, Fix: fix})
}

func (in *inspection) load(ctx context.Context, conn *pgx.Conn) (err error) {
	i := &in.server
	if i.version, err = strconv.Atoi(settingOf(ctx, conn, "server_version_num")); err != nil {
		return fmt.Errorf("read the server's version: %w", err)
	}
	if i.version < minVersion {
		return nil
	}
	err = conn.QueryRow(ctx, `SELECT current_setting('wal_level'), pg_is_in_recovery(), current_setting('max_replication_slots')::int, current_setting('max_wal_senders')::int,
		(SELECT count(*) FROM pg_catalog.pg_replication_slots)::int, (SELECT count(*) FROM pg_catalog.pg_stat_replication)::int,
		r.rolname::text, r.rolsuper,
		r.rolreplication OR EXISTS (SELECT FROM pg_catalog.pg_roles m WHERE m.rolname = 'rds_replication' AND pg_has_role(r.oid, m.oid, 'MEMBER')),
		has_database_privilege(current_database(), 'CREATE')
		FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`).
		Scan(&i.walLevel, &i.standby, &i.maxSlots, &i.maxSenders, &i.slots, &i.senders, &i.role, &i.super, &i.replication, &i.createPub)
	if err != nil {
		return fmt.Errorf("read the server's settings: %w", err)
	}
	if in.cat, err = loadCatalog(ctx, conn, &in.s.cfg); err != nil {
		return err
	}
	if in.pub, err = loadPublication(ctx, conn, in.s.cfg.Publication); err != nil {
		return err
	}
	in.slot, err = in.s.loadSlot(ctx, conn)
	return err
}

// settingOf reads a setting the server told when the connection was made, or asks for it.
func settingOf(ctx context.Context, conn *pgx.Conn, name string) string {
	var v string
	if err := conn.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&v); err != nil {
		return err.Error()
	}
	return v
}

func (in *inspection) checkServer() {
	i := &in.server
	if i.standby {
		in.add(fault.PostgresStandby, "the server is a standby; a slot's snapshot needs the primary", "give the primary's address in dsn (several hosts with target_session_attrs=primary find it by themselves)")
	}
	if i.walLevel != "logical" {
		in.add(fault.PostgresWALLevel, "wal_level is "+i.walLevel, "ALTER SYSTEM SET wal_level = 'logical'; then restart the server")
	}
	if !in.slot.exists && i.slots >= i.maxSlots {
		in.add(fault.PostgresNoSlot, fmt.Sprintf("all %d replication slots are taken", i.maxSlots),
			fmt.Sprintf("ALTER SYSTEM SET max_replication_slots = %d; then restart the server; or drop a slot that nobody uses", i.maxSlots+4))
	}
	if in.slot.activePID == 0 && i.senders >= i.maxSenders {
		in.add(fault.PostgresNoSlot, fmt.Sprintf("all %d WAL senders are taken", i.maxSenders), fmt.Sprintf("ALTER SYSTEM SET max_wal_senders = %d; then restart the server", i.maxSenders+4))
	}
	if !i.super && !i.replication {
		in.add(fault.PostgresReplication, "the role "+i.role+" may not replicate", "ALTER ROLE "+quoteIdentifier(i.role)+" REPLICATION;")
	}
}

func (in *inspection) checkSlot(database string) {
	i := in.slot
	if !i.exists {
		return // it is made; or, if there is a checkpoint already, Run says that the position is lost
	}
	if f := in.s.foreignSlot(i, database); f != nil {
		in.faults.Add(f)
		return
	}
	if i.activePID != 0 && !i.activeOurs {
		in.faults.Add(in.s.slotInUse(i))
	}
	if i.isLost() {
		in.faults.Add(&fault.Fault{
			Class: fault.Environment, Cause: fault.PostgresWALRemoved, Where: "source " + in.s.cfg.Source, Err: capture.ErrPositionLost,
			What: "the server removed WAL that replication slot " + in.s.cfg.Slot + " needs (max_slot_wal_keep_size)",
			Fix:  "raise max_slot_wal_keep_size (ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT pg_reload_conf();), then " + in.s.cfg.resnapshot(""),
		})
	}
}

// checkPublication finds what keeps the tables out of the change stream. What the role may put right, Run does.
func (in *inspection) checkPublication(database string) {
	p, i := in.pub, &in.server
	name := quoteIdentifier(in.s.cfg.Publication)
	missing := p.uncovered(in.cat)
	var foreign []string
	for _, t := range missing {
		if !t.owner && !i.super {
			foreign = append(foreign, t.sql())
		}
	}
	if !p.exists {
		sql := createSQL(in.s.cfg.Publication, missing) + ";"
		switch {
		case len(missing) == 0: // no table was found, which is said elsewhere
		case !i.super && !i.createPub:
			in.add(fault.PostgresPublication, "publication "+name+" does not exist, and the role "+i.role+" may not make it", "as a superuser or the tables' owner: "+sql+" or GRANT CREATE ON DATABASE "+quoteIdentifier(database)+" TO "+quoteIdentifier(i.role)+";")
		case len(foreign) > 0:
			in.add(fault.PostgresPublication, "publication "+name+" does not exist, and the role "+i.role+" does not own "+strings.Join(foreign, ", "), "as a superuser or the tables' owner: "+sql)
		}
		return
	}
	if len(missing) > 0 && (!p.owner && !i.super || len(foreign) > 0) {
		var names []string
		for _, t := range missing {
			names = append(names, t.sql())
		}
		in.add(fault.PostgresPublication, "publication "+name+" lacks "+strings.Join(names, ", ")+", and the role "+i.role+" may not add that", "as its owner: "+addSQL(in.s.cfg.Publication, missing)+";")
	}
	if !p.insert || !p.update || !p.delete || !p.truncate {
		in.add(fault.PostgresPublication, "publication "+name+" leaves out some operations", "ALTER PUBLICATION "+name+" SET (publish = 'insert, update, delete, truncate');")
	}
	for _, table := range sortedTables(in.cat.tables) {
		if in.cat.tables[table].kind == 'p' && !p.viaRoot {
			in.add(fault.PostgresPublication, "publication "+name+" publishes the partitions of "+in.cat.tables[table].sql()+" by their own names", "ALTER PUBLICATION "+name+" SET (publish_via_partition_root = true);")
			break
		}
	}
}

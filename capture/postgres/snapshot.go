package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"shelfstream/capture"
	"shelfstream/schemas"
)

// errRewritten is a table whose rows went to a new file between the snapshot's position and the moment it was locked. A
// snapshot older than that sees such a table as empty, so it would lose all rows without a word.
var errRewritten = errors.New("the table was rewritten or truncated after the snapshot's position")

// snapshotTable is a table being read.
type snapshotTable struct {
	table  string
	shape  *shape
	handle capture.Handle
}

// snapshot reads whole tables as of slot.at and pushes them. The tables are locked against DDL (ACCESS SHARE, as any
// SELECT does) until it ends.
func (s *Source) snapshot(ctx context.Context, log capture.Log, slot newSlot, tables []string) error {
	began := time.Now()
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer closeSQL(conn)
	if _, err := conn.PgConn().Exec(ctx, importSQL(slot.snapshot)).ReadAll(); err != nil {
		return fmt.Errorf("take the snapshot of %s over: %w", slot.at, err)
	}
	infos := make([]*tableInfo, 0, len(tables))
	for _, t := range tables {
		infos = append(infos, s.catalog.tables[t])
	}
	if err := s.lockTables(ctx, conn, infos); err != nil {
		return err
	}
	// As of the snapshot, and from here on nobody can change it.
	c, err := loadCatalog(ctx, conn, &s.cfg)
	if err != nil {
		return err
	}
	p, err := loadPublication(ctx, conn, s.cfg.Publication)
	if err != nil {
		return err
	}
	var queue []chunk
	estimates := map[string]int64{}
	identities := map[string]identity{}
	for _, name := range tables {
		t := c.tables[name]
		if t == nil {
			return s.missingTable(name, "")
		}
		for _, part := range t.parts {
			if part.filenode != part.current {
				return fmt.Errorf("snapshot of %s: %w", part.sql(), errRewritten)
			}
			estimates[name] += part.rows
		}
		sh, columns, err := s.snapshotShape(t, c, p)
		if err != nil {
			return err
		}
		identities[name] = s.identityOf(t, p)
		h, err := s.declare(ctx, log, name, sh.table)
		if err != nil {
			return err
		}
		filter := p.tables[[2]string{t.schema, t.name}].filter
		queue = append(queue, chunks(&snapshotTable{table: name, shape: sh, handle: h}, t, columns, filter)...)
	}
	var now int64
	if err := conn.QueryRow(ctx, "SELECT (extract(epoch FROM now()) * 1000000)::bigint").Scan(&now); err != nil {
		return fmt.Errorf("read the server's clock: %w", err)
	}
	snap, err := log.Snapshot(ctx, position(slot.at), slices.Clone(tables))
	if err != nil {
		return fmt.Errorf("begin a snapshot at %s: %w", slot.at, err)
	}
	if e, ok := snap.(capture.Estimator); ok {
		for name, rows := range estimates {
			e.Estimate(name, rows)
		}
	}
	if err := s.runLanes(ctx, snap, slot.snapshot, queue); err != nil {
		return err
	}
	s.identify(identities)
	end := capture.Commit{Meta: capture.Meta{Position: position(slot.at), CommitTimeUS: now}, System: s.system}
	if err := snap.End(ctx, end); err != nil {
		return fmt.Errorf("end the snapshot at %s: %w", slot.at, err)
	}
	s.cfg.Logger.Info("snapshot read", "position", slot.at.String(), "tables", len(tables), "took", time.Since(began).Round(time.Millisecond).String())
	return nil
}

// importSQL begins a transaction that sees what the exported snapshot sees.
func importSQL(snapshot string) string {
	return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT " + quoteLiteral(snapshot)
}

func (s *Source) lockTables(ctx context.Context, conn *pgx.Conn, tables []*tableInfo) error {
	if _, err := conn.PgConn().Exec(ctx, "LOCK TABLE "+onlyList(tables)+" IN ACCESS SHARE MODE").ReadAll(); err != nil {
		return fmt.Errorf("lock the tables for the snapshot: %w", err)
	}
	return nil
}

// chunk is what a lane reads with one COPY.
type chunk struct {
	table *snapshotTable
	sql   string
}

const (
	pageBytes = 8192
	// chunkPages is 32 MB: enough that a COPY's start does not count, few enough that all lanes end together.
	chunkPages = 4096
)

// chunks splits a table by ranges of pages (ctid), so that one large table keeps all lanes busy. Rows that the snapshot sees never
// move, and pages added since hold none; the last range has no end all the same, as the size is only looked at once.
func chunks(st *snapshotTable, t *tableInfo, columns []string, filter string) []chunk {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = quoteIdentifier(c)
	}
	var l []chunk
	for i := range t.parts {
		p := &t.parts[i]
		selects := "SELECT " + strings.Join(quoted, ", ") + " FROM ONLY " + p.sql()
		pages := p.bytes / pageBytes
		for from := int64(0); from == 0 || from < pages; from += chunkPages {
			var where []string
			if filter != "" {
				where = append(where, filter)
			}
			if from > 0 {
				where = append(where, fmt.Sprintf("ctid >= '(%d,0)'::tid", from))
			}
			if from+chunkPages < pages {
				where = append(where, fmt.Sprintf("ctid < '(%d,0)'::tid", from+chunkPages))
			}
			sql := selects
			if len(where) > 0 {
				sql += " WHERE " + strings.Join(where, " AND ")
			}
			l = append(l, chunk{table: st, sql: "COPY (" + sql + ") TO STDOUT"})
		}
	}
	return l
}

// runLanes reads the chunks with several connections at once.
func (s *Source) runLanes(ctx context.Context, snap capture.Snapshot, name string, queue []chunk) error {
	work := make(chan chunk, len(queue))
	for _, c := range queue {
		work <- c
	}
	close(work)
	g, ctx := errgroup.WithContext(ctx)
	for n := range min(s.cfg.SnapshotLanes, snap.Lanes(), len(queue)) {
		g.Go(func() error { return s.lane(ctx, snap, n, name, work) })
	}
	return g.Wait()
}

// lane reads chunks until there are no more.
func (s *Source) lane(ctx context.Context, snap capture.Snapshot, n int, name string, work <-chan chunk) error {
	cfg, err := s.connConfig(false)
	if err != nil {
		return err
	}
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return s.unreachable(err)
	}
	defer closeReplication(conn)
	if _, err := conn.Exec(ctx, importSQL(name)).ReadAll(); err != nil {
		return fmt.Errorf("take the snapshot over: %w", err)
	}
	w, err := hijack(ctx, conn)
	if err != nil {
		return err
	}
	defer w.close()
	stop := w.interruptOn(ctx)
	defer stop()
	var a arena
	for c := range work {
		if err := s.copyChunk(ctx, w, &a, snap, n, c); err != nil {
			return fmt.Errorf("snapshot of table %s: %w", c.table.table, err)
		}
	}
	return nil
}

func (s *Source) copyChunk(ctx context.Context, w *wire, a *arena, snap capture.Snapshot, n int, c chunk) error {
	if err := w.query(c.sql); err != nil {
		return err
	}
	sh := c.table.shape
	row := make([]schemas.Value, len(sh.types))
	for {
		kind, body, err := w.next()
		if err != nil {
			return err
		}
		switch kind {
		case msgCopyData:
			if column, err := a.copyLine(sh, body, row); err != nil {
				return s.columnFault(c.table.table, sh.table.Columns[column].Name, err)
			}
			if err := snap.Row(ctx, n, c.table.handle, row); err != nil {
				return err
			}
		case msgReady:
			return nil
		case msgCopyOut, msgCopyDone, msgComplete:
		default:
			return fmt.Errorf("read a COPY: a message %q", kind)
		}
	}
}

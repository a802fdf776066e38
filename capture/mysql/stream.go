package mysql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"shelfstream/capture"
)

// stream reads the server's binlog and pushes it into the log, transaction by transaction.
type stream struct {
	s   *Source
	log capture.Log
	at  position // behind the newest transaction that was read
	// before is the file that this server was read from last, until the stream's first file is known.
	before filePosition

	barrier *barrier            // tables to read whole as of a later position; nil if there are none
	stale   map[string]string   // tables to read anew, and why, for which no barrier stands yet
	dropped map[string]struct{} // tables that are gone from the database at this place of the log
	adjusts map[string]struct{} // tables whose definition changed, with rows that stay as they are
	blamed  map[string]identity // what a table's columns were, in the stream, when it was read anew for them
	xa      map[string][]string // tables of prepared XA transactions, by their names

	maps     *tableMaps
	payload  payload
	inflater inflater
	rows     rowsEvent
	arena    arena

	group  group
	end    uint64    // offset behind the event being read, within its file
	last   time.Time // when something was pushed the last time
	failed error     // what ended the stream, as it was before go-mysql wrapped it
}

const (
	// minSilence bounds from below how long a server may say nothing; it sends a heartbeat when its log rests.
	minSilence = time.Minute
	// patience is how long the server waits, in seconds, for us to take an event: a whole table may be read meanwhile.
	patience = 86400
)

// handler is the function to which go-mysql gives each event, in its own goroutine, the only one that runs while the stream does.
type handler func(*replication.BinlogEvent) error

// HandleEvent implements replication.EventHandler.
func (h handler) HandleEvent(e *replication.BinlogEvent) error { return h(e) }

// run streams until ctx ends or something breaks.
func (st *stream) run(ctx context.Context) error {
	e, err := st.s.cfg.endpoint()
	if err != nil {
		return err
	}
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	l := newLine(max(minSilence, 5*st.s.cfg.Heartbeat), st.s.metrics.bytes)
	syncer := replication.NewBinlogSyncer(replication.BinlogSyncerConfig{
		ServerID: st.s.cfg.ServerID, Flavor: string(st.s.server.flavor), Host: e.addr, User: e.user, Password: e.password, TLSConfig: e.tls,
		Localhost: "shelfstream", Logger: slog.New(slog.DiscardHandler), Dialer: l.dial, HeartbeatPeriod: st.s.cfg.Heartbeat,
		// Events are read by us as they are, and a broken connection is the runner's to mend.
		RawModeEnabled: true, DisableRetrySync: true, DiscardGTIDSet: true, EventCacheCount: 1,
		Option: func(c *client.Conn) error {
			_, err := c.Execute(fmt.Sprintf("SET net_write_timeout = %d", patience))
			return err
		},
		SynchronousEventHandler: handler(func(e *replication.BinlogEvent) error {
			st.failed = st.take(working, e)
			return st.failed
		}),
	})
	defer syncer.Close()
	defer l.close() // before Close, which would open a connection to kill the first

	st.last = time.Now()
	events, err := st.start(syncer)
	if err != nil {
		return st.s.cfg.unreachable(err)
	}
	st.s.cfg.Logger.Info("streaming", "position", st.at.String())
	_, err = events.GetEvent(ctx)
	cancel()
	l.close()
	syncer.Close() // waits for the goroutine that calls take
	if st.failed != nil && !errors.Is(st.failed, context.Canceled) {
		return st.failed
	}
	return st.s.streamError(err)
}

func (st *stream) start(syncer *replication.BinlogSyncer) (*replication.BinlogStreamer, error) {
	switch st.at.kind {
	case byMySQLGTID:
		return syncer.StartSyncGTID(st.at.mysql.Clone())
	case byMariaGTID:
		set := &gomysql.MariadbGTIDSet{Sets: map[uint32]map[uint32]*gomysql.MariadbGTID{}}
		for _, g := range st.at.maria {
			if err := set.AddSet(&gomysql.MariadbGTID{DomainID: g.domain, ServerID: g.server, SequenceNumber: g.sequence}); err != nil {
				return nil, err
			}
		}
		return syncer.StartSyncGTID(set)
	case byFile:
		return syncer.StartSync(gomysql.Position{Name: st.at.file.name, Pos: uint32(st.at.file.offset)})
	case noPosition:
	}
	return nil, errors.New("stream from no position")
}

func (st *stream) close() {
	st.payload.close()
	if st.barrier != nil {
		st.barrier.drop()
	}
}

// take is given each event as the server sends it.
func (st *stream) take(ctx context.Context, e *replication.BinlogEvent) error {
	switch v := e.Event.(type) {
	case *replication.FormatDescriptionEvent:
		return st.file(ctx, e.Header, e.RawData)
	case *replication.RotateEvent:
		if err := st.rotate(string(v.NextLogName), v.Position); err != nil {
			return err
		}
		return st.cross(ctx)
	case *replication.GenericEvent:
		if e.Header.LogPos > 0 {
			st.end = uint64(e.Header.LogPos)
		}
		return st.event(ctx, e.Header, v.Data)
	}
	return fmt.Errorf("read the binlog: an event %s", e.Header.EventType)
}

// event reads one event, also of those within a compressed transaction.
func (st *stream) event(ctx context.Context, h *replication.EventHeader, body []byte) error {
	switch h.EventType { //nolint:exhaustive // rows follow, and what is for replicas only
	case replication.TABLE_MAP_EVENT:
		return st.tableMap(h, body)
	case replication.XID_EVENT:
		return st.commit(ctx)
	case replication.QUERY_EVENT:
		return st.query(ctx, body, 0, false)
	case replication.MARIADB_QUERY_COMPRESSED_EVENT:
		return st.query(ctx, body, 0, true)
	case replication.EXECUTE_LOAD_QUERY_EVENT:
		return st.query(ctx, body, loadHeader, false)
	case replication.MARIADB_GTID_EVENT, replication.GTID_EVENT, replication.ANONYMOUS_GTID_EVENT, replication.GTID_TAGGED_LOG_EVENT:
		return st.begin(ctx, h, body)
	case replication.XA_PREPARE_LOG_EVENT:
		if len(body) > 0 && body[0] != 0 && st.group.prepared { // prepared and committed in one phase
			return st.abandon(ctx, "an XA transaction that changed it was committed")
		}
		return st.commit(ctx)
	case replication.TRANSACTION_PAYLOAD_EVENT:
		return st.payload.each(body, func(h *replication.EventHeader, body []byte) error { return st.event(ctx, h, body) })
	case replication.HEARTBEAT_EVENT, replication.HEARTBEAT_LOG_EVENT_V2:
		return st.rest(ctx)
	case replication.PARTIAL_UPDATE_ROWS_EVENT:
		return st.partial(body)
	case replication.INCIDENT_EVENT:
		return st.s.lost("the server says that changes are missing in its log (an INCIDENT event)", nil)
	}
	if kind, version, compressed, ok := rowsFormat(h.EventType); ok {
		return st.changes(ctx, kind, version, compressed, body)
	}
	return nil // what is for replicas only
}

// file begins a file of the binlog: events after it are written as it describes.
func (st *stream) file(ctx context.Context, h *replication.EventHeader, raw []byte) error {
	if err := st.maps.format(raw); err != nil {
		return err
	}
	if h.Timestamp != 0 {
		if was := st.before; was.name == st.at.file.name && was.created != 0 && was.created != h.Timestamp {
			return st.remade()
		}
		st.at.file.created = h.Timestamp
		st.before = filePosition{}
	}
	if st.group.open && h.LogPos != 0 {
		// The server died while it wrote the transaction, and has rolled it back since.
		return st.abandon(ctx, "the server died within a transaction")
	}
	return nil
}

// remade is a log that was begun anew since the checkpoint.
func (st *stream) remade() error {
	return st.s.lost(fmt.Sprintf("the server's log was made anew (RESET MASTER): its file %s is not the one that was read before", st.at.file.name), nil)
}

// rotate goes on to a file. The server also says so at the beginning of the stream; then the file is the one that was read last, or a later one.
func (st *stream) rotate(name string, offset uint64) error {
	st.end = offset
	if st.at.file.name != name {
		st.at.file = filePosition{name: name}
		if st.at.kind == byFile {
			st.at.file.offset = offset
		}
	}
	was := st.before.name
	if baseName(was) == baseName(name) && fileNumber(name) < fileNumber(was) {
		return st.remade()
	}
	return nil
}

// rest is the server's word that its log ends here for now.
func (st *stream) rest(ctx context.Context) error {
	if st.group.open {
		return nil
	}
	if err := st.cross(ctx); err != nil {
		return err
	}
	return st.heartbeat(ctx)
}

// heartbeat pushes the position, unless something was pushed just now.
func (st *stream) heartbeat(ctx context.Context) error {
	if time.Since(st.last) < st.s.cfg.Heartbeat*9/10 {
		return nil
	}
	st.last = time.Now()
	st.s.metrics.heartbeats.Inc()
	c := capture.Commit{Meta: capture.Meta{Position: st.at.text(), CommitTimeUS: st.s.server.now()}, System: st.s.system, Heartbeat: true}
	if err := st.log.Commit(ctx, c); err != nil {
		return fmt.Errorf("heartbeat at %s: %w", st.at, err)
	}
	return nil
}

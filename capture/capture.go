package capture

import (
	"context"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// Op is what happened to a row; its letter travels in the header __op.
type Op byte

// The operations of change events.
const (
	OpCreate Op = 'c'
	OpUpdate Op = 'u'
	OpDelete Op = 'd'
	OpRead   Op = 'r' // read by a snapshot
)

// Position is a place in a source's log in the source's own notation, e.g. "0/16B3748" for PostgreSQL.
// Only the source that made it can compare it.
type Position string

// TableConfig is what the configuration says of one captured table, by the name the pipeline gives it.
type TableConfig struct {
	// Name is the table in the source; "schema.table" or "table" (then the source's default schema).
	Name string
	// PartitionBy names the columns whose values choose the partition; nil = the primary key.
	PartitionBy []string
	// Broadcast tables are read whole by every task; their partitioning is by key.
	Broadcast bool
	// Columns, if not nil, are the only ones captured (the key's are always added).
	Columns []string
}

// Source reads one system's change log. The runner calls Preflight, then Run; Confirm comes from other goroutines.
// A Source is used for one Run only; after an error the runner makes a new one.
type Source interface {
	// Preflight looks at everything Run will need and returns every fault at once. It changes nothing.
	// The error is for what kept it from looking (unreachable); it is a *fault.Fault of class Environment.
	Preflight(ctx context.Context) (fault.List, error)

	// Run pushes snapshots and changes into log until ctx ends (then it returns nil) or something breaks.
	// It calls log from its own goroutine, in commit order; the only calls from several goroutines at once are
	// Snapshot.Row (one goroutine for each lane). Rows may alias the source's buffers: the log has
	// copied them when a call returns. A *fault.Fault of class Environment whose Err is ErrPositionLost stops the
	// source in a named state until an operator acts; any other error is retried by the runner with back-off.
	Run(ctx context.Context, start Start, log Log) error

	// Confirm says that everything up to and including pos is durable in the log, so that the source's server may
	// forget it. Called after each acknowledged checkpoint, never while a record below pos is in flight. It must not
	// block: it notes the position, and the source's own loop tells the server.
	Confirm(pos Position)
}

// Start says where a Run begins.
type Start struct {
	// Checkpoint is the newest one in the log; nil if nothing was captured yet.
	Checkpoint *schemas.Checkpoint
	// Snapshot lists the configured tables whose rows must be read whole first: all of them without a checkpoint,
	// else those missing from it and those an operator asked for. If an operator asked for all because the position was lost,
	// Fresh is set as well.
	Snapshot []string
	// Fresh means: the old position is given up; make a new slot, and snapshot every table.
	Fresh bool
}

// Log is where a source pushes to; the runner implements it on the topics.
type Log interface {
	// Table declares the shape of the rows that follow for the configured table name, before the first
	// row and again whenever the shape changes in the stream. The Table's Name is ignored (the runner knows the
	// topic); Columns, Key are the source's; PartitionBy is resolved by the runner. The returned handle stays valid until the
	// table is declared again. Registering a schema may take a round trip, so it is not called per row.
	Table(ctx context.Context, name string, t *schemas.Table) (Handle, error)

	// Change adds one row change of the transaction being read. row is the whole new row (for OpDelete: the columns of
	// the key and of partition_by at least, the others null). before is nil unless the key or a partition_by column may differ from row's:
	// then it holds the whole old row, and the runner writes a tombstone for the old key in the old partition
	// where either changed.
	// It blocks while the producer's memory is full.
	Change(ctx context.Context, h Handle, op Op, row, before []schemas.Value, at Meta) error

	// Commit ends a transaction (or says, with Heartbeat, that the source has nothing older than Position left to
	// read). The runner decides which commits become checkpoints.
	Commit(ctx context.Context, c Commit) error

	// Snapshot starts the reading of whole tables as of one exact position. Everything in the stream below that position has been
	// pushed and committed before. The snapshot's rows become visible, with the tables' place in the checkpoint, at End.
	Snapshot(ctx context.Context, pos Position, tables []string) (Snapshot, error)
}

// Snapshot takes the rows of whole tables.
type Snapshot interface {
	// Row adds one row of a table declared with Log.Table before. lane tells the calling goroutine, 0…Lanes-1; calls of
	// different lanes may run at once. A key comes at most once.
	Row(ctx context.Context, lane int, h Handle, row []schemas.Value) error
	// Truncated and End: End seals the snapshot as of c.Position: keys that the topics had and the snapshot did not
	// bring get a tombstone; rows that did not change are not sent again. Then a checkpoint with the tables is written and acknowledged
	// before it returns.
	End(ctx context.Context, c Commit) error
	// Lanes is how many goroutines may call Row at once.
	Lanes() int
}

// Estimator is an extra ability of a Snapshot: it is told about how many rows a table has, for the progress that people see.
// It may be called from any goroutine.
type Estimator interface {
	Estimate(table string, rows int64)
}

// Truncater is an extra ability of a Log: a table was emptied by one statement in the stream (TRUNCATE). Every
// key the topic holds for that table gets a tombstone, within the transaction being read.
type Truncater interface {
	Truncate(ctx context.Context, h Handle, at Meta) error
}

// Handle names a declared table shape.
type Handle int

// Meta is about the change, not about the row; it travels in the headers __source_ts_ms, __pos and __txid.
type Meta struct {
	Position Position
	// Transaction is the same, and not empty, on all changes of a transaction and on its Commit, and the same again when the source
	// reads it anew after a restart: by it the runner knows what a worker that died had left half written.
	Transaction string
	// CommitTimeUS is microseconds since the epoch.
	CommitTimeUS int64
}

// Commit is the end of a source transaction.
type Commit struct {
	Meta
	// System identifies the server and its history, see schemas.Checkpoint.
	System string
	// Heartbeat: no row changed since the last commit; Position moved or time passed.
	Heartbeat bool
}

// Progress reports long work to whoever watches.
type Progress struct {
	Table      string
	Rows       int64
	TotalRows  int64 // estimate, 0 unknown
	StartedAt  time.Time
	FinishedAt time.Time // zero while it runs
}

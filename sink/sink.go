package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// ErrLost says that another worker has taken the partition over. Nothing of the batch was applied, and nothing of this session ever will be.
var ErrLost = errors.New("another worker has taken the partition over")

// ErrContention says that the target broke a transaction off because of another one's locks. Nothing of it was applied; the next attempt is likely to succeed.
var ErrContention = errors.New("another transaction was in the way")

// ErrAdvanced is in the error of an Apply after which a part of the batch is delivered all the same, at a target that takes each record by itself: the link works, and the
// next attempt is the first to fail, if it does.
var ErrAdvanced = errors.New("a part of the batch was delivered")

// View is one cleaned topic and the shape of its rows.
type View struct {
	// Name is the view as the configuration names it: "product".
	Name string
	// Topic is "<pipeline>.<view>".
	Topic string
	// Table is the shape in which rows are handed to Apply, whatever version wrote them.
	Table *schemas.Table
}

// KeyBytes is Record.Key of a key's values.
func (v *View) KeyBytes(key []schemas.Value) ([]byte, error) {
	codec, err := schemas.Compile(v.Table)
	if err != nil {
		return nil, err
	}
	row := make([]schemas.Value, len(v.Table.Columns))
	for i, k := range v.Table.Key {
		row[k] = key[i]
	}
	return codec.AppendKey(nil, row)
}

// Partition is one partition of a cleaned topic, taken over by Owner.
type Partition struct {
	View  View
	ID    int32
	Owner string // host, process and member id; for people who look into the target's offset table
}

// String is "moestue.product/3".
func (p Partition) String() string { return fmt.Sprintf("%s/%d", p.View.Topic, p.ID) }

// Record is the state of one product (or category, or order).
type Record struct {
	// Key is the Avro body of the key: equal bytes, equal key.
	Key []byte
	// KeyValues are the key's values, in the order of Table.Key.
	KeyValues []schemas.Value
	// Row has one value for each of Table.Columns; nil is a tombstone.
	Row    []schemas.Value
	Offset int64
	// SourceTSMS is the commit time of the newest source transaction behind the state, milliseconds since 1970; 0 unknown.
	SourceTSMS int64
	// Position is that transaction's place in the source's log; may be empty.
	Position string
}

// Parked is a record that was not applied, and why.
type Parked struct {
	Topic     string
	Partition int32
	Offset    int64
	// ID is the record's key as it stands in the topic without the frame (Record.Key), by which a newer record of the same key is known.
	ID []byte
	// Key is the key for people: "4711", or values joined by "/".
	Key string
	// SourceTSMS is as in Record.
	SourceTSMS int64
	// Since is when the target first refused it, where a target lists what it holds; else zero.
	Since time.Time
	Fault *fault.Fault
}

// Batch is one transaction's worth of a partition.
type Batch struct {
	// Records are in offset order, at most one for each key.
	Records []Record
	// Parked are records of the same stretch that could not even be read; the target keeps them with the others it parks.
	Parked []Parked
	// Gone are the IDs of unreadable records that somebody has taken back with a tombstone: the target has no row of theirs, and keeps them no longer.
	Gone [][]byte
	// Next is the place of the partition after the batch. If it is the session's present one, the batch is a part of a replay or the retry of parked
	// records. If it is further, everything below it has been applied or parked, and a replay is over.
	Next int64
}

// Place is where a partition stands, as the target has it.
type Place struct {
	// Next is the offset to go on from.
	Next int64
	// ReplayUntil is above Next while a replay is asked for and not finished: the target has seen everything below it already, so of the records
	// in [Next, ReplayUntil) only the newest of each key may be applied. math.MaxInt64: up to the end of the topic.
	ReplayUntil int64
	// Prune asks for a comparison of all keys: what the topic does not have is removed from the target, whoever wrote it.
	Prune bool
	// Others says that a comparison nobody asked for found keys that the topic does not have, and that nobody has decided about them yet.
	Others bool
	// Updated is when a session last wrote; zero for a partition opened for the first time.
	Updated time.Time
}

// Target is one system that sinks write to. Its methods may be called from several goroutines at once.
type Target interface {
	// Check compares the target with the views, makes what the configuration allows to make (create: true), and returns everything that does not fit,
	// at once, each with what to run. It is called before the first Open, and again when the shape of a view changed.
	// The error is for what kept it from looking; it is worth another try.
	Check(ctx context.Context, views []View) (fault.List, error)

	// Open takes the partition over: when it returns, no session opened before, here or in another process, can apply anything any more.
	// An error is worth another try.
	Open(ctx context.Context, p Partition) (Session, error)
}

// Session is the right to write one partition. One goroutine uses it.
type Session interface {
	// Apply makes the whole batch visible in one step, together with Batch.Next: either all of it or nothing. The batch's bytes belong to the caller again
	// when it returns. Records the target cannot take are parked in the same step and returned, the others are applied.
	//
	// A target without transactions delivers each record by itself; after an error the same batch again delivers what is left (ErrAdvanced).
	//
	// ErrLost: close the session. Any other error: nothing of the batch is visible, or (after a lost connection) all of it is; calling
	// Apply again with the same batch is right in both cases, and after a back-off worth it. ctx ends waiting; what was under way is rolled back.
	Apply(ctx context.Context, b *Batch) ([]Parked, error)

	// Place is where the partition stands after the last Apply that succeeded.
	Place() Place

	// Close gives up what the session holds; the partition's place stays. The session cannot be used after it.
	Close() error
}

// Retrier is an extra ability of a Session: it knows what it parked, so that the runner tries it again.
type Retrier interface {
	// Parked lists parked records of the partition with an offset above after, in offset order, at most limit of them.
	// The list may be kept.
	Parked(ctx context.Context, after int64, limit int) ([]Parked, error)
	// Held is how many records of the partition are parked now.
	Held() int
	// OnWake sets what is called, from any goroutine and without waiting, when the reason why some records are parked may have gone.
	OnWake(wake func())
	// TakeWoken gives the offsets of those records, once.
	TakeWoken() []int64
}

// Rewinder is an extra ability of a Target: a replay can be asked for from any process.
type Rewinder interface {
	// Rewind shuts the partition's session out and, if to lies before its place, sets the place back to it and ReplayUntil to the end of the topic. It returns
	// the place before. It never moves a place forward. A partition that was never opened stays so: it begins at the beginning anyway.
	Rewind(ctx context.Context, p Partition, to int64, prune bool) (Place, error)
}

// Pruner is an extra ability of a Target: it can tell which keys it has.
type Pruner interface {
	// Keys lists the keys the target has of a view, in an order of its own, at most limit of them, after the key given (nil = from the start).
	// Rows that are deleted softly are not among them.
	Keys(ctx context.Context, v View, after []schemas.Value, limit int) ([][]schemas.Value, error)
	// Prune removes keys in one step, during which no session of the topic can apply anything. In it, still is called once with the place of each partition
	// that was ever opened, and says which of the keys (by index) are to be removed all the same.
	Prune(ctx context.Context, v View, keys [][]schemas.Value, still func(next map[int32]int64) ([]bool, error)) (removed int, err error)
	// Compare begins a comparison of all keys. The function it returns ends it: Place.Others is set to whether some were left, and Place.Prune cleared, for every
	// partition of the topic that was neither taken over nor rewound since the beginning. So what is asked for meanwhile stays asked for; and so does what only a
	// comparison with asked answers.
	Compare(ctx context.Context, v View, asked bool) (done func(ctx context.Context, others bool) error, err error)
	// KeepsOthers says that the view's tables are meant to hold rows of others too: keys that the topic never had stay, and nobody is told of them.
	KeepsOthers(v View) bool
}

// DryChecker is an extra ability of a Target: Check without changing anything. What Check would make is not missing; that it may not be made is a fault.
type DryChecker interface {
	DryCheck(ctx context.Context, views []View) (fault.List, error)
}

// Noticer is an extra ability of a Target: it notices by itself what is wrong outside of any Apply, such as an acknowledgement that does not come.
type Noticer interface {
	// Notices lists what is wrong now, one fault for each cause and place. It does not wait.
	Notices() fault.List
}

// Looker is an extra ability of a Target: it shows what it has of one key, for explain.
type Looker interface {
	Lookup(ctx context.Context, v View, key []schemas.Value) ([]Found, error)
}

// Found is what one table (or endpoint) of a target has of a key.
type Found struct {
	// Table is the target's name of it.
	Table string
	// Columns name the values of each row.
	Columns []string
	// Rows hold the target's own text of each value; nil is null.
	Rows [][]*string
}

package capture

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

var (
	_ Log       = (*writer)(nil)
	_ Truncater = (*writer)(nil)
)

// writer is the Log of one session: it makes records of row changes and produces them.
type writer struct {
	cfg      *RunnerConfig
	producer *kafka.Producer
	commits  *commits
	parking  *parking
	vector   *vector
	state    *state
	metrics  *metrics
	// layout is what the topics of complete tables hold; see tableLayout.
	layout map[string]tableLayout
	// rekeyed asks for a resnapshot of a table whose key has another shape than its topic's records.
	rekeyed func(ctx context.Context, table string) error

	index  map[string]int // configured table -> Handle
	shapes []atomic.Pointer[tableShape]

	// of the source's goroutine
	enc         *encoder
	tally       tally
	inTx        bool
	transaction string
	snapshot    *snapshot
	// pending are the tables whose snapshot the session was started for and that were not read yet.
	pending map[string]bool
	// signals is where the requests that led to them end; they are done when none is pending.
	signals int64
	// scratch is the directory of this session's temporary files.
	scratch string

	declare sync.Mutex
}

// Table implements Log.
func (w *writer) Table(ctx context.Context, name string, t *schemas.Table) (Handle, error) {
	w.declare.Lock()
	defer w.declare.Unlock()
	i, ok := w.index[name]
	if !ok {
		return 0, protocolError("table %q is not configured", name)
	}
	s, err := w.shape(name, w.topic(name), t)
	if err != nil {
		return 0, err
	}
	topic := s.state.topic
	key, err := w.cfg.Registry.Register(ctx, topic+"-key", s.codec.KeySchema())
	if err != nil {
		return 0, fmt.Errorf("register the key schema of table %s: %w", name, err)
	}
	value, err := w.cfg.Registry.Register(ctx, topic+"-value", s.codec.ValueSchema())
	if err != nil {
		return 0, fmt.Errorf("register the schema of table %s: %w", name, err)
	}
	if s.state.inVector && !w.pending[name] {
		if old, known := w.layout[name]; known && old.Key != key {
			if err := w.rekeyed(ctx, name); err != nil {
				return 0, err
			}
		}
	}
	s.keyFrame, s.valueFrame = schemas.AppendFrame(nil, key), schemas.AppendFrame(nil, value)
	w.shapes[i].Store(s)
	return Handle(i), nil
}

// shape compiles a table's rows and finds the columns that route them.
func (w *writer) shape(name string, ts *topicState, t *schemas.Table) (*tableShape, error) {
	own := *t
	own.Name = ts.topic
	own.PartitionBy = nil
	cfg := w.cfg.Tables[name]
	s := &tableShape{state: ts, table: &own, route: own.Key, byKey: true}
	if len(cfg.PartitionBy) > 0 && !cfg.Broadcast {
		s.route, s.byKey = nil, false
		for _, column := range cfg.PartitionBy {
			c := own.Column(column)
			if c < 0 {
				return nil, &fault.Fault{
					Class: fault.Config, Where: "source " + w.cfg.Source + ": table " + name,
					What: fmt.Sprintf("partition_by names the column %q, which the table does not have", column),
					Fix:  "name one of its columns: " + columnNames(&own),
				}
			}
			s.route = append(s.route, c)
		}
		own.PartitionBy = s.route
	}
	for i, c := range own.Columns {
		if k := c.Type.Kind; k == schemas.KindDecimal && c.Type.Precision > 0 || k == schemas.KindDate || k == schemas.KindTimestamp || k == schemas.KindTimestampTZ {
			s.specials = append(s.specials, i)
		}
	}
	codec, err := schemas.Compile(&own)
	if err != nil {
		return nil, &fault.Fault{
			Class: fault.Config, Where: "source " + w.cfg.Source + ": table " + name, What: "the table's rows have no Avro form",
			Fix: "leave the column out under columns", Err: err,
		}
	}
	s.codec = codec
	return s, nil
}

func columnNames(t *schemas.Table) string {
	var b bytes.Buffer
	for i, c := range t.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.Name)
	}
	return b.String()
}

// topic is the state of a configured table's topic.
func (w *writer) topic(table string) *topicState {
	name := w.cfg.rawTopic(table)
	for _, t := range w.vector.topics {
		if t.topic == name {
			return t
		}
	}
	return nil
}

func (w *writer) handle(h Handle) (*tableShape, error) {
	if h < 0 || int(h) >= len(w.shapes) {
		return nil, protocolError("handle %d was not given out", h)
	}
	s := w.shapes[h].Load()
	if s == nil {
		return nil, protocolError("a table with handle %d was not declared", h)
	}
	return s, nil
}

// enter begins the transaction of a change if none is open.
func (w *writer) enter(at Meta) error {
	if w.inTx && at.Transaction == w.transaction {
		return nil
	}
	switch {
	case w.snapshot != nil:
		return protocolError("a change came in while a snapshot was read")
	case at.Transaction == "":
		return protocolError("a change without a transaction's id")
	case w.inTx:
		return protocolError("a change of transaction %s came in while %s was open", at.Transaction, w.transaction)
	}
	if err := w.commits.begin(); err != nil {
		return err
	}
	w.inTx, w.transaction = true, at.Transaction
	w.state.opened()
	return nil
}

// Change implements Log.
func (w *writer) Change(ctx context.Context, h Handle, op Op, row, before []schemas.Value, at Meta) error {
	t, err := w.handle(h)
	if err != nil {
		return err
	}
	if err := w.enter(at); err != nil {
		return err
	}
	if w.commits.wanted.Load() {
		w.commits.midway()
	}
	w.enc.meta(at)
	w.metrics.row(op)
	w.state.records.Add(1)
	if row == nil {
		w.tally.sample(w.cfg, t, before)
	} else {
		w.tally.sample(w.cfg, t, row)
	}
	switch op {
	case OpDelete:
		if before == nil {
			before = row
		}
		return w.remove(ctx, t, before)
	case OpCreate, OpUpdate, OpRead:
	default:
		return protocolError("operation %q is unknown", op)
	}
	key, value, headers, err := w.enc.record(t, op, row)
	r := kafka.Record{Key: key, Value: value, Headers: headers}
	if err == nil {
		err = w.parking.fits(t, &r)
	}
	why, err := refused(err)
	if err != nil {
		return err
	}
	partition := w.enc.partition(t, row)
	if before != nil {
		if err := w.leave(ctx, t, key, partition, before); err != nil {
			return err
		}
		w.enc.op[0] = byte(op)
	}
	if why != nil {
		return w.parking.park(ctx, t, row, why, at, nil)
	}
	if err := w.parking.good(ctx, t, row); err != nil {
		return err
	}
	return w.produce(ctx, t, partition, r)
}

// leave writes a tombstone where the row was, if it moves to another key or partition. key is nil if the new one cannot be written. A row that
// is parked at its new place leaves the old one all the same: its last good version there would be found by nobody any more.
func (w *writer) leave(ctx context.Context, t *tableShape, key []byte, partition int32, before []schemas.Value) error {
	old, err := t.appendKey(w.enc.oldKey[:0], before)
	why, err := refused(err)
	if err != nil {
		return err
	}
	if why == nil {
		w.enc.oldKey = old
		if bytes.Equal(old, key) && w.enc.partition(t, before) == partition {
			return nil
		}
	}
	if err := w.parking.good(ctx, t, before); err != nil || why != nil { // under a key that cannot be written nothing stands
		return err
	}
	was := w.enc.partition(t, before)
	return w.produce(ctx, t, was, kafka.Record{Key: old, Headers: w.enc.tombstone()})
}

// remove writes the tombstone of a deleted row.
func (w *writer) remove(ctx context.Context, t *tableShape, row []schemas.Value) error {
	if err := w.parking.good(ctx, t, row); err != nil {
		return err
	}
	key, err := t.appendKey(w.enc.key[:0], row)
	if why, err := refused(err); err != nil || why != nil { // under a key that cannot be written nothing stands
		return err
	}
	w.enc.key = key
	if err := t.placed(row); err != nil {
		return err
	}
	return w.produce(ctx, t, w.enc.partition(t, row), kafka.Record{Key: key, Headers: w.enc.tombstone()})
}

// placed is an error for a deleted row that comes without what says where it lies. A source asks for whole old rows, or says itself that one is missing.
func (t *tableShape) placed(row []schemas.Value) error {
	if t.byKey {
		return nil
	}
	for _, c := range t.route {
		if column := &t.table.Columns[c]; row[c].IsNull() && !column.Nullable {
			return fmt.Errorf("%s: table %s: the source gives a deleted row without its column %s, which chooses the partition", t.state.topic, t.state.table, column.Name)
		}
	}
	return nil
}

// produce is for the source's goroutine only.
func (w *writer) produce(ctx context.Context, t *tableShape, partition int32, r kafka.Record) error {
	if err := w.producer.Produce(ctx, t.state.topic, partition, r); err != nil {
		return fmt.Errorf("produce to %s/%d: %w", t.state.topic, partition, err)
	}
	w.vector.count(t.state, partition)
	w.tally.bytes += int64(len(r.Key) + len(r.Value))
	return nil
}

// Commit implements Log.
func (w *writer) Commit(_ context.Context, c Commit) error {
	w.state.heard.Store(w.cfg.Now().UnixNano())
	switch {
	case c.Position == "":
		return protocolError("a commit without a position")
	case w.snapshot != nil && c.Heartbeat:
		return w.commits.failure() // a checkpoint now would cover half a snapshot; its end brings one
	case w.snapshot != nil:
		return protocolError("a commit came in while a snapshot was read")
	case w.inTx && c.Heartbeat:
		return protocolError("a heartbeat came in while transaction %s was open", w.transaction)
	case w.inTx && c.Transaction != w.transaction:
		return protocolError("transaction %s was committed while %s was open", c.Transaction, w.transaction)
	}
	if !c.Heartbeat {
		w.metrics.transactions.Inc()
	}
	w.inTx = false
	return w.commits.commit(c, &w.tally)
}

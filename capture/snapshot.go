package capture

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

var (
	_ Snapshot  = (*snapshot)(nil)
	_ Estimator = (*snapshot)(nil)
)

// snapshot writes whole tables. A table whose topic holds rows (of an earlier snapshot, whole or broken off, or of the stream)
// is compared with them, so that only differences are sent.
type snapshot struct {
	w        *writer
	meta     Meta
	tables   map[string]*snapshotTable
	contents *contents // nil if every topic was empty
	lanes    []lane
	ended    bool
}

// snapshotTable is one table of it.
type snapshotTable struct {
	index    int // its Handle
	compare  bool
	frames   map[string]bool // key frames that the topic holds
	progress *progress
	first    sync.Once // dropOld, before the first row
	failed   error     // of it
}

// lane is one goroutine's part: its buffers and the keys it found again.
type lane struct {
	enc  *encoder
	key  []byte
	seen *pebble.Batch
	_    [64]byte // lanes are neighbours in memory and written all the time
}

// Snapshot implements Log.
func (w *writer) Snapshot(ctx context.Context, pos Position, tables []string) (Snapshot, error) {
	switch {
	case w.inTx:
		return nil, protocolError("a snapshot was begun inside transaction %s", w.transaction)
	case w.snapshot != nil:
		return nil, protocolError("a snapshot was begun inside another")
	case pos == "":
		return nil, protocolError("a snapshot without a position")
	}
	// Below the snapshot's position every commit has its checkpoint; from here to its end there is none.
	if err := w.commits.drain(ctx); err != nil {
		return nil, err
	}
	now := w.cfg.Now()
	s := &snapshot{
		w: w, meta: Meta{Position: pos, CommitTimeUS: now.UnixMicro()},
		tables: make(map[string]*snapshotTable, len(tables)), lanes: make([]lane, 2*runtime.GOMAXPROCS(0)),
	}
	shown := make([]*progress, 0, len(tables))
	for _, name := range tables {
		i, ok := w.index[name]
		if !ok {
			return nil, protocolError("a snapshot of table %q, which is not configured", name)
		}
		p := &progress{table: name, started: now}
		shown = append(shown, p)
		s.tables[w.topic(name).topic] = &snapshotTable{index: i, progress: p}
	}
	for i := range s.lanes {
		s.lanes[i].enc = newEncoder()
		s.lanes[i].enc.meta(s.meta)
	}
	w.snapshot = s
	w.state.snapshotBegins(shown)
	if err := s.readTopics(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// readTopics loads what the topics of the tables hold already.
func (s *snapshot) readTopics(ctx context.Context) error {
	if err := s.w.producer.Flush(ctx); err != nil {
		return fmt.Errorf("flush before a snapshot: %w", err)
	}
	for topic, t := range s.tables {
		empty, err := topicEmpty(ctx, s.w.cfg.Client, topic)
		if err != nil {
			return err
		}
		if empty {
			continue
		}
		if s.contents == nil {
			if s.contents, err = openContents(s.w.scratch); err != nil {
				return err
			}
		}
		s.w.state.set(StateSnapshot, "reading what "+topic+" holds", nil)
		held, err := s.contents.load(ctx, s.w.cfg.Client, t.index, topic)
		if err != nil {
			return err
		}
		t.compare, t.frames = true, held.frames
		t.progress.total.Store(held.records)
	}
	s.w.state.set(StateSnapshot, "", nil)
	return nil
}

// topicEmpty says whether a topic holds no record. Offsets alone do not tell: a fence leaves its mark in each partition.
func topicEmpty(ctx context.Context, client *kafka.Client, topic string) (bool, error) {
	n, err := client.Partitions(ctx, topic)
	if err != nil {
		return false, fmt.Errorf("look at %s: %w", topic, err)
	}
	for p := range n {
		r, err := client.Last(ctx, topic, int32(p))
		if err != nil {
			return false, fmt.Errorf("look at %s/%d: %w", topic, p, err)
		}
		if r != nil {
			return false, nil
		}
	}
	return true, nil
}

// Lanes implements Snapshot.
func (s *snapshot) Lanes() int { return len(s.lanes) }

// Estimate implements Estimator.
func (s *snapshot) Estimate(table string, rows int64) {
	if t := s.tables[s.w.cfg.rawTopic(table)]; t != nil {
		t.progress.total.Store(rows)
	}
}

// Row implements Snapshot.
func (s *snapshot) Row(ctx context.Context, n int, h Handle, row []schemas.Value) error {
	if n < 0 || n >= len(s.lanes) {
		return protocolError("lane %d of %d", n, len(s.lanes))
	}
	shape, err := s.w.handle(h)
	if err != nil {
		return err
	}
	t := s.tables[shape.state.topic]
	if t == nil || s.ended {
		return protocolError("a row of table %s, which the snapshot does not read", shape.state.table)
	}
	l := &s.lanes[n]
	t.first.Do(func() { t.failed = s.dropOld(ctx, l.enc, shape, t) })
	if t.failed != nil {
		return t.failed
	}
	key, value, headers, err := l.enc.record(shape, OpRead, row)
	r := kafka.Record{Key: key, Value: value, Headers: headers}
	if err == nil {
		err = s.w.parking.fits(shape, &r)
	}
	why, err := refused(err)
	if err != nil {
		return err
	}
	partition := l.enc.partition(shape, row)
	t.progress.rows.Add(1)
	s.w.metrics.snapshotRows.Inc()
	if t.compare && key != nil {
		same, err := s.found(l, t, partition, key, value)
		if err != nil {
			return err
		}
		if same && why == nil {
			s.w.metrics.snapshotSame.Inc()
			return nil
		}
	}
	s.w.state.records.Add(1)
	if why != nil { // found has kept the row's last good version from being taken for gone
		return s.w.parking.park(ctx, shape, row, why, s.meta, s)
	}
	s.w.metrics.read.Inc()
	if err := s.w.producer.Produce(ctx, shape.state.topic, partition, r); err != nil {
		return fmt.Errorf("produce to %s/%d: %w", shape.state.topic, partition, err)
	}
	return nil
}

// found takes a row out of what the topic holds and says whether it stands there as it is.
func (s *snapshot) found(l *lane, t *snapshotTable, partition int32, key, value []byte) (bool, error) {
	frame, body := splitFrame(key)
	l.key = contentsKey(l.key[:0], t.index, partition, body)
	v, closer, err := s.contents.db.Get(l.key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up a row: %w", err)
	}
	same := string(v[8:]) == string(frame) && binary.BigEndian.Uint64(v) == xxhash.Sum64(value)
	if err := closer.Close(); err != nil {
		return false, fmt.Errorf("look up a row: %w", err)
	}
	return same, s.forget(l)
}

// dropOld takes away, before a table's first row, what stands under keys of another shape: a reader who decodes keys takes the old and
// the new one for the same row, and its deletion must not be the last word.
func (s *snapshot) dropOld(ctx context.Context, enc *encoder, shape *tableShape, t *snapshotTable) error {
	if !t.compare || len(t.frames) == 1 && t.frames[string(shape.keyFrame)] {
		return nil
	}
	return s.contents.drop(t.index, shape.keyFrame, func(partition int32, key []byte) error {
		return s.remove(ctx, enc, shape.state.topic, partition, key)
	})
}

// remove writes a tombstone.
func (s *snapshot) remove(ctx context.Context, enc *encoder, topic string, partition int32, key []byte) error {
	s.w.metrics.row(OpDelete)
	if err := s.w.producer.Produce(ctx, topic, partition, kafka.Record{Key: key, Headers: enc.tombstone()}); err != nil {
		return fmt.Errorf("produce to %s/%d: %w", topic, partition, err)
	}
	return nil
}

// forget takes l.key out of the store, many at a time.
func (s *snapshot) forget(l *lane) error {
	if l.seen == nil {
		l.seen = s.contents.db.NewBatch()
	}
	err := l.seen.Delete(l.key, nil)
	if err == nil && l.seen.Len() > 256<<10 {
		err = l.flush()
	}
	if err != nil {
		return fmt.Errorf("note a row that was found: %w", err)
	}
	return nil
}

func (l *lane) flush() error {
	if l.seen == nil {
		return nil
	}
	b := l.seen
	l.seen = nil
	return b.Commit(pebble.NoSync)
}

// End implements Snapshot.
func (s *snapshot) End(ctx context.Context, c Commit) error {
	switch {
	case s.ended:
		return protocolError("a snapshot was ended twice")
	case c.Position == "":
		return protocolError("a snapshot's end without a position")
	}
	s.ended = true
	if err := s.removeGone(ctx); err != nil {
		return err
	}
	w := s.w
	for _, t := range s.tables {
		if err := w.parking.only(ctx, s, t.progress.table); err != nil {
			return err
		}
	}
	for name := range w.index {
		if t := s.tables[w.cfg.rawTopic(name)]; t != nil {
			delete(w.pending, name)
			w.topic(name).inVector = true
			if shape := w.shapes[t.index].Load(); shape != nil {
				w.layout[name] = tableLayout{Key: frameID(shape.keyFrame), By: routing(w.cfg.Tables[name])}
			}
		}
	}
	if len(w.pending) == 0 {
		w.commits.note.Signals = w.signals
	}
	if err := w.commits.note.encode(); err != nil {
		return err
	}
	c.Heartbeat = false
	if err := w.commits.settle(ctx, c); err != nil {
		return err
	}
	for _, t := range s.tables {
		s.told(t, c.Position)
	}
	w.snapshot = nil
	w.state.heard.Store(w.cfg.Now().UnixNano())
	w.state.snapshotEnds(w.cfg.Now())
	if len(w.pending) == 0 {
		w.state.set(stateStreaming, "", nil)
	}
	return s.close()
}

// removeGone writes a tombstone for what the topics hold and the snapshot did not bring.
func (s *snapshot) removeGone(ctx context.Context) error {
	if s.contents == nil {
		return nil
	}
	for i := range s.lanes {
		if err := s.lanes[i].flush(); err != nil {
			return fmt.Errorf("note the rows that were found: %w", err)
		}
	}
	enc := s.lanes[0].enc
	for topic, t := range s.tables {
		err := s.contents.rest(t.index, func(partition int32, key []byte) error {
			return s.remove(ctx, enc, topic, partition, key)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// close removes the temporary files; also of a snapshot that broke off, after its lanes have ended.
func (s *snapshot) close() error {
	if s.contents == nil {
		return nil
	}
	for i := range s.lanes {
		if b := s.lanes[i].seen; b != nil {
			s.lanes[i].seen = nil
			_ = b.Close() // nothing of it is needed any more
		}
	}
	c := s.contents
	s.contents = nil
	return c.close()
}

// routing is what decides a table's partitions apart from its key.
func routing(t TableConfig) []string {
	if t.Broadcast {
		return nil
	}
	return t.PartitionBy
}

package capture

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/sync/errgroup"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
)

// contents is what raw topics hold now, on disk: for each partition and row key, under which key schemas it stands there
// and the hash of its newest value. A snapshot takes out what it finds again, so that what is gone from the source remains.
//
//	key:   2 bytes table, 4 bytes partition, the key's body without its schema frame
//	value: 8 bytes xxhash64 of the newest value, then the 5-byte frames under which the key is live, the newest last
//
// A key stands under two frames only where the shape of a table's key changed while it was captured.
type contents struct {
	db  *pebble.DB
	dir string
}

// openContents makes an empty store in scratch.
func openContents(scratch string) (*contents, error) {
	fail := func(err error) error {
		return &fault.Fault{
			Class: fault.Environment, Cause: fault.DiskUnusable, Where: "scratch directory " + scratch, What: "temporary files for the comparison with the topic cannot be written",
			Fix: "make room there, or name another directory for temporary files", Err: err,
		}
	}
	if err := os.MkdirAll(scratch, 0o750); err != nil {
		return nil, fail(err)
	}
	dir, err := os.MkdirTemp(scratch, "contents-")
	if err != nil {
		return nil, fail(err)
	}
	db, err := pebble.Open(filepath.Join(dir, "db"), &pebble.Options{
		DisableWAL: true, MemTableSize: 16 << 20, CacheSize: 16 << 20, MaxOpenFiles: 200, Logger: quiet{},
	})
	if err != nil {
		return nil, errors.Join(fail(err), os.RemoveAll(dir))
	}
	return &contents{db: db, dir: dir}, nil
}

// close ends the store and removes its files.
func (c *contents) close() error {
	return errors.Join(c.db.Close(), os.RemoveAll(c.dir))
}

func contentsKey(dst []byte, table int, partition int32, body []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(table))
	dst = binary.BigEndian.AppendUint32(dst, uint32(partition))
	return append(dst, body...)
}

// loaded says what a topic held.
type loaded struct {
	records int64 // an upper bound of the rows
	frames  map[string]bool
}

// load reads a topic from its start to its present end. Records that this process has produced must be acknowledged before.
func (c *contents) load(ctx context.Context, client *kafka.Client, table int, topic string) (loaded, error) {
	all := loaded{frames: map[string]bool{}}
	starts, err := client.StartOffsets(ctx, topic)
	if err != nil {
		return all, fmt.Errorf("read the rows of %s: %w", topic, err)
	}
	ends, err := client.EndOffsets(ctx, topic)
	if err != nil {
		return all, fmt.Errorf("read the rows of %s: %w", topic, err)
	}
	parts := make([]loader, len(ends))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0) * 2)
	for p := range ends {
		if starts[p] >= ends[p] {
			continue
		}
		g.Go(func() error {
			l := &parts[p]
			*l = loader{c: c, table: table, partition: int32(p), frames: map[string]bool{}}
			err := client.Scan(ctx, topic, l.partition, starts[p], ends[p], l.take)
			if err = errors.Join(err, l.flush()); err != nil {
				return fmt.Errorf("read the rows of %s/%d: %w", topic, p, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return all, err
	}
	for i := range parts {
		all.records += parts[i].records
		maps.Copy(all.frames, parts[i].frames)
	}
	return all, nil
}

// loader reads one partition. As long as it has met one key frame only, it writes without looking.
type loader struct {
	c          *contents
	table      int
	partition  int32
	batch      *pebble.Batch
	key, value []byte
	frames     map[string]bool
	records    int64
}

func (l *loader) take(r *kafka.Record) error {
	l.records++
	frame, body := splitFrame(r.Key)
	if frame == nil {
		return &fault.Fault{
			Class: fault.Runtime, Cause: fault.TopicForeign, Where: fmt.Sprintf("partition %d, offset %d", l.partition, r.Offset), What: "this record was not written by capture",
			Fix: "see who else writes to this topic; delete such records with a tombstone, or the topic, and capture goes on by itself",
		}
	}
	l.key = contentsKey(l.key[:0], l.table, l.partition, body)
	if !l.frames[string(frame)] {
		if err := l.flush(); err != nil {
			return err
		}
		l.frames[string(frame)] = true
	}
	if len(l.frames) > 1 {
		return l.merge(frame, r.Value)
	}
	if l.batch == nil {
		l.batch = l.c.db.NewBatch()
	}
	var err error
	if r.Value == nil {
		err = l.batch.Delete(l.key, nil)
	} else {
		l.value = binary.BigEndian.AppendUint64(l.value[:0], xxhash.Sum64(r.Value))
		l.value = append(l.value, frame...)
		err = l.batch.Set(l.key, l.value, nil)
	}
	if err == nil && l.batch.Len() > 1<<20 {
		err = l.flush()
	}
	return err
}

// merge keeps the list of frames of a key.
func (l *loader) merge(frame, value []byte) error {
	hash, frames, err := l.c.get(l.key)
	if err != nil {
		return err
	}
	frames = slices.DeleteFunc(frames, func(f string) bool { return f == string(frame) })
	if value != nil {
		frames = append(frames, string(frame))
		hash = xxhash.Sum64(value)
	}
	if len(frames) == 0 {
		return l.c.db.Delete(l.key, pebble.NoSync)
	}
	l.value = binary.BigEndian.AppendUint64(l.value[:0], hash)
	for _, f := range frames {
		l.value = append(l.value, f...)
	}
	return l.c.db.Set(l.key, l.value, pebble.NoSync)
}

func (l *loader) flush() error {
	if l.batch == nil {
		return nil
	}
	b := l.batch
	l.batch = nil
	return b.Commit(pebble.NoSync)
}

// get finds a key; no frames if it is not there.
func (c *contents) get(key []byte) (hash uint64, frames []string, err error) {
	v, closer, err := c.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, fmt.Errorf("look up a row: %w", err)
	}
	hash, frames = parseContents(v)
	return hash, frames, closer.Close()
}

func parseContents(v []byte) (hash uint64, frames []string) {
	hash = binary.BigEndian.Uint64(v)
	for v = v[8:]; len(v) >= frameLen; v = v[frameLen:] {
		frames = append(frames, string(v[:frameLen]))
	}
	return hash, frames
}

// bodyAt is where a key's body begins in the store's key.
const bodyAt = 6

// each calls fn with every entry of a table, in the order of partitions, as they were when it was called.
func (c *contents) each(table int, fn func(partition int32, key, value []byte) error) error {
	it, err := c.db.NewIter(&pebble.IterOptions{
		LowerBound: contentsKey(nil, table, 0, nil), UpperBound: contentsKey(nil, table+1, 0, nil),
	})
	if err != nil {
		return fmt.Errorf("list what the topic holds: %w", err)
	}
	for it.First(); it.Valid(); it.Next() {
		k := it.Key()
		if err := fn(int32(binary.BigEndian.Uint32(k[2:])), k, it.Value()); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return it.Close()
}

// rest calls fn with every whole record key that is still in the store for a table.
func (c *contents) rest(table int, fn func(partition int32, key []byte) error) error {
	var key []byte
	return c.each(table, func(partition int32, k, v []byte) error {
		_, frames := parseContents(v)
		for _, f := range frames {
			key = append(append(key[:0], f...), k[bodyAt:]...)
			if err := fn(partition, key); err != nil {
				return err
			}
		}
		return nil
	})
}

// drop takes every record key of a table out that stands under another frame than keep, after calling fn with it. What also stands under keep
// stays in the store as a row that differs from whatever comes.
func (c *contents) drop(table int, keep []byte, fn func(partition int32, key []byte) error) error {
	var stale []byte
	return c.each(table, func(partition int32, k, v []byte) error {
		hash, frames := parseContents(v)
		if len(frames) == 1 && frames[0] == string(keep) {
			return nil
		}
		for _, f := range frames {
			if f == string(keep) {
				continue
			}
			stale = append(append(stale[:0], f...), k[bodyAt:]...)
			if err := fn(partition, stale); err != nil {
				return err
			}
		}
		if slices.Contains(frames, string(keep)) {
			return c.db.Set(k, append(binary.BigEndian.AppendUint64(nil, ^hash), keep...), pebble.NoSync)
		}
		return c.db.Delete(k, pebble.NoSync)
	})
}

// quiet keeps Pebble's own notes out of the log; what fails comes back as an error.
type quiet struct{}

// Infof drops a note.
func (quiet) Infof(string, ...any) {}

// Errorf drops a note.
func (quiet) Errorf(string, ...any) {}

// Fatalf is for corruption that Pebble cannot return as an error.
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

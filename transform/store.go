package transform

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"shelfstream/internal/diskspace"
	"shelfstream/internal/fault"
)

// StoreOptions sizes a store.
type StoreOptions struct {
	// CacheMB is the block cache in MiB; 0 means 96. The memtables are taken out of it, so less than 64 has few hits.
	CacheMB int
	// ReadOnly opens the state of a pipeline that is not running, to look at it.
	ReadOnly bool
	// Fatal is called when the store cannot go on, such as when a disk fails under it, and must not return; nil panics. What the store holds is then
	// as after a crash of the process: nothing is lost.
	Fatal  func(error)
	Logger *slog.Logger
}

// Store holds the state of every task in this process. It is a cache of the topics: deleting its directory while the process is stopped
// costs time only. Methods may be called by several tasks at once; each task writes its own keys only.
type Store struct {
	db   *pebble.DB
	dir  string
	room *diskspace.Guard
	// closing ends what waits for disk space inside Pebble.
	closing chan struct{}

	mu    sync.Mutex
	views map[string]uint16
}

// Memtables are taken out of the block cache (Pebble v2), so they are small and few: what is left must hold the index and filter blocks of all tables,
// or every read of a product decompresses them again.
const (
	memTableSize = 8 << 20
	memTables    = 3
)

// OpenStore opens or makes the store in dir. Only one process may have it open, unless ReadOnly.
func OpenStore(dir string, o StoreOptions) (*Store, error) {
	if o.CacheMB <= 0 {
		o.CacheMB = 96
	}
	if o.ReadOnly {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return nil, &fault.Fault{Class: fault.Environment, Cause: fault.DiskUnusable, Where: dir, What: "no state here", Fix: "name the directory of the pipeline's state in state.dir, or start the pipeline", Err: err}
		}
	}
	s := &Store{dir: dir, closing: make(chan struct{}), views: map[string]uint16{}}
	if !o.ReadOnly {
		if err := s.watchDisk(o.Logger); err != nil {
			return nil, err
		}
	}
	cache := pebble.NewCache(int64(o.CacheMB) << 20)
	defer cache.Unref()
	opts := &pebble.Options{
		Cache:                       cache,
		MemTableSize:                memTableSize,
		MemTableStopWritesThreshold: memTables,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		MaxOpenFiles:                500,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		ReadOnly:                    o.ReadOnly,
		Logger:                      quiet{o.Logger, dir, o.Fatal},
		FS:                          vfs.OnDiskFull(vfs.Default, s.holdWrites),
		// Sync in the background so that a flush does not stall on a burst of dirty pages.
		BytesPerSync:    512 << 10,
		WALBytesPerSync: 512 << 10,
	}
	opts.Levels[0].FilterPolicy = bloom.FilterPolicy(10)
	opts.Levels[0].BlockSize = 16 << 10
	for i := 1; i < len(opts.Levels); i++ {
		opts.Levels[i] = opts.Levels[0]
	}
	var err error
	if s.db, err = pebble.Open(dir, opts); err != nil {
		return nil, &fault.Fault{
			Class: fault.Environment, Cause: fault.DirectoryBusy, Where: "state.dir " + dir, What: "cannot open the state store",
			Fix: "see that no other shelfstream uses this state.dir and that the disk has space; the state is a cache, its directory may be deleted while shelfstream is stopped", Err: err,
		}
	}
	return s, nil
}

// Close flushes and closes the store; every task must have ended.
func (s *Store) Close() error {
	close(s.closing)
	return s.db.Close()
}

// keptFree is what is left free on the disk at most: Pebble writes its memtables and compactions out after a batch was committed.
const keptFree = 64 << 20

// watchDisk refuses a disk that is full already, and watches it from then on.
func (s *Store) watchDisk(log *slog.Logger) error {
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return &fault.Fault{Class: fault.Environment, Cause: fault.DiskUnusable, Where: "state.dir " + s.dir, What: "the state's directory cannot be made", Fix: "check the path and its permissions", Err: err}
	}
	var err error
	if s.room, err = diskspace.New("state.dir", s.dir, keptFree, log); err != nil {
		return &fault.Fault{Class: fault.Environment, Cause: fault.DiskUnusable, Where: "state.dir " + s.dir, What: "the state's directory cannot be looked at", Fix: "check the path and its permissions", Err: err}
	}
	if !s.room.Room(0) {
		return s.room.Fault()
	}
	return nil
}

// holdWrites is called by Pebble when a write met a full disk all the same, since others write there too. The write is repeated when it
// returns, and every other write waits for it.
func (s *Store) holdWrites() {
	if s.room != nil {
		s.room.WaitUnless(s.closing, 1) // when Close ends it the write fails again, and Pebble says so
	}
}

// full says that writing waits for room on the disk; nil while it does not.
func (s *Store) full() *fault.Fault {
	if s == nil || s.room == nil {
		return nil
	}
	return s.room.Fault()
}

// DiskBytes is how much the store uses on disk.
func (s *Store) DiskBytes() int64 { return int64(s.db.Metrics().DiskSpaceUsage()) }

// view gives a view's number in this store, a new one if it was never seen. Numbers start at 1; prefix 0 holds the names.
func (s *Store) view(name string) (uint16, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, ok := s.views[name]; ok {
		return n, nil
	}
	n, err := s.findView(name)
	if err != nil || n != 0 {
		return n, err
	}
	n = uint16(len(s.views) + 1)
	k := append(makePrefix(0, 0).key(nil, kindMeta), name...)
	if err := s.db.Set(k, binary.BigEndian.AppendUint16(nil, n), pebble.Sync); err != nil {
		return 0, fmt.Errorf("name view %s in the state store: %w", name, err)
	}
	s.views[name] = n
	return n, nil
}

// findView loads the names from disk; 0 if name is not among them. Callers hold mu.
func (s *Store) findView(name string) (uint16, error) {
	names := makePrefix(0, 0)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: names[:], UpperBound: names.end()})
	if err != nil {
		return 0, fmt.Errorf("read the views of the state store: %w", err)
	}
	for it.First(); it.Valid(); it.Next() {
		s.views[string(it.Key()[5:])] = binary.BigEndian.Uint16(it.Value())
	}
	return s.views[name], it.Close()
}

// get reads one value into dst[:0]; nil if it is not there.
func (s *Store) get(dst, key []byte) ([]byte, error) {
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state store: %w", err)
	}
	dst = append(dst[:0], v...)
	if dst == nil {
		dst = []byte{}
	}
	return dst, closer.Close()
}

// quiet sends Pebble's messages to slog: errors as errors, the rest as debug.
type quiet struct {
	log   *slog.Logger
	dir   string
	fatal func(error)
}

func (q quiet) Infof(format string, args ...any) {
	if q.log != nil {
		q.log.Debug("state store", "message", fmt.Sprintf(format, args...))
	}
}

func (q quiet) Errorf(format string, args ...any) {
	if q.log != nil {
		q.log.Error("state store", "message", fmt.Sprintf(format, args...))
	}
}

// Fatalf must not return (Pebble's contract): the store is no longer sound, and a restart rebuilds from the topics.
func (q quiet) Fatalf(format string, args ...any) {
	if q.fatal != nil {
		q.fatal(&fault.Fault{
			Class: fault.Environment, Cause: fault.DiskFailed, Where: "state.dir " + q.dir, What: "the state can no longer be written: " + fmt.Sprintf(format, args...),
			Fix: "see that its disk works and has room, then start again: nothing is lost, what the state lacks is read from the topics",
		})
	}
	panic("state store: " + fmt.Sprintf(format, args...))
}

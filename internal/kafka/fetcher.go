package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// FetchConfig says how a fetcher behaves. The zero value is a good one.
type FetchConfig struct {
	// MaxBytes is how much is fetched ahead over all partitions, as it came from the broker; 0 means 32 MiB. Batches count until they are
	// released. What is just under way comes on top, and so does one answer for a partition that is waited for while the rest is full.
	MaxBytes       int
	PartitionBytes int           // how much is fetched ahead of one partition; 0 means 2 MiB
	MaxWait        time.Duration // how long a broker holds a request when there is nothing new; 0 means 500 ms
	// ReadCommitted leaves out the records of aborted transactions, and stops before those of open ones. That is the default; setting it
	// only says that the caller counts on it.
	ReadCommitted   bool
	ReadUncommitted bool // takes all records, whatever became of their transaction
}

// Fetcher reads many partitions from given offsets, ahead of its readers. Its methods may be called by several goroutines; the batches
// of one partition come in order.
type Fetcher struct {
	c     *Client
	cfg   FetchConfig
	log   *slog.Logger
	wake  chan struct{} // capacity 1: the loop has something to look at
	ready chan struct{} // capacity 1: something was buffered
	stop  context.CancelFunc
	ended chan struct{}
	holds sync.Pool // *batchHold

	mu       sync.Mutex
	parts    map[tp]*fetchPart
	filled   []*fetchPart            // with something to poll, in the order in which Poll takes them
	todo     []*fetchPart            // to be fetched from
	flights  map[int32][]*flight     // under way, by broker, oldest first
	patience map[int32]time.Duration // by broker, see youngest
	used     int                     // bytes buffered or lent out
	hungry   int                     // Polls that wait for any partition
	news     chan struct{}           // not nil while someone waits; closed when something was buffered or removed
	asking   bool                    // a metadata lookup is under way
	closed   bool
}

// fetchPart is one partition of a fetcher.
type fetchPart struct {
	tp
	fetchAt  int64 // next offset to ask for
	readAt   int64 // next offset to hand out
	chunks   []*chunk
	bytes    int // in chunks, not yet polled
	flight   *flight
	inFilled bool
	inTodo   bool
	removed  bool // taken out, or replaced by a later Add
	dead     bool // ended by an error
	wanted   bool // someone waits for exactly this partition
	least    int  // bytes that the next batch is known to take
	empties  int  // answers in a row without data though there should be some
	attempts int
	notSoon  time.Time
	missing  time.Time
}

// errNotAdded is a poll of a partition that is not (or no longer) fetched.
var errNotAdded = errors.New("partition is not being fetched")

// NewFetcher starts a fetcher without partitions. It is to be closed.
func (c *Client) NewFetcher(cfg FetchConfig) *Fetcher {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 32 << 20
	}
	if cfg.PartitionBytes <= 0 {
		cfg.PartitionBytes = 2 << 20
	}
	if cfg.MaxWait <= 0 {
		cfg.MaxWait = 500 * time.Millisecond
	}
	cfg.ReadCommitted = !cfg.ReadUncommitted
	ctx, stop := context.WithCancel(context.Background())
	f := &Fetcher{
		c: c, cfg: cfg, log: c.log, stop: stop, wake: make(chan struct{}, 1), ready: make(chan struct{}, 1), ended: make(chan struct{}),
		parts: map[tp]*fetchPart{}, flights: map[int32][]*flight{}, patience: map[int32]time.Duration{},
	}
	go f.run(ctx)
	return f
}

// Add begins to fetch a partition at an offset. A partition that was added before begins anew there; what was fetched of it is dropped.
func (f *Fetcher) Add(topic string, partition int32, offset int64) {
	f.mu.Lock()
	k := tp{topic, partition}
	f.drop(f.parts[k])
	part := &fetchPart{tp: k, fetchAt: offset, readAt: offset, wanted: true}
	f.parts[k] = part
	f.toDo(part)
	f.tell()
	f.mu.Unlock()
	signal(f.wake)
}

// Remove stops fetching a partition. Batches of it that are still out stay valid until they are released.
func (f *Fetcher) Remove(topic string, partition int32) {
	f.mu.Lock()
	k := tp{topic, partition}
	f.drop(f.parts[k])
	delete(f.parts, k)
	f.tell()
	f.mu.Unlock()
	signal(f.wake)
}

// drop forgets a partition's state. f.mu is held.
func (f *Fetcher) drop(part *fetchPart) {
	if part == nil {
		return
	}
	part.removed = true
	for _, ch := range part.chunks {
		f.free(ch)
	}
	part.chunks, part.bytes = nil, 0
}

// toDo notes that the partition is to be fetched from. f.mu is held.
func (f *Fetcher) toDo(part *fetchPart) {
	if !part.inTodo && part.flight == nil && !part.removed && !part.dead && part.bytes <= f.cfg.PartitionBytes/2 {
		part.inTodo = true
		f.todo = append(f.todo, part)
	}
}

// tell wakes those who wait for something to be buffered. f.mu is held.
func (f *Fetcher) tell() {
	if f.news != nil {
		close(f.news)
		f.news = nil
	}
}

// Ready is signalled (its capacity is 1) whenever something was buffered. After a signal, poll until nothing is left.
func (f *Fetcher) Ready() <-chan struct{} { return f.ready }

// Poll waits for the next batch of any partition, taking the partitions in turn. The error is ctx's, or ErrClosed; what concerns one
// partition is in its batch.
func (f *Fetcher) Poll(ctx context.Context) (*Batch, error) {
	return f.wait(ctx, func() (*Batch, error) {
		for len(f.filled) > 0 {
			part := f.filled[0]
			f.filled = f.filled[1:]
			part.inFilled = false
			if b := f.take(part); b != nil {
				return b, nil
			}
		}
		return nil, nil
	}, &f.hungry)
}

// PollPartition waits for the next batch of exactly this partition. The others go on being fetched ahead within their bounds, and cannot
// keep this one from being fetched.
func (f *Fetcher) PollPartition(ctx context.Context, topic string, partition int32) (*Batch, error) {
	return f.wait(ctx, func() (*Batch, error) {
		part := f.parts[tp{topic, partition}]
		if part == nil {
			return nil, fmt.Errorf("%s/%d: %w", topic, partition, errNotAdded)
		}
		return f.takeOrWant(part), nil
	}, nil)
}

// TryPollPartition is the next batch of this partition if one is buffered, else nil.
func (f *Fetcher) TryPollPartition(topic string, partition int32) *Batch {
	f.mu.Lock()
	part := f.parts[tp{topic, partition}]
	if part == nil {
		f.mu.Unlock()
		return nil
	}
	b := f.takeOrWant(part)
	f.mu.Unlock()
	if b != nil {
		f.decode(b)
	}
	return b
}

// takeOrWant takes a batch, or notes that one is waited for, so that the partition is fetched even when the budget is used up. f.mu is held.
func (f *Fetcher) takeOrWant(part *fetchPart) *Batch {
	b := f.take(part)
	if b == nil && !part.wanted && !part.dead {
		part.wanted = true
		signal(f.wake)
	}
	return b
}

// wait repeats try, under the lock, whenever there is news.
func (f *Fetcher) wait(ctx context.Context, try func() (*Batch, error), waiting *int) (*Batch, error) {
	f.mu.Lock()
	for {
		if f.closed {
			f.mu.Unlock()
			return nil, ErrClosed
		}
		b, err := try()
		if b != nil || err != nil {
			f.mu.Unlock()
			if b != nil {
				f.decode(b)
			}
			return b, err
		}
		if f.news == nil {
			f.news = make(chan struct{})
		}
		news := f.news
		if waiting != nil {
			*waiting++
		}
		f.mu.Unlock()
		if waiting != nil {
			signal(f.wake)
		}
		select {
		case <-news:
		case <-ctx.Done():
		}
		f.mu.Lock()
		if waiting != nil {
			*waiting--
		}
		if err := ctx.Err(); err != nil {
			f.mu.Unlock()
			return nil, err
		}
	}
}

// Close stops fetching and waits for everything the fetcher started. Batches that are out stay valid.
func (f *Fetcher) Close() {
	f.mu.Lock()
	f.closed = true
	f.tell()
	f.mu.Unlock()
	f.stop()
	<-f.ended
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, part := range f.parts {
		f.drop(part)
	}
	clear(f.parts)
}

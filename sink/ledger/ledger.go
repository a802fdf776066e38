package ledger

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/sink"
)

// Config says where a sink's ledger is. Client, Sink and Topic are required.
type Config struct {
	Client      *kafka.Client
	Sink, Topic string
	Replication int
	// TopicConfigs are settings of the topic, if it has to be made.
	TopicConfigs map[string]string
	// Awaits says that somebody acknowledges deliveries: those that nobody has acknowledged yet are listed by Waiting.
	Awaits bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Topic is the name of a sink's ledger.
func Topic(pipeline, sinkName string) string { return pipeline + "." + sinkName + ".deliveries" }

// Ledger is one partition of it, owned. Its methods may be called from several goroutines at once; the entries of one key must be written by one at a time.
type Ledger struct {
	cfg      Config
	p        sink.Partition
	producer *kafka.Producer

	writing sync.Mutex // held over a write and its effect in memory, so that both have the same order
	vouched time.Time  // when vouch wrote last; guarded by writing

	mu     sync.RWMutex
	done   map[sink.KeyHash]packed // of which nothing is expected
	open   map[sink.KeyHash]Entry  // intended, or waiting for an acknowledgement
	held   map[sink.KeyHash]sink.Parked
	sorted []sink.Parked // held by offset; nil: to be made
	place  sink.Place
	seen   bool // something of it stands, or stood, in the topic
}

// Open takes the partition over. When it returns, nobody who opened it before can write any more, and everything they wrote is known. An error is worth another try; it is a
// *fault.Fault of the cause LedgerLost if what was delivered is not known any more.
func Open(ctx context.Context, cfg Config, p sink.Partition) (*Ledger, error) {
	l, err := open(ctx, cfg, p)
	if err != nil {
		return nil, err
	}
	lost, err := l.lostAt(ctx)
	if err == nil && lost >= 0 {
		err = l.lostFault(lost)
	}
	if err == nil {
		err = l.vouch(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func open(ctx context.Context, cfg Config, p sink.Partition) (_ *Ledger, err error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := cfg.ensure(ctx, p); err != nil {
		return nil, err
	}
	l := &Ledger{cfg: cfg, p: p, done: map[sink.KeyHash]packed{}, open: map[sink.KeyHash]Entry{}, held: map[sink.KeyHash]sink.Parked{}}
	l.producer, err = cfg.Client.NewProducer(ctx, kafka.ProducerConfig{
		TransactionalID: fmt.Sprintf("%s.%s.%d", cfg.Topic, p.View.Name, p.ID), MaxBytes: 8 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("open the ledger %s/%d: %w", cfg.Topic, p.ID, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if err := l.producer.Fence(ctx, map[string][]int32{cfg.Topic: {p.ID}}); err != nil {
		return nil, fmt.Errorf("shut older owners out of the ledger %s/%d: %w", cfg.Topic, p.ID, l.lost(err))
	}
	// Behind the fence nobody older writes, so what is read now is all there is.
	err = cfg.Client.Scan(ctx, cfg.Topic, p.ID, 0, -1, func(r *kafka.Record) error { return l.read(r) })
	if err != nil {
		return nil, fmt.Errorf("read the ledger %s/%d: %w", cfg.Topic, p.ID, err)
	}
	return l, nil
}

// ensure makes the topic, with as many partitions as the view's has.
func (c *Config) ensure(ctx context.Context, p sink.Partition) error {
	n, err := c.Client.Partitions(ctx, c.Topic)
	if err != nil {
		return err
	}
	if n == 0 {
		if n, err = c.Client.Partitions(ctx, p.View.Topic); err != nil {
			return err
		}
		configs := maps.Clone(c.TopicConfigs)
		if configs == nil {
			configs = map[string]string{}
		}
		configs["cleanup.policy"] = "compact"
		return c.Client.EnsureTopics(ctx, kafka.TopicSpec{Name: c.Topic, Partitions: max(n, int(p.ID)+1), Replication: c.Replication, Configs: configs})
	}
	if int(p.ID) >= n {
		return &fault.Fault{
			Class: fault.Environment, Cause: fault.KafkaPartitions, Where: "topic " + c.Topic, What: fmt.Sprintf("it has %d partitions, and %s needs one of its own", n, p),
			Fix: "let all views of the sink have as many partitions, or use another name for the sink",
		}
	}
	return nil
}

// Get is the newest entry of a key.
func (l *Ledger) Get(key []byte) (Entry, bool) {
	h := sink.HashKey(key)
	l.mu.RLock()
	defer l.mu.RUnlock()
	if e, ok := l.open[h]; ok {
		return e, true
	}
	if p, ok := l.done[h]; ok {
		return p.unpack(key), true
	}
	return Entry{}, false
}

// Pending lists what is intended and not delivered, in offset order: what a crash left.
func (l *Ledger) Pending() []Entry { return l.list(func(s State) bool { return s == Intended }) }

// Waiting lists what was delivered and nobody has acknowledged or refused, in offset order. It is empty unless Config.Awaits.
func (l *Ledger) Waiting() []Entry { return l.list(func(s State) bool { return s == Delivered }) }

func (l *Ledger) list(is func(State) bool) []Entry {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var out []Entry
	for _, e := range l.open {
		if is(e.State) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Compare(a.Offset, b.Offset) })
	return out
}

// Place is where the partition stands.
func (l *Ledger) Place() sink.Place {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.place
}

// Put writes entries. They are durable when it returns; sink.ErrLost if another owner has taken the partition over, and then none of them counts.
func (l *Ledger) Put(ctx context.Context, entries ...Entry) error {
	return l.Write(ctx, Change{Entries: entries})
}

// Move writes the partition's place.
func (l *Ledger) Move(ctx context.Context, place sink.Place) error {
	return l.Write(ctx, Change{Place: &place})
}

// Parked lists parked records with an offset above after, in offset order, at most limit of them (see sink.Retrier).
func (l *Ledger) Parked(after int64, limit int) []sink.Parked {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sorted == nil {
		l.sorted = slices.SortedFunc(maps.Values(l.held), func(a, b sink.Parked) int { return cmp.Compare(a.Offset, b.Offset) })
	}
	at, _ := slices.BinarySearchFunc(l.sorted, after+1, func(p sink.Parked, offset int64) int { return cmp.Compare(p.Offset, offset) })
	return slices.Clone(l.sorted[at:min(at+limit, len(l.sorted))])
}

// Held is how many records are parked.
func (l *Ledger) Held() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.held)
}

// IsHeld says whether a record is parked, by sink.Parked.ID.
func (l *Ledger) IsHeld(id []byte) bool {
	h := sink.HashKey(id)
	l.mu.RLock()
	defer l.mu.RUnlock()
	_, ok := l.held[h]
	return ok
}

// closeWithin bounds Close.
var closeWithin = 2 * time.Second

// Close gives the partition up; what was written stays.
func (l *Ledger) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	l.lastWord(ctx)
	// Whatever is not acknowledged by now, nobody was told to be durable.
	if err := l.producer.Close(ctx); err != nil && !errors.Is(err, kafka.ErrFenced) && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("close the ledger %s/%d: %w", l.cfg.Topic, l.p.ID, err)
	}
	return nil
}

// Rewind shuts the partition's owner out and, if to lies before its place, sets the place back to it; it returns the place before (see sink.Rewinder). What was
// delivered stays known, so a replay delivers only what is not. Where that is lost, the place is set to to wherever it was, and what lies before counts as delivered.
func Rewind(ctx context.Context, cfg Config, p sink.Partition, to int64) (sink.Place, error) {
	l, err := open(ctx, cfg, p)
	if err != nil {
		return sink.Place{}, err
	}
	lost, err := l.lostAt(ctx)
	if err != nil {
		return sink.Place{}, errors.Join(err, l.Close())
	}
	before := l.Place()
	if lost >= 0 {
		before.Next = max(lost, to)
	}
	if lost >= 0 || !before.Updated.IsZero() && to < before.Next {
		place := before
		place.Next, place.ReplayUntil = to, math.MaxInt64
		err = l.Move(ctx, place)
	}
	return before, errors.Join(err, l.Close())
}

// keep puts an entry where it belongs. l.mu is held.
func (l *Ledger) keep(h sink.KeyHash, e *Entry) {
	if e.State == Intended || l.cfg.Awaits && e.State == Delivered {
		delete(l.done, h)
		kept := *e
		kept.Key = bytes.Clone(e.Key)
		if e.State != Intended {
			kept.Temp = ""
		}
		l.open[h] = kept
		return
	}
	delete(l.open, h)
	l.done[h] = e.pack()
}

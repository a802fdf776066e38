package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/status"
)

// Config says what a Recorder does. Client and Topic are required.
type Config struct {
	Client *kafka.Client
	// Topic is Topic(pipeline); Replication 0 is the brokers' default.
	Topic       string
	Replication int
	// Worker is the process, as people know it.
	Worker string
	// Keep and KeepFailed are how many exchanges of each link are kept; 0 means 100 that went well, and 300 others.
	Keep, KeepFailed int
	// Merge is the time within which like exchanges become one; 0 means one second.
	Merge time.Duration
	// Mask hides secrets in texts; nil: there are none. Mail addresses and telephone numbers are hidden in any case.
	Mask func(string) string
	// Now is the clock; nil means time.Now.
	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// inbox is how many exchanges may wait to be merged. Merging one takes about a microsecond, so this is a burst of many stages at once, not a backlog.
const inbox = 4096

// Recorder is the Log of one process: it merges what comes within a moment, and keeps the newest in the topic.
//
// One goroutine merges, another writes; the writer waits for the brokers as long as it must, while the other goes on and forgets the oldest. So a log
// that is down costs the stages nothing, and when it is back the newest exchanges are written.
type Recorder struct {
	cfg     Config
	run     string        // names this process' keys
	refresh int64         // refreshAfter
	patient time.Duration // lastWrite; tests, which go by what the end writes, give it more
	in      chan Exchange
	wake    chan struct{} // capacity 1: there is something to write
	trouble atomic.Pointer[fault.Fault]
	metrics *metrics

	mu     sync.Mutex
	links  links
	hours  map[string]*hour // by link
	number int64            // of the newest key
	gone   map[string]bool  // keys that the topic has and that get a tombstone
}

var _ Log = (*Recorder)(nil)

// NewRecorder makes a recorder; Run writes what it takes in. The error is of metrics that are registered already.
func NewRecorder(cfg Config) (*Recorder, error) {
	if cfg.Merge <= 0 {
		cfg.Merge = time.Second
	}
	if cfg.Mask == nil {
		cfg.Mask = func(s string) string { return s }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Recorder{
		cfg: cfg, run: strconv.FormatUint(rand.Uint64(), 36), refresh: refreshAfter, patient: lastWrite, in: make(chan Exchange, inbox), wake: make(chan struct{}, 1),
		links: newLinks(cfg.Keep, cfg.KeepFailed), hours: map[string]*hour{}, gone: map[string]bool{},
	}
	var err error
	if r.metrics, err = newMetrics(cfg.Registerer, cfg.Topic); err != nil {
		return nil, fmt.Errorf("register the metrics of the exchanges: %w", err)
	}
	return r, nil
}

// Add implements Log. The exchange's slices and fault belong to the recorder from then on.
func (r *Recorder) Add(e Exchange) {
	select {
	case r.in <- e:
	default: // the stages must not wait for whoever watches them
		r.metrics.dropped.Inc()
	}
}

// Fault says why exchanges cannot be written at the moment; nil if they can.
func (r *Recorder) Fault() *fault.Fault { return r.trouble.Load() }

// Run takes exchanges in until ctx ends, then writes what is left for at most two seconds, and returns nil. A log that cannot be written shows in Fault, and is
// tried again for ever.
func (r *Recorder) Run(ctx context.Context) error {
	var wait sync.WaitGroup
	merged := make(chan struct{})
	wait.Go(func() {
		defer close(merged)
		r.merge(ctx)
	})
	r.keepWriting(ctx, merged)
	wait.Wait()
	return nil
}

// merge collects what comes in, until ctx ends and nothing is left.
func (r *Recorder) merge(ctx context.Context) {
	var m merger
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	take := func(e *Exchange) {
		r.metrics.added.Inc()
		if len(m.order) == 0 {
			timer.Reset(r.cfg.Merge)
		}
		m.add(e)
	}
	for {
		select {
		case e := <-r.in:
			take(&e)
		case <-timer.C:
			r.keep(m.take())
		case <-ctx.Done():
			for {
				select {
				case e := <-r.in:
					take(&e)
					continue
				default:
				}
				r.keep(m.take())
				return
			}
		}
	}
}

// keep puts merged exchanges on their shelves and wakes the writer.
func (r *Recorder) keep(list []*Exchange) {
	if len(list) == 0 {
		return
	}
	now := r.cfg.Now()
	for _, e := range list {
		e.Worker = r.cfg.Worker
		e.mask(r.cfg.Mask)
		value, err := json.Marshal(e)
		if err != nil { // a time before year 0 or beyond 9999: somebody's broken clock
			r.metrics.dropped.Inc()
			continue
		}
		r.mu.Lock()
		r.number++
		r.shelve(e.Link, e.Outcome, &entry{key: exchangePrefix + r.run + "/" + strconv.FormatInt(r.number, 10), at: e.At, value: value})
		h := r.hours[e.Link]
		if h == nil {
			h = &hour{}
			r.hours[e.Link] = h
		}
		h.add(now, e.Outcome, e.Count)
		r.mu.Unlock()
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// shelve keeps an entry; what had to go for it gets a tombstone if the topic has it. r.mu is held.
func (r *Recorder) shelve(link, outcome string, e *entry) {
	if gone := r.links.shelf(link, outcome).put(e); gone != nil && gone.sent {
		r.gone[gone.key] = true
	}
}

// problem shows an error.
func (r *Recorder) problem(err error) {
	f := status.TopicFault(fault.StatusUnwritable, r.cfg.Topic, "the record of exchanges cannot be written; the data goes on", "write", err)
	if old := r.trouble.Swap(f); old == nil || old.Error() != f.Error() {
		r.cfg.Logger.Warn("exchanges are not recorded", "topic", r.cfg.Topic, "error", err)
	}
}

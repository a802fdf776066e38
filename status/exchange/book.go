package exchange

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/internal/retry"
	"shelfstream/status"
)

// BookConfig says what a Book reads. Client and Topic are required; the rest is as in Config.
type BookConfig struct {
	Client           *kafka.Client
	Topic            string
	Replication      int
	Keep, KeepFailed int
	Now              func() time.Time
	Logger           *slog.Logger
}

// Book knows the last exchanges of all processes of a pipeline.
type Book struct {
	cfg     BookConfig
	news    status.News
	trouble atomic.Pointer[fault.Fault]

	mu    sync.Mutex
	links links
	index map[string]*entry
	hours map[string]map[string]*hour // link, run
}

// NewBook makes a book; Run fills it.
func NewBook(cfg BookConfig) *Book {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Book{cfg: cfg}
	b.begin()
	return b
}

// Run reads until ctx ends, and returns nil then. What keeps it from reading shows in Fault, and is tried again for ever.
func (b *Book) Run(ctx context.Context) error {
	back := retry.Backoff{Base: 200 * time.Millisecond, Max: 10 * time.Second}
	for attempt := 0; ; attempt++ {
		err := b.cfg.Client.EnsureTopics(ctx, topicSpec(b.cfg.Topic, b.cfg.Replication))
		if err == nil {
			err = b.cfg.Client.Follow(ctx, b.cfg.Topic, 0, kafka.Follower{Begin: b.begin, Record: b.record, CaughtUp: func() {
				attempt = 0
				b.trouble.Store(nil)
				b.news.Tell()
			}})
		}
		if ctx.Err() != nil {
			return nil
		}
		b.cfg.Logger.Warn("exchanges cannot be read", "topic", b.cfg.Topic, "error", err)
		b.trouble.Store(status.TopicFault(fault.StatusUnreadable, b.cfg.Topic, "the record of exchanges cannot be read; the data goes on", "read", err))
		if back.Wait(ctx, attempt) != nil {
			return nil
		}
	}
}

// Fault says why the topic cannot be read at the moment; nil if it can.
func (b *Book) Fault() *fault.Fault { return b.trouble.Load() }

// Changed is closed when there is something new. Take it before reading.
func (b *Book) Changed() <-chan struct{} { return b.news.Changed() }

func (b *Book) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.links, b.index, b.hours = newLinks(b.cfg.Keep, b.cfg.KeepFailed), map[string]*entry{}, map[string]map[string]*hour{}
}

func (b *Book) record(rec *kafka.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := string(rec.Key)
	if run, link, ok := hourLink(key); ok {
		b.count(run, link, rec.Value)
		return
	}
	if !isExchange(key) {
		return
	}
	old := b.index[key]
	switch {
	case rec.Value == nil && old != nil:
		delete(b.index, key)
		b.links.shelf(old.exchange.Link, old.exchange.Outcome).take(old)
		return
	case rec.Value == nil || old != nil: // gone already, or written again to stay in the topic
		return
	}
	e := &entry{key: key}
	if json.Unmarshal(rec.Value, &e.exchange) != nil {
		return // nobody can show it; the next recorder that starts removes it
	}
	e.at = e.exchange.At
	b.index[key] = e
	if gone := b.links.shelf(e.exchange.Link, e.exchange.Outcome).put(e); gone != nil {
		delete(b.index, gone.key)
	}
}

// count takes the counts of one run and link. b.mu is held.
func (b *Book) count(run, link string, value []byte) {
	h, err := decodeHour(value)
	if value == nil || err != nil {
		delete(b.hours[link], run)
		return
	}
	if b.hours[link] == nil {
		b.hours[link] = map[string]*hour{}
	}
	b.hours[link][run] = h
}

// Summary is how a link does.
type Summary struct {
	Link      string `json:"link"`
	Direction string `json:"direction"`
	// Last, LastOK and LastFailed are the newest exchange at all, the newest that went well, and the newest that did not (failed or parked something); nil: none.
	Last       *Exchange `json:"last,omitempty"`
	LastOK     *Exchange `json:"last_ok,omitempty"`
	LastFailed *Exchange `json:"last_failed,omitempty"`
	// OK and Failed count the exchanges of the last hour, over all processes; Failed those too that parked something.
	OK     int64 `json:"ok"`
	Failed int64 `json:"failed"`
}

// Links sums up every link, by name.
func (b *Book) Links() []Summary {
	now := b.cfg.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Summary
	for _, name := range slices.Sorted(maps.Keys(b.links.all)) {
		k := b.links.all[name]
		s := Summary{Link: name, LastOK: shown(k.ok.last()), LastFailed: shown(k.bad.last())}
		s.Last = s.LastOK
		if s.Last == nil || s.LastFailed != nil && s.LastFailed.At.After(s.Last.At) {
			s.Last = s.LastFailed
		}
		if s.Last == nil {
			continue
		}
		s.Direction = s.Last.Direction
		for _, h := range b.hours[name] {
			ok, failed := h.sum(now)
			s.OK += ok
			s.Failed += failed
		}
		out = append(out, s)
	}
	return out
}

func shown(e *entry) *Exchange {
	if e == nil {
		return nil
	}
	x := e.exchange
	return &x
}

// Last gives the newest n exchanges of a link, newest first; with failedOnly those that failed or parked something. n <= 0 gives all there are.
func (b *Book) Last(link string, n int, failedOnly bool) []Exchange {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.links.all[link]
	if k == nil {
		return nil
	}
	var out []Exchange
	for _, e := range k.bad.list {
		out = append(out, e.exchange)
	}
	if !failedOnly {
		for _, e := range k.ok.list {
			out = append(out, e.exchange)
		}
	}
	slices.SortStableFunc(out, func(x, y Exchange) int { return y.At.Compare(x.At) })
	if n > 0 && len(out) > n {
		out = out[:n]
	}
	return out
}

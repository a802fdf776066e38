package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	kgo "github.com/segmentio/kafka-go"
)

const (
	// fetchFlights is how many requests may wait at one broker, each for other partitions. A partition that was just added, or has room
	// again, gets a request of its own at once instead of waiting for the others' long poll to end.
	fetchFlights = 4
	// youngest is the least age at which a waiting request is given up for one with more partitions. The broker keeps the old one until
	// its MaxWait is over, so this bounds how many such there can be. It doubles with each until an answer arrives, so that a broker far
	// away is not given up for ever before it can answer.
	youngest = 5 * time.Millisecond
	// answerBytes bounds what one request asks for.
	answerBytes = 8 << 20
)

// flight is one fetch request under way.
type flight struct {
	node    int32
	addr    string
	parts   []*fetchPart
	wants   []wantedPart
	bytes   int
	since   time.Time
	cancel  context.CancelFunc
	givenUp bool        // its answer, if any, counts for nothing
	arrives atomic.Bool // its answer has begun
}

// run keeps requests under way until ctx ends, and waits for all it started.
func (f *Fetcher) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer close(f.ended)
	defer wg.Wait()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(f.schedule(ctx, &wg))
		select {
		case <-f.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// schedule sends requests for what is to be fetched, and returns when to look again if nothing happens until then.
func (f *Fetcher) schedule(ctx context.Context, wg *sync.WaitGroup) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	again := time.Hour
	now := time.Now()
	byNode := map[int32]*flight{}
	var keep []*fetchPart
	var unknown []string
	for _, part := range f.todo {
		if part.removed || part.dead {
			part.inTodo = false
			continue
		}
		if wait := part.notSoon.Sub(now); wait > 0 {
			again = min(again, wait)
			keep = append(keep, part)
			continue
		}
		if f.used >= f.cfg.MaxBytes && !part.wanted && (f.hungry == 0 || len(f.filled) > 0) {
			keep = append(keep, part) // until something is released
			continue
		}
		node, addr, ok := f.c.meta.leader(part.topic, part.partition)
		if !ok {
			unknown = append(unknown, part.topic)
			keep = append(keep, part)
			continue
		}
		fl := byNode[node]
		if fl == nil {
			fl = &flight{node: node, addr: addr, since: now}
			byNode[node] = fl
		}
		fl.parts = append(fl.parts, part)
	}
	f.todo = append(f.todo[:0], keep...)
	for node, fl := range byNode {
		if old := f.flights[node]; len(old) >= fetchFlights {
			patience := max(f.patience[node], youngest)
			i := slices.IndexFunc(old, func(fl *flight) bool { return !fl.arrives.Load() })
			if i < 0 || now.Sub(old[i].since) < patience {
				again = min(again, patience) // or when one of them has landed
				f.todo = append(f.todo, fl.parts...)
				continue
			}
			f.patience[node] = 2 * patience
			fl.parts = append(fl.parts, f.giveUp(old[i])...)
		}
		f.launch(ctx, wg, fl)
	}
	if len(unknown) > 0 && !f.asking {
		f.asking = true
		wg.Go(func() { f.lookUp(ctx, unknown) })
	}
	return again
}

// giveUp takes the partitions back from a request that waits. f.mu is held.
func (f *Fetcher) giveUp(fl *flight) []*fetchPart {
	fl.givenUp = true
	fl.cancel()
	f.landed(fl)
	var live []*fetchPart
	for _, part := range fl.parts {
		part.flight = nil
		if !part.removed && !part.dead {
			live = append(live, part)
		}
	}
	return live
}

// landed takes a flight off the list. f.mu is held.
func (f *Fetcher) landed(fl *flight) {
	if i := slices.Index(f.flights[fl.node], fl); i >= 0 {
		f.flights[fl.node] = slices.Delete(f.flights[fl.node], i, i+1)
	}
}

// launch sends one request. f.mu is held.
func (f *Fetcher) launch(ctx context.Context, wg *sync.WaitGroup, fl *flight) {
	half := f.cfg.PartitionBytes / 2
	fl.bytes = min(max(f.cfg.MaxBytes-f.used, half), max(min(answerBytes, f.cfg.MaxBytes), half))
	fl.wants = make([]wantedPart, len(fl.parts))
	for i, part := range fl.parts {
		part.inTodo, part.flight = false, fl
		fl.wants[i] = wantedPart{part.tp, part.fetchAt, max(half, part.least)}
		fl.bytes = max(fl.bytes, part.least)
	}
	ctx, fl.cancel = context.WithCancel(ctx)
	f.flights[fl.node] = append(f.flights[fl.node], fl)
	wg.Go(func() { f.fly(ctx, fl) })
}

// fly performs one request and takes in its answer.
func (f *Fetcher) fly(ctx context.Context, fl *flight) {
	defer fl.cancel()
	got, err := f.c.fetch(ctx, fl.addr, fl.wants, fl.bytes, f.cfg.MaxWait, f.cfg.ReadCommitted, &fl.arrives)
	failed := make(map[tp]error)
	var stale []string
	fail := func(k tp, err error) {
		failed[k] = err
		if transient(err) {
			stale = append(stale, k.topic)
		}
	}
	if err != nil {
		if ctx.Err() == nil {
			f.c.metrics.fetchRetries.Inc()
		}
		for _, w := range fl.wants {
			fail(w.tp, err)
		}
	}
	answered := make(map[tp]*fetched, len(got))
	total := 0
	for i := range got {
		g := &got[i]
		answered[g.tp] = g
		total += len(g.set)
		if g.code != 0 {
			fail(g.tp, code(g.code))
		}
	}
	for _, w := range fl.wants {
		if failed[w.tp] == nil && answered[w.tp] == nil {
			fail(w.tp, fmt.Errorf("%s/%d is not in the answer: %w", w.topic, w.partition, kgo.NetworkException))
		}
		if errors.Is(failed[w.tp], kgo.OffsetOutOfRange) && ctx.Err() == nil {
			failed[w.tp] = f.outOfRange(ctx, w)
		}
	}
	if len(stale) > 0 && ctx.Err() == nil {
		_ = f.c.refresh(ctx, stale...) // if this fails, the next attempt fails too and asks again
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl.givenUp || ctx.Err() != nil {
		for _, part := range fl.parts {
			if part.flight == fl {
				part.flight = nil
			}
		}
		f.landed(fl)
		return
	}
	f.landed(fl)
	delete(f.patience, fl.node)
	news := false
	for i, part := range fl.parts {
		part.flight = nil
		g := answered[part.tp]
		switch {
		case part.removed:
			if g != nil && g.set != nil {
				f.c.pool.put(g.set)
			}
		case failed[part.tp] != nil:
			news = f.trouble(part, fl.node, failed[part.tp]) || news
		default:
			news = f.store(part, &fl.wants[i], g, total) || news
		}
		f.toDo(part)
	}
	if news {
		f.tell()
		signal(f.ready)
	}
	signal(f.wake)
}

// outOfRange finds out what the log holds where a broker said that an offset is not there. The error is transient if it is there after all.
func (f *Fetcher) outOfRange(ctx context.Context, w wantedPart) error {
	start, err := f.c.StartOffset(ctx, w.topic, w.partition)
	if err != nil {
		return err
	}
	end, err := f.c.EndOffset(ctx, w.topic, w.partition)
	if err != nil {
		return err
	}
	if start <= w.offset && w.offset <= end {
		return kgo.OffsetNotAvailable
	}
	return &OffsetOutOfRangeError{Topic: w.topic, Partition: w.partition, Offset: w.offset, Start: start, End: end}
}

// trouble waits a while with a partition that failed at the broker node (-1: before any was asked), or ends it if waiting will not help.
// f.mu is held.
func (f *Fetcher) trouble(part *fetchPart, node int32, err error) (news bool) {
	now := time.Now()
	if errors.Is(err, kgo.UnknownTopicOrPartition) {
		if part.missing.IsZero() {
			part.missing = now
		}
		if now.Sub(part.missing) >= missingFor {
			f.end(part, faultFor(fmt.Sprintf("%s/%d", part.topic, part.partition), err))
			return true
		}
	} else if !transient(err) {
		var oor *OffsetOutOfRangeError
		if !errors.As(err, &oor) {
			err = faultFor(fmt.Sprintf("fetch %s/%d", part.topic, part.partition), err)
		}
		f.end(part, err)
		return true
	}
	if leader, _, ok := f.c.meta.leader(part.topic, part.partition); !ok || leader == node { // a new leader is asked at once
		part.notSoon = now.Add(f.c.backoff.Delay(part.attempts))
	}
	if part.attempts++; part.attempts == 5 {
		f.log.Warn("kafka: fetch is being retried", "topic", part.topic, "partition", part.partition, "error", err)
	}
	return false
}

// end puts an error where the partition's next batch would be. f.mu is held.
func (f *Fetcher) end(part *fetchPart, err error) {
	part.dead = true
	f.fill(part, &chunk{err: err})
}

// lookUp asks for the leaders of topics that are not known.
func (f *Fetcher) lookUp(ctx context.Context, topics []string) {
	err := f.c.refresh(ctx, topics...)
	f.mu.Lock()
	f.asking = false
	news := false
	for _, part := range slices.Clone(f.todo) {
		if _, _, ok := f.c.meta.leader(part.topic, part.partition); ok || part.removed {
			continue
		}
		why := err
		if why == nil {
			why = errNoLeader
			if int(part.partition) >= f.c.meta.partitions(part.topic) {
				why = kgo.UnknownTopicOrPartition
			}
		}
		news = f.trouble(part, -1, why) || news
	}
	if news {
		f.tell()
		signal(f.ready)
	}
	f.mu.Unlock()
	signal(f.wake)
}

package transform

import (
	"math/bits"
	"slices"
	"sync"
	"time"

	"shelfstream/schemas"
)

// Where a view may stop and evaluate.
//
// A view of raw topics goes to the newest checkpoint of each of its sources. A view that reads another view needs more: that view's
// tasks evaluate each at their own pace, and only where all of them stood at the same checkpoint of the source do their topics together hold
// whole transactions. So every task whose view is read by another one announces, after each evaluation, at which checkpoint of each source it stood (its cut)
// and how far its partition of the cleaned topic was then. A reader goes to the newest cut that all tasks have announced.
//
// Tasks under load skip checkpoints, each others. So that they meet all the same, a task that may choose among several goes to the one whose
// offset is divisible by the highest power of two. No task passes a multiple of 2^k except for a multiple of a higher power, so while
// none is more than 2^k checkpoints behind, all of them stop at each multiple of 2^k; and where the input rests, all stop at the newest.

// remembered is how many checkpoints of each writer are kept to find a common one among.
const remembered = 1024

// tearAfter is how long a view of several sources waits for its upstream tasks to meet. Under load in two sources at once the pairs of
// checkpoints may never coincide, and a view that waited for that would wait for ever. Torn to the newest of each task it may show part of a transaction, until
// the tasks have announced what comes next.
const tearAfter = 2 * time.Second

// stream is a topic of checkpoints that a view follows.
type stream struct {
	topic string
	// writers is 1 for a source; for a view it is how many tasks it has.
	writers int
	// view is set for the topic in which a view's tasks announce their cuts.
	view bool
}

// writer is one writer of a stream.
type writer struct {
	topic string
	n     int
}

// known is a checkpoint that a writer has written.
type known struct {
	cut        cut
	checkpoint *schemas.Checkpoint
}

// frontier is what a view knows of the checkpoints it may go to. One goroutine (follow) writes it, the tasks read it.
type frontier struct {
	streams []stream
	writers []writer
	// common: some stream is a view's, so only a cut that all writers share will do.
	common bool
	// remember is how many checkpoints of each writer are kept: one will do where every task goes to the newest.
	remember int
	// onTear is called, if it is set, when the view goes on without a common cut.
	onTear func()

	mu      sync.Mutex
	offset  map[string]int64   // of the newest record taken, by topic
	history map[writer][]known // in the order of the log
	targets []*target          // common cuts, in order; for common frontiers only
	changed chan struct{}      // closed and replaced at each change
	tear    *time.Timer
	err     error
}

func newFrontier(streams ...stream) *frontier {
	f := &frontier{streams: streams, remember: remembered, offset: map[string]int64{}, history: map[writer][]known{}, changed: make(chan struct{})}
	for _, s := range streams {
		f.common = f.common || s.view
		for n := range s.writers {
			f.writers = append(f.writers, writer{s.topic, n})
		}
	}
	return f
}

// next gives the target to go to from done (nil: from nothing), and a channel that closes when there may be another one; nil until every
// stream has a checkpoint. aligned picks, among those between, the one at which the tasks of other workers stop too; otherwise it is the newest.
func (f *frontier) next(done *target, aligned bool) (*target, <-chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.changed, f.err
	}
	if f.common {
		if len(f.targets) == 0 {
			return nil, f.changed, nil
		}
		at := len(f.targets) - 1
		if aligned && done != nil {
			at = alignedAt(f.targets, done.cut[0].offset, func(t *target) cut { return t.cut })
		}
		return f.targets[at], f.changed, nil
	}
	var c cut
	var checkpoints []*schemas.Checkpoint
	for _, w := range f.writers {
		h := f.history[w]
		if len(h) == 0 {
			return nil, f.changed, nil
		}
		at := len(h) - 1
		if aligned && done != nil {
			if after, ok := done.cut.at(w.topic); ok {
				at = alignedAt(h, after, func(k known) cut { return k.cut })
			}
		}
		c = c.join(h[at].cut)
		checkpoints = append(checkpoints, h[at].checkpoint)
	}
	return makeTarget(c, checkpoints), f.changed, nil
}

// newest is the newest target, nil if there is none.
func (f *frontier) newest() *target {
	t, _, err := f.next(nil, false)
	if err != nil {
		return nil
	}
	return t
}

// alignedAt is the index of the one behind after whose first offset is divisible by the highest power of two; the newest if none is behind it.
func alignedAt[T any](all []T, after int64, of func(T) cut) int {
	best, rank := len(all)-1, -1
	for i, x := range slices.Backward(all) {
		offset := of(x)[0].offset
		if offset <= after {
			break
		}
		if r := bits.TrailingZeros64(uint64(offset)); r > rank {
			best, rank = i, r
		}
	}
	return best
}

// add takes a record of a stream. Records at or below one taken before are left: follow and refresh may bring the same one.
func (f *frontier) add(w writer, offset int64, k known) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if last, ok := f.offset[w.topic]; ok && offset <= last {
		return
	}
	f.offset[w.topic] = offset
	h := f.history[w]
	if n := len(h); n > 0 && h[n-1].cut.compare(k.cut) == 0 {
		h[n-1] = k // evaluated once more at the same cut, since its time had come
	} else {
		h = append(bounded(h, f.remember), k)
	}
	f.history[w] = h
	if f.common && !f.meet(w, k) {
		return
	}
	f.tell()
}

// bounded makes room for one more among at most limit: the oldest go, several at a time.
func bounded[T any](all []T, limit int) []T {
	if len(all) < limit {
		return all
	}
	return slices.Delete(all, 0, max(1, limit/4))
}

// meet looks for a cut that every writer shares with the newest checkpoint of w. Callers hold mu.
func (f *frontier) meet(w writer, newest known) bool {
	chosen := map[writer]known{w: newest}
	c := newest.cut
	for _, other := range f.writers {
		if other == w {
			continue
		}
		k, ok := agreeing(f.history[other], c)
		if !ok {
			f.waitToTear()
			return false
		}
		chosen[other], c = k, c.join(k.cut)
	}
	return f.reach(c, chosen)
}

// agreeing finds the newest of a writer's checkpoints that agrees with a cut.
func agreeing(h []known, c cut) (known, bool) {
	for _, k := range slices.Backward(h) {
		switch k.cut.compare(c) {
		case 0:
			return k, true
		case -1:
			return known{}, false
		}
	}
	return known{}, false
}

// reach adds a target unless it lies behind one that is known. Callers hold mu.
func (f *frontier) reach(c cut, chosen map[writer]known) bool {
	n := len(f.targets)
	if n > 0 && c.compare(f.targets[n-1].cut) < 0 {
		return false
	}
	var checkpoints []*schemas.Checkpoint
	for _, s := range f.streams {
		merged := chosen[writer{s.topic, 0}].checkpoint
		for i := 1; i < s.writers; i++ {
			merged = mergeCheckpoints(merged, chosen[writer{s.topic, i}].checkpoint)
		}
		checkpoints = append(checkpoints, merged)
	}
	f.targets = append(bounded(f.targets, f.remember), makeTarget(c, checkpoints))
	if f.tear != nil {
		f.tear.Stop()
		f.tear = nil
	}
	return true
}

// mergeCheckpoints puts what two tasks of a view announced into one: each partition's offset is in one of them, and 0 in the other.
func mergeCheckpoints(a, b *schemas.Checkpoint) *schemas.Checkpoint {
	out := *a
	if b.CommitTimeUS > a.CommitTimeUS {
		out.CommitTimeUS, out.Position = b.CommitTimeUS, b.Position
	}
	out.WrittenUS = min(a.WrittenUS, b.WrittenUS)
	out.Heartbeat = a.Heartbeat && b.Heartbeat
	out.Topics = nil
	for _, t := range a.Topics {
		t.Next = slices.Clone(t.Next)
		if o := b.Topic(t.Topic); o != nil {
			for i := range min(len(t.Next), len(o.Next)) {
				t.Next[i] = max(t.Next[i], o.Next[i])
			}
		}
		out.Topics = append(out.Topics, t)
	}
	return &out
}

// waitToTear makes a view of several sources go on after a while without a common cut. Callers hold mu.
func (f *frontier) waitToTear() {
	if _, c := f.newestOfEach(); f.tear != nil || len(c) < 2 {
		return
	}
	f.tear = time.AfterFunc(tearAfter, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.tear = nil
		if chosen, c := f.newestOfEach(); f.reach(c, chosen) {
			if f.onTear != nil {
				f.onTear()
			}
			f.tell()
		}
	})
}

// newestOfEach gives every writer's newest checkpoint, and the cut that is behind none of them; no cut while a writer has none. Callers hold mu.
func (f *frontier) newestOfEach() (chosen map[writer]known, c cut) {
	chosen = map[writer]known{}
	for _, w := range f.writers {
		h := f.history[w]
		if len(h) == 0 {
			return nil, nil
		}
		chosen[w] = h[len(h)-1]
		c = behind(c, chosen[w].cut)
	}
	return chosen, c
}

// behind joins two cuts, taking the lower offset where both name a topic.
func behind(a, b cut) cut {
	out := a.join(b)
	for i := range out {
		if o, ok := b.at(out[i].topic); ok {
			out[i].offset = min(out[i].offset, o)
		}
	}
	return out
}

// forget makes the next checkpoint of a topic count wherever it stands: the topic begins anew.
func (f *frontier) forget(topic string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.offset, topic)
	for _, w := range f.writers {
		if w.topic == topic {
			delete(f.history, w)
		}
	}
	f.targets = nil
}

func (f *frontier) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
		f.tell()
	}
}

// close ends the timer that may be running.
func (f *frontier) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tear != nil {
		f.tear.Stop()
	}
}

// tell wakes who waits for a change. Callers hold mu.
func (f *frontier) tell() {
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *frontier) reached(topic string) (int64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, ok := f.offset[topic]
	return o, ok
}

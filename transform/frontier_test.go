package transform

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// announced makes what a task of a view announces: its cut, and the end of its own partition.
func announced(c cut, writers, n int, end int64) known {
	next := make([]int64, writers)
	next[n] = end
	return known{cut: c, checkpoint: &schemas.Checkpoint{
		CommitTimeUS: c[0].offset + 1, WrittenUS: 1, Position: fmt.Sprint(c[0].offset), Topics: []schemas.CheckpointTopic{{Table: "v", Topic: "t.v", Next: next}},
	}}
}

func sourceAt(offset int64) known {
	return known{cut: cut{{"src", offset}}, checkpoint: &schemas.Checkpoint{CommitTimeUS: offset + 1, WrittenUS: 1, Position: fmt.Sprint(offset)}}
}

// pace is a task of the view below, reduced to what the alignment is about: it learns of checkpoints and goes to one of them.
type pace struct {
	frontier *frontier
	learnt   int64
	done     *target
	end      int64
	ends     map[int64]int64 // by the cut's offset: the end of its partition as it last announced it there
}

func (p *pace) learn(to int64) {
	for ; p.learnt < to; p.learnt++ {
		p.frontier.add(writer{"src", 0}, p.learnt, sourceAt(p.learnt))
	}
}

func (p *pace) at() int64 { return p.done.cut[0].offset }

// TestTasksMeetAtCommonCuts: tasks go through a source's checkpoints at their own pace and skip most. The reader's target is always a checkpoint
// that all of them announced, with the ends that they announced there; it never goes back; and while nobody is more than 2^k checkpoints behind the
// source, it reaches every multiple of 2^k that all of them have passed.
func TestTasksMeetAtCommonCuts(t *testing.T) {
	const tasks, apart, checkpoints = 5, 16, 600
	stream := stream{"t.v.checkpoints", tasks, true}
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 11))
		reader := newFrontier(stream)
		var all []*pace
		for range tasks {
			all = append(all, &pace{frontier: newFrontier(newStream("src")), ends: map[int64]int64{}})
		}
		offset, last := int64(0), int64(-1)
		slowest := func() int64 {
			out := int64(checkpoints)
			for _, p := range all {
				if p.done == nil {
					return 0
				}
				out = min(out, p.at())
			}
			return out
		}
		step := func(i int) {
			p := all[i]
			tgt, _, err := p.frontier.next(p.done, true)
			check(t, err)
			if tgt == nil || p.done != nil && tgt.cut[0] == p.done.cut[0] && rnd.IntN(8) > 0 {
				return
			}
			p.done = tgt // now and then at the same cut again: its time had come
			p.end += rnd.Int64N(3)
			p.ends[p.at()] = p.end
			reader.add(writer{stream.topic, i}, offset, announced(tgt.cut, tasks, i, p.end))
			offset++
			have := reader.newest()
			if have == nil {
				return
			}
			at := have.cut[0].offset
			if at < last {
				t.Fatalf("seed %d: the target went back from %d to %d", seed, last, at)
			}
			last = at
			for n, o := range all {
				end, there := o.ends[at]
				if next, _ := have.next("t.v", int32(n)); !there || next != end {
					t.Fatalf("seed %d: at cut %d, task %d announced %d (%v), and the target says %d", seed, at, n, end, there, next)
				}
			}
			if common := slowest() / apart * apart; at < common {
				t.Fatalf("seed %d: all tasks are past checkpoint %d, and the target is still at %d", seed, common, at)
			}
		}
		for _, p := range all {
			p.learn(1)
		}
		for i := range all {
			step(i)
		}
		for slowest() < checkpoints-1 {
			i := rnd.IntN(tasks)
			all[i].learn(min(checkpoints, slowest()+apart+1, all[i].learnt+rnd.Int64N(2*apart)))
			step(i)
		}
		if last != checkpoints-1 {
			t.Fatalf("seed %d: the source rests at %d, and the target is %d", seed, checkpoints-1, last)
		}
	}
}

func newStream(topic string) stream { return stream{topic: topic, writers: 1} }

// TestAlignedTargets: a view over a view chooses among common cuts as a view of a source does among checkpoints.
func TestAlignedTargets(t *testing.T) {
	f := newFrontier(stream{"t.v.checkpoints", 1, true})
	add := func(at int64) { f.add(writer{"t.v.checkpoints", 0}, at, announced(cut{{"src", at}}, 1, 0, at)) }
	next := func(done *target, aligned bool) int64 {
		t.Helper()
		tgt, _, err := f.next(done, aligned)
		check(t, err)
		return tgt.cut[0].offset
	}
	add(5)
	done := f.newest()
	for at := int64(6); at <= 13; at++ {
		add(at)
	}
	if got := next(done, true); got != 8 {
		t.Errorf("from 5 up to 13: %d, want 8", got)
	}
	if got := next(done, false); got != 13 {
		t.Errorf("nobody reads this view, so it may go to the newest: %d", got)
	}
	if got := next(nil, true); got != 13 {
		t.Errorf("the first target is the newest: %d", got)
	}
	done = f.newest()
	f.add(writer{"t.v.checkpoints", 0}, 14, announced(cut{{"src", 13}}, 1, 0, 99))
	tgt, _, err := f.next(done, true)
	check(t, err)
	if end, _ := tgt.next("t.v", 0); tgt == done || end != 99 {
		t.Errorf("announced once more at the same cut, as its time had come: end %d", end)
	}
}

// TestTargetNeverGoesBack: an owner that goes by less than the one before does not take the readers with it.
func TestTargetNeverGoesBack(t *testing.T) {
	f := newFrontier(stream{"t.v.checkpoints", 2, true})
	for i, at := range []int64{5, 5, 3, 3} {
		f.add(writer{"t.v.checkpoints", i % 2}, int64(i), announced(cut{{"src", at}}, 2, i%2, at))
	}
	if at := f.newest().cut[0].offset; at != 5 || len(f.targets) != 1 {
		t.Errorf("the target is %d, after %d targets", at, len(f.targets))
	}
	f.add(writer{"t.v.checkpoints", 0}, 1, announced(cut{{"src", 9}}, 2, 0, 9))
	f.add(writer{"t.v.checkpoints", 1}, 1, announced(cut{{"src", 9}}, 2, 1, 9))
	if at := f.newest().cut[0].offset; at != 5 {
		t.Errorf("records that were taken before count again: %d", at)
	}
	f.forget("t.v.checkpoints")
	if f.newest() != nil {
		t.Error("a topic that begins anew still has a target")
	}
}

// TestSeveralSourcesTear: tasks that go by the checkpoints of two sources may never stop at the same pair. After a while the reader goes on with the
// newest of each, and says so; with one source it waits for ever, as there every step is a transaction's.
func TestSeveralSourcesTear(t *testing.T) {
	for _, both := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f := newFrontier(stream{"t.v.checkpoints", 2, true})
			torn := 0
			f.onTear = func() { torn++ }
			defer f.close()
			pair := func(a, b int64) cut {
				if !both {
					return cut{{"a", a}}
				}
				return cut{{"a", a}, {"b", b}}
			}
			offset := int64(0)
			add := func(n int, c cut, end int64) {
				f.add(writer{"t.v.checkpoints", n}, offset, announced(c, 2, n, end))
				offset++
			}
			_, changed, err := f.next(nil, false)
			check(t, err)
			add(0, pair(5, 5), 50)
			<-time.After(2 * tearAfter)
			synctest.Wait()
			if f.newest() != nil {
				t.Error("a target though one task has announced nothing")
			}
			add(1, pair(6, 4), 60)
			<-time.After(tearAfter / 2)
			add(1, pair(7, 4), 70)
			if f.newest() != nil {
				t.Error("torn too soon")
			}
			<-time.After(tearAfter)
			synctest.Wait()
			tgt := f.newest()
			if !both {
				if tgt != nil {
					t.Errorf("torn to %v, with one source", tgt.cut)
				}
				return
			}
			if tgt == nil {
				t.Fatal("it waits for ever")
			}
			first, _ := tgt.next("t.v", 0)
			second, _ := tgt.next("t.v", 1)
			if tgt.cut.String() != "a@5,b@4" || first != 50 || second != 70 || torn != 1 {
				t.Errorf("cut %v, ends %d and %d, torn %d times", tgt.cut, first, second, torn)
			}
			select {
			case <-changed:
			default:
				t.Error("nobody was told")
			}
			// They meet again: no timer is left.
			add(0, pair(8, 8), 80)
			add(1, pair(8, 8), 81)
			add(0, pair(9, 9), 90)
			add(1, pair(9, 9), 91)
			<-time.After(2 * tearAfter)
			synctest.Wait()
			if tgt = f.newest(); tgt.cut.String() != "a@9,b@9" || torn != 1 {
				t.Errorf("cut %v, torn %d times", tgt.cut, torn)
			}
		})
	}
}

// TestWriterIsForgottenInTime: a task that announces much more than the others meet is remembered for long enough, and not without end.
func TestHistoryIsBounded(t *testing.T) {
	f := newFrontier(stream{"t.v.checkpoints", 2, true})
	const n = 5 * remembered
	for at := range int64(n) {
		f.add(writer{"t.v.checkpoints", 0}, at, announced(cut{{"src", at}}, 2, 0, at))
	}
	if have := len(f.history[writer{"t.v.checkpoints", 0}]); have > remembered {
		t.Errorf("%d announcements are remembered", have)
	}
	f.add(writer{"t.v.checkpoints", 1}, n, announced(cut{{"src", n - remembered/2}}, 2, 1, 1))
	if f.newest() == nil {
		t.Errorf("a task that is %d checkpoints behind is not met", remembered/2)
	}
	for at := range int64(n) {
		f.add(writer{"t.v.checkpoints", int(at % 2)}, 2*n+at, announced(cut{{"src", n + at/2}}, 2, int(at%2), at))
	}
	if have := len(f.targets); have > remembered {
		t.Errorf("%d targets are remembered", have)
	}
}

// announcements is a topic in which a test announces in the place of tasks.
type announcements struct {
	*lab
	topic string
	next  [labPartitions]int64
}

func (l *lab) announcements(configs map[string]string) *announcements {
	l.t.Helper()
	check(l.t, l.client.EnsureTopics(l.t.Context(), kafka.TopicSpec{Name: "t.v.checkpoints", Partitions: 1, Configs: configs}))
	return &announcements{lab: l, topic: "t.v.checkpoints"}
}

func (a *announcements) put(n int, at int64) {
	a.t.Helper()
	a.next[n]++
	k := announced(cut{{"src", at}}, labPartitions, n, a.next[n])
	check(a.t, a.producer.Produce(a.t.Context(), a.topic, 0, kafka.Record{
		Key: fmt.Append(nil, n), Value: k.checkpoint.Append(schemas.AppendFrame(nil, 1)), TimestampMS: 1, Headers: []kafka.Header{{Key: headerCut, Value: []byte(k.cut.String())}},
	}))
}

// caughtUp is where a reader stands that starts now; -1: nowhere yet.
func (a *announcements) caughtUp() int64 {
	a.t.Helper()
	check(a.t, a.producer.Flush(a.t.Context()))
	s := stream{a.topic, labPartitions, true}
	f := newFrontier(s)
	defer f.close()
	end, err := f.catchUp(a.t.Context(), a.client, s)
	check(a.t, err)
	if want, err := a.client.EndOffset(a.t.Context(), a.topic, 0); err != nil || end != want {
		a.t.Errorf("goes on at %d, the end is %d (%v)", end, want, err)
	}
	if f.newest() == nil {
		return -1
	}
	return f.newest().cut[0].offset
}

// TestCatchUpReadsBackFarEnough: the newest common cut may lie a long way back, where one task was the last to announce it.
func TestCatchUpReadsBackFarEnough(t *testing.T) {
	for _, apart := range []int64{0, 1, 100, 127, 128, 129, 900} {
		l := newLab(t).announcements(nil)
		for at := range int64(30) {
			l.put(0, at)
			l.put(1, at)
		}
		for at := range apart {
			l.put(0, 30+at)
		}
		if at := l.caughtUp(); at != 29 {
			t.Errorf("one task is %d announcements ahead: caught up to %d, want 29", apart, at)
		}
	}
	l := newLab(t).announcements(nil)
	if at := l.caughtUp(); at != -1 {
		t.Errorf("nothing was announced, and the target is %d", at)
	}
	l.put(0, 1)
	l.put(1, 2)
	if at := l.caughtUp(); at != -1 {
		t.Errorf("nothing in common, and the target is %d", at)
	}
}

// TestCatchUpOnACompactedTopic: of announcements only the newest of each task remain. Where the tasks rest they agree; where they do not, the
// reader waits until they meet.
func TestCatchUpOnACompactedTopic(t *testing.T) {
	l := newLabOn(t, compacting).announcements(map[string]string{"cleanup.policy": "compact"})
	for at := range int64(200) {
		l.put(0, at)
		l.put(1, at)
		if at%20 == 0 {
			check(t, l.producer.Flush(t.Context()))
		}
	}
	check(t, l.producer.Flush(t.Context()))
	left := func() (n int) {
		check(t, l.client.Scan(t.Context(), l.topic, 0, 0, -1, func(*kafka.Record) error { n++; return nil }))
		return n
	}
	flushed := func(n int, at int64) {
		l.put(n, at)
		check(t, l.producer.Flush(t.Context()))
	}
	flushed(0, 200)
	flushed(0, 201)
	// The broker never touches the last batch, and what only that makes superfluous.
	l.eventually("compacted", func() bool { return left() <= 3 })
	if at := l.caughtUp(); at != -1 {
		t.Errorf("the tasks' newest announcements disagree, and the target is %d", at)
	}
	flushed(1, 201)
	l.eventually("compacted", func() bool { return left() <= 3 })
	if at := l.caughtUp(); at != 201 {
		t.Errorf("the tasks agree, and the target is %d, want 201", at)
	}
}

// TestRefreshGoesOnWhereItWas: what was read before is not read again, and nothing between is left out.
func TestRefreshGoesOnWhereItWas(t *testing.T) {
	l := newLab(t).announcements(nil)
	s := stream{l.topic, labPartitions, true}
	f := newFrontier(s)
	defer f.close()
	for at := range int64(400) {
		l.put(0, at)
		if at >= 300 {
			l.put(1, at-300) // far behind, so that a common cut needs what was announced long ago
		}
		if at%37 == 0 || at == 399 {
			check(t, l.producer.Flush(t.Context()))
			check(t, f.refresh(t.Context(), l.client))
		}
	}
	if at := f.newest().cut[0].offset; at != 99 {
		t.Errorf("the target is %d, want 99", at)
	}
}

// TestTakeOverInAViewOverAView is TestTakeOverGoesByTheNewestCheckpoint for a view whose checkpoints are what the tasks below announce.
func TestTakeOverInAViewOverAView(t *testing.T) {
	l := newLab(t)
	write := func(rev int64) {
		for no := range int64(6) {
			l.simple(no, "all", rev)
		}
		l.checkpoint()
	}
	write(1)
	ws := l.startAll(l.simpleView(), l.groupView())
	l.allSettled(ws)
	write(2)
	l.allSettled(ws)
	ws[0].stop()
	before := l.sequence("t.variant")

	r, b := l.newcomer(l.groupView())
	// Its own reading of the announcements ends at the first common cut.
	s := r.streams()[0]
	check(t, l.client.Scan(t.Context(), s.topic, 0, 0, -1, func(rec *kafka.Record) error {
		if b.frontier.newest() != nil {
			return nil
		}
		return b.frontier.take(s, rec)
	}))
	if old := b.frontier.newest(); old == nil || old.position != "0/1" {
		t.Fatalf("the test's own reading ends at %+v", old)
	}
	l.takesOver(r, b)
	if after := l.sequence("t.variant"); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("records before: %q\nafter the take-over: %q", before, after)
	}
}

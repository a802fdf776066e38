package sink_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
)

// watcher asserts what a reader of the shop would: no product ever goes back.
func watcher(t *testing.T, m *sinktest.Memory) (seen *atomic.Int64) {
	last := map[string]int64{}
	seen = &atomic.Int64{}
	m.Seen = func(_, key string, row []schemas.Value) { // under the target's lock
		seen.Add(1)
		if row == nil {
			return
		}
		if n := row[2].Int; n < last[key] {
			t.Errorf("product %s went from %d back to %d", key, last[key], n)
		} else {
			last[key] = n
		}
	}
	return seen
}

func TestReplayShowsNothingOlder(t *testing.T) {
	for _, maxKeys := range []int{0, 3} { // 3: many passes
		t.Run(fmt.Sprint(maxKeys), func(t *testing.T) {
			w := sinktest.NewWorld(t, sinktest.View(), partitions)
			m := sinktest.NewMemory()
			seen := watcher(t, m)
			cfg := w.Config(m)
			cfg.MaxKeys, cfg.MaxRecords = maxKeys, 4
			r := w.Start(cfg)
			count := int64(0)
			write := func(n int) {
				for range n {
					count++
					w.Put(sinktest.Row(count%30, "x", count))
				}
			}
			write(200)
			w.CaughtUp(m.Next(w))
			from := seen.Load()
			done := make(chan error, 1)
			go func() {
				_, err := sink.Rewind(t.Context(), sink.RewindConfig{Pipeline: "suite", Sink: "shop", Views: cfg.Views, Client: w.Client, Target: m})
				done <- err
			}()
			write(100) // while it is rewound and replays
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			w.CaughtUp(m.Next(w))
			sinktest.Wait(t, "replayed", func() bool { return seen.Load() >= from+30 })
			r.Stop()
			// With the runner stopped, rewound to an offset in the middle, and cut off in the middle of the replay.
			for id := range int32(partitions) {
				at := int64(20)
				if _, err := sink.Rewind(t.Context(), sink.RewindConfig{Pipeline: "suite", Sink: "shop", Views: cfg.Views, Client: w.Client, Target: m, Offset: &at, Partition: id}); err != nil {
					t.Fatal(err)
				}
				if p := m.Place(w.View.Topic, id); p.Next != 20 || p.ReplayUntil <= 20 {
					t.Fatalf("place %+v", p)
				}
			}
			before := seen.Load()
			r = w.Start(cfg)
			sinktest.Wait(t, "some of it", func() bool { return seen.Load() > before+3 })
			r.Stop()
			w.Start(cfg)
			write(50)
			w.CaughtUp(m.Next(w))
			rows := m.Rows("product")
			for i := count - 29; i <= count; i++ {
				if want := fmt.Sprintf("%d|x|%d", i%30, i); rows[fmt.Sprint(i%30)] != want {
					t.Errorf("product %d is %q, want %q", i%30, rows[fmt.Sprint(i%30)], want)
				}
			}
		})
	}
}

// A target whose offsets were lost still shows rows: what is read from the beginning then is a replay.
func TestOffsetsLost(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), partitions)
	m := sinktest.NewMemory()
	for i := range int64(100) {
		w.Put(sinktest.Row(i%5, "x", i))
	}
	for i := range int64(5) {
		m.Put("product", sinktest.Row(i, "x", 0)[:1], sinktest.Row(i, "x", 95+i))
	}
	last := map[string]int64{}
	m.Seen = func(_, key string, row []schemas.Value) {
		if row[2].Int < 95 || row[2].Int < last[key] {
			t.Errorf("product %s showed %d", key, row[2].Int)
		}
	}
	w.Start(w.Config(m))
	w.CaughtUp(m.Next(w))
}

// A replay that is asked to compares all keys, and removes what the topic does not have. A sink that was away for longer than tombstones are kept compares them too, and
// removes only what the topic says is gone: it cannot know who wrote the others, so it names them until somebody decides.
func TestPrune(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *sinktest.World, *sinktest.Memory, sink.RunnerConfig){
		"away": func(t *testing.T, w *sinktest.World, m *sinktest.Memory, _ sink.RunnerConfig) {
			for id := range int32(partitions) {
				m.SetUpdated(w.View.Topic, id, time.Now().Add(-25*time.Hour))
			}
		},
		"asked": func(t *testing.T, w *sinktest.World, m *sinktest.Memory, cfg sink.RunnerConfig) {
			if _, err := sink.Rewind(t.Context(), sink.RewindConfig{Pipeline: "suite", Sink: "shop", Views: cfg.Views, Client: w.Client, Target: m, Prune: true}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := sinktest.NewWorld(t, sinktest.View(), partitions)
			m := sinktest.NewMemory()
			cfg := w.Config(m)
			cfg.MaxKeys = 16                   // several passes
			cfg.Touch = 100 * time.Millisecond // a request is noticed with the next transaction
			r := w.Start(cfg)
			for i := range int64(60) {
				w.Put(sinktest.Row(i, "x", i))
			}
			w.Remove(sinktest.Row(7, "", 0))
			w.CaughtUp(m.Next(w))
			r.Stop()
			for i := range int64(40) { // rows whose tombstones nobody has any more
				m.Put("product", sinktest.Row(1000+i, "ghost", 1)[:1], sinktest.Row(1000+i, "ghost", 1))
			}
			m.Put("product", sinktest.Row(7, "ghost", 1)[:1], sinktest.Row(7, "ghost", 1)) // its tombstone is still there
			for i := range int64(60) {                                                     // each partition has something new
				if i != 7 {
					w.Put(sinktest.Row(i, "x", 100+i))
				}
			}
			prepare(t, w, m, cfg)
			r = w.Start(cfg)
			w.CaughtUp(m.Next(w))
			if name == "away" {
				sinktest.Wait(t, "what the topic says is gone is gone", func() bool { return m.Rows("product")["7"] == "" })
				named := func() bool {
					f := r.Status().Faults
					return len(f) == 1 && strings.Contains(f[0].What, "has 40 keys that suite.product does not have (10") && strings.Contains(f[0].Fix, "keep_others")
				}
				sinktest.Wait(t, "the others are named", named)
				if n := len(m.Rows("product")); n != 99 {
					t.Errorf("%d rows, want all 40 of others and 59 of ours", n)
				}
				r.Stop()
				r = w.Start(cfg) // it does not forget
				sinktest.Wait(t, "the others are named again", named)
				if _, err := sink.Rewind(t.Context(), sink.RewindConfig{Pipeline: "suite", Sink: "shop", Views: cfg.Views, Client: w.Client, Target: m, Prune: true}); err != nil {
					t.Fatal(err)
				}
				sinktest.Wait(t, "nothing is named any more", func() bool { return len(m.Rows("product")) == 59 && len(r.Status().Faults) == 0 })
			}
			sinktest.Wait(t, "ghosts are gone", func() bool { return len(m.Rows("product")) == 59 })
			if m.Rows("product")["5"] != "5|x|105" {
				t.Errorf("rows: %v", m.Rows("product"))
			}
			sinktest.Wait(t, "prune is done", func() bool { return !m.Place(w.View.Topic, 0).Prune && !m.Place(w.View.Topic, 2).Prune })
		})
	}
}

// slowKeys calls before with the second listing of all keys, that is, after the topic was read.
type slowKeys struct {
	*sinktest.Memory
	lists  atomic.Int64
	before func()
}

func (s *slowKeys) Keys(ctx context.Context, v sink.View, after []schemas.Value, limit int) ([][]schemas.Value, error) {
	if after == nil && s.lists.Add(1) == 2 {
		s.before()
	}
	return s.Memory.Keys(ctx, v, after, limit)
}

// A product comes back, through another partition's worker, after the comparison has read the topic: it stays.
func TestPruneKeepsWhatComesBack(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), partitions)
	m := sinktest.NewMemory()
	r := w.Start(w.Config(m))
	for i := range int64(30) {
		w.Put(sinktest.Row(i, "x", i))
	}
	w.CaughtUp(m.Next(w))
	r.Stop()
	var back, stale int64 = -1, -1 // a ghost of a partition that is not compared, and a product of the one that is
	for i := range int64(30) {
		if w.Partition(sinktest.Row(1000+i, "", 0)) == 1 {
			back = 1000 + i
		}
		if w.Partition(sinktest.Row(i, "", 0)) == 0 {
			stale = i
		}
	}
	for _, no := range []int64{back, 2000} {
		m.Put("product", sinktest.Row(no, "ghost", 1)[:1], sinktest.Row(no, "ghost", 1))
	}
	w.Put(sinktest.Row(stale, "x", 100))
	key := fmt.Sprint(back)
	s := &slowKeys{Memory: m, before: func() {
		w.Put(sinktest.Row(back, "is back", 2))
		sinktest.Wait(t, "it is back", func() bool { return m.Rows("product")[key] == key+"|is back|2" })
	}}
	if _, err := m.Rewind(t.Context(), sink.Partition{View: w.View, ID: 0}, 1<<40, true); err != nil {
		t.Fatal(err)
	}
	w.Start(w.Config(s))
	sinktest.Wait(t, "the other ghost is gone", func() bool { return m.Rows("product")["2000"] == "" })
	w.CaughtUp(m.Next(w))
	if got := m.Rows("product")[key]; got != key+"|is back|2" {
		t.Errorf("the product that came back is %q", got)
	}
}

// Two runners share the partitions; one leaves, and the other goes on with all of them.
func TestTwoRunners(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), partitions)
	m := sinktest.NewMemory()
	watcher(t, m)
	a := w.Start(w.Config(m))
	w.Put(sinktest.Row(1, "x", 0))
	b := w.Start(w.Config(m))
	sinktest.Wait(t, "both have partitions", func() bool {
		return len(a.Status().Positions) > 0 && len(b.Status().Positions) > 0 && len(a.Status().Positions)+len(b.Status().Positions) == partitions
	})
	for i := range int64(100) {
		w.Put(sinktest.Row(i%10, "x", 1+i))
		if i == 50 {
			a.Stop()
		}
	}
	w.CaughtUp(m.Next(w))
	sinktest.Wait(t, "b has all", func() bool { return len(b.Status().Positions) == partitions })
}

// keep_others: a comparison removes what the topic says is gone, and leaves the others without a word, even when it is asked to remove them.
func TestPruneKeepsOthers(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), partitions)
	m := sinktest.NewMemory()
	m.KeepOthers = true
	cfg := w.Config(m)
	cfg.Touch = 100 * time.Millisecond
	r := w.Start(cfg)
	w.Put(sinktest.Row(1, "x", 1), sinktest.Row(2, "x", 1))
	w.Remove(sinktest.Row(2, "", 0))
	w.CaughtUp(m.Next(w))
	for _, no := range []int64{2, 1000} {
		m.Put("product", sinktest.Row(no, "other", 1)[:1], sinktest.Row(no, "other", 1))
	}
	if _, err := sink.Rewind(t.Context(), sink.RewindConfig{Pipeline: "suite", Sink: "shop", Views: cfg.Views, Client: w.Client, Target: m, Prune: true}); err != nil {
		t.Fatal(err)
	}
	sinktest.Wait(t, "what the topic says is gone is gone", func() bool {
		return m.Rows("product")["2"] == "" && !m.Place(w.View.Topic, w.Partition(sinktest.Row(2, "", 0))).Prune
	})
	if rows, s := m.Rows("product"), r.Status(); rows["1000"] == "" || len(rows) != 2 || len(s.Faults) > 0 {
		t.Errorf("rows %v, faults %v", rows, s.Faults)
	}
}

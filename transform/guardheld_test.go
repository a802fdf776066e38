package transform

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestOverrideLetsPassUntilItsEnd(t *testing.T) {
	l := newLab(t)
	l.shop(100)
	w := l.running(l.guarded(removals()))
	until := l.clock.Now().Add(time.Hour)
	l.signal(Signal{Override: "removals", OverrideUntil: until})
	l.eventually("the override", func() bool {
		hs, err := w.Held(0)
		return err == nil && len(hs) == 1 && hs[0].OverrideUntil.Equal(until) && hs[0].By == "anna"
	})
	l.remove(w, 0, 30)
	l.want(w, "during the override", 70, 0)
	w.stop()
	w = l.running(l.guarded(removals()))
	l.remove(w, 30, 10)
	l.want(w, "after a restart", 60, 0)
	l.clock.set(until.Add(time.Second))
	l.remove(w, 40, 10)
	l.want(w, "after its end", 60, 10)
	// Another one: what is held stays held, though it is evaluated.
	l.signal(Signal{Override: "all", OverrideUntil: until.Add(time.Hour)})
	l.eventually("the second override", func() bool {
		hs, err := w.Held(0)
		return err == nil && hs[0].OverrideUntil.Equal(until.Add(time.Hour))
	})
	for no := range int64(10) {
		l.put("price", num(no+40), num(1), dec(1), num(2))
	}
	l.checkpoint()
	l.settled(w)
	l.want(w, "an override applies nothing", 60, 10)
}

// TestHeldSurvivesRestartAndLoss: also where what is held would be free to go by itself, since the window is empty after a restart.
func TestHeldSurvivesRestartAndLoss(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("state lost %v", lost), func(t *testing.T) {
			l := newLab(t)
			l.shop(100)
			w := l.running(l.guarded(removals()))
			l.remove(w, 0, 12)
			for no := range int64(10) {
				l.put("product", num(no), txt(fmt.Sprintf("wine %d", no)), num(1), num(1))
			}
			l.checkpoint()
			l.settled(w)
			l.want(w, "two are left", 100, 2)
			since := w.Status().Faults[0].What
			w.stop()
			if lost {
				l.stateDir = t.TempDir()
			}
			l.clock.set(l.clock.Now().Add(time.Hour))
			w = l.running(l.guarded(removals()))
			l.want(w, "after the restart", 100, 2)
			if f := w.Status().Faults; len(f) != 1 || f[0].What != since {
				t.Fatalf("faults: %v, before: %v", f, since)
			}
			// A request that comes while nobody runs.
			w.stop()
			l.signal(Signal{Apply: "removals"})
			w = l.running(l.guarded(removals()))
			l.want(w, "applied", 98, 0)
			// It is done, for ever: what is held later is not released by it, whatever is lost.
			l.remove(w, 20, 20)
			w.stop()
			l.stateDir = t.TempDir()
			w = l.running(l.guarded(removals()))
			l.want(w, "held after the request", 98, 20)
		})
	}
}

// TestStopBeforeTheDecision: what was put aside is not forgotten when the task stops while it waits for another that does not come.
func TestStopBeforeTheDecision(t *testing.T) {
	l := newLab(t)
	// So many that the marks of the first are cleared before the last is evaluated.
	const n = 4 * evaluateChunk * labPartitions
	for no := range int64(n) {
		l.put("product", num(no), txt("w"), num(1), num(1))
	}
	l.checkpoint()
	w := l.running(l.guarded(removals()))
	board := w.bound.board
	board.update(99, func(*member) {})
	for no := range int64(3) {
		l.del("product", num(no))
	}
	for no := range int64(n - 3) {
		l.put("product", num(no+3), txt("changed"), num(1), num(2))
	}
	l.checkpoint()
	l.eventually("a task waits, what no guard counts is out", func() bool {
		board.mu.Lock()
		defer board.mu.Unlock()
		waiting := false
		for _, m := range board.members {
			waiting = waiting || m.waiting
		}
		got, _ := l.products()
		return waiting && strings.Contains(got["9999"], "changed")
	})
	l.want(w, "nothing is decided", n, 0)
	w.stop()
	w = l.running(l.guarded(removals()))
	l.want(w, "decided after the restart", n-3, 0)
}

// TestGuardTakenAway releases what it held.
func TestGuardTakenAway(t *testing.T) {
	l := newLab(t)
	l.shop(100)
	w := l.running(l.guarded(removals()))
	l.remove(w, 0, 40)
	l.want(w, "held", 100, 40)
	w.stop()
	w = l.running(l.guarded())
	l.want(w, "without guards", 60, 0)
}

// TestSequencesNeverGoBack: random changes, mass changes, applies, restarts and losses; the revisions that go out of each product only rise, nothing that a
// guard counts goes out beyond what may, and in the end everything is at its newest.
func TestSequencesNeverGoBack(t *testing.T) {
	const products, rounds = 60, 60
	rnd := rand.New(rand.NewPCG(7, 11))
	l := newLab(t)
	l.shop(products)
	gs := []Guard{{Name: "removals", Removed: true, Share: 20, AtLeast: 3}, {Name: "prices", Field: "net", MovesPercent: 30, Share: 20, AtLeast: 3}}
	w := l.running(l.guarded(gs...))
	last := map[int64]int64{}
	gone := map[int64]bool{}
	for rev := int64(2); rev < rounds; rev++ {
		mass := rnd.IntN(4) == 0
		for no := range int64(products) {
			if rnd.IntN(10) > 0 && !mass {
				continue
			}
			last[no], gone[no] = rev, rnd.IntN(3) == 0
			if gone[no] {
				l.del("product", num(no))
			} else {
				l.put("product", num(no), txt("w"), num(1), num(rev))
			}
			l.put("price", num(no), num(1), dec(int64(100+rnd.IntN(20000))), num(rev))
		}
		l.checkpoint()
		switch rnd.IntN(8) {
		case 0:
			l.signal(Signal{Apply: []string{"all", "prices", "removals"}[rnd.IntN(3)]})
		case 1:
			l.settled(w)
			w.stop()
			w = l.start(l.guarded(gs...))
		case 2:
			l.settled(w)
			w.stop()
			l.stateDir = t.TempDir()
			w = l.start(l.guarded(gs...))
		case 3:
			l.clock.set(l.clock.Now().Add(20 * time.Minute))
		}
	}
	l.settled(w)
	l.eventually("nothing held", func() bool {
		if len(l.held(w)) == 0 {
			return true
		}
		l.signal(Signal{Apply: "all"})
		<-time.After(50 * time.Millisecond)
		return false
	})
	l.checkpoint()
	l.settled(w) // what was released is sent, too
	seen := map[string]int64{}
	n := 0
	l.records("t.shop", func(key string, row map[string]string) {
		n++
		if row == nil {
			return
		}
		var rev int64
		if _, err := fmt.Sscan(row["rev"], &rev); err != nil || rev < seen[key] {
			t.Errorf("product %s goes from revision %d to %s", key, seen[key], row["rev"])
		}
		seen[key] = rev
	})
	got, _ := l.products()
	for no, rev := range last {
		if p, there := got[fmt.Sprint(no)]; there == gone[no] || there && !strings.Contains(p, fmt.Sprintf("rev=%d ", rev)) {
			t.Errorf("product %d is at revision %d, gone %v; published: %q", no, rev, gone[no], p)
		}
	}
	t.Logf("%d records", n)
}

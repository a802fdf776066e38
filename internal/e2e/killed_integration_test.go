//go:build integration

package e2e

import (
	"math/rand/v2"
	"testing"
	"time"
)

// kills is how often each stage is killed.
const kills = 20

// A process may be gone between any two instructions. Each stage is killed 20 times under load, at a random moment after it has done some work again.
func TestStagesKilled(t *testing.T) {
	w := newWorld(t, "killed", options{session: 2 * time.Second})
	w.startAll(1, 1, 1)
	w.equal()
	l := w.work(3, 2*time.Millisecond)
	const seed = 3
	rng := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)

	// Every stage has its turn 20 times, in a random order.
	var turns []*worker
	for _, k := range w.workers {
		for range kills {
			turns = append(turns, k)
		}
	}
	rng.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
	began := time.Now()
	for _, k := range turns {
		// Only the one whose turn it is must have worked again: the others may still be coming back, so that two may be away at once.
		k.worked()
		l.goOn(rng.Int64N(400))
		must(t, k.process.Kill())
		k.again()
	}
	t.Logf("%d kills in %v", len(turns), time.Since(began).Round(time.Second))
	l.finish()
}

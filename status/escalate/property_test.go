package escalate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// life lets an incident live through random acknowledgements, restarts, crashes and failures, and says what was wrong with what people got.
// forget drops what was stored at each restart.
func life(t *testing.T, seed uint64, forget bool) error {
	r := rand.New(rand.NewPCG(seed, 1))
	cfg := people()
	cfg.People = append(cfg.People, Person{"per", []string{"mail"}}, Person{"siri", []string{"sms"}})
	var steps []Step // each tells somebody else, so that nobody's message gives way to a newer one
	for i, who := range []string{"anna", "ola", "kari", "per", "siri"}[:2+r.IntN(4)] {
		steps = append(steps, Step{After: time.Duration(min(i, 1)*(1+r.IntN(20))) * time.Minute, To: []string{who}})
	}
	cfg.Policies = []Policy{{Name: "p", Steps: steps, Again: time.Duration(r.IntN(2)) * time.Hour}}
	w := newWorld(t, cfg)
	kept := w.st
	sent := map[string]int{}   // message -> times it arrived
	unsure := map[string]int{} // message -> times the process died with it on the way
	var order []int
	acked := false
	for range 600 {
		w.now = w.now.Add(time.Duration(1+r.IntN(120)) * time.Second)
		if !acked && r.IntN(300) == 0 {
			w.s.Acked, acked = w.now, true
		}
		crash := r.IntN(4) // 0: before storing, 1: before sending, 2: before noting
		if r.IntN(10) > 0 {
			crash = -1
		}
		send, st, _ := w.p.Next(w.s, w.st, w.now)
		if crash != 0 {
			w.st, kept = st, st
			for _, m := range send {
				if acked && cfg.Policies[0].Again == 0 {
					return fmt.Errorf("%s was sent after the acknowledgement", m.ID)
				}
				if crash == 1 {
					unsure[m.ID]++
					break
				}
				if r.IntN(3) == 0 {
					w.st = w.p.Told(w.st, m, "", errors.New("down"), w.now)
					kept = w.st
					continue
				}
				if sent[m.ID]++; sent[m.ID] == 1 {
					order = append(order, m.Loop*100+m.Step)
				}
				if crash == 2 {
					unsure[m.ID]++
					break
				}
				w.st = w.p.Told(w.st, m, m.Channels[0], nil, w.now)
				kept = w.st
			}
		}
		if crash >= 0 {
			if w.st = kept; forget {
				w.st = State{}
			}
			w.restart()
		}
	}
	for id, n := range sent {
		if n > 1+unsure[id] {
			return fmt.Errorf("%s arrived %d times, and the process died %d times with it", id, n, unsure[id])
		}
	}
	if acked {
		return nil
	}
	for i := range steps {
		if !slices.Contains(order, i) {
			return fmt.Errorf("step %d was skipped; %v", i+1, order)
		}
	}
	return nil
}

func TestNoStepTwiceAndNoneSkipped(t *testing.T) {
	for seed := range uint64(400) {
		if err := life(t, seed, false); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// The test above would see it if the state were not kept.
func TestAForgottenStateIsSeen(t *testing.T) {
	seen := 0
	for seed := range uint64(50) {
		if life(t, seed, true) != nil {
			seen++
		}
	}
	if seen < 40 {
		t.Errorf("only %d of 50 lives without memory were found out", seen)
	}
}

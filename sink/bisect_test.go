package sink

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestBisect(t *testing.T) {
	errBad, errOther := errors.New("bad"), errors.New("connection lost")
	rnd := rand.New(rand.NewPCG(3, 4))
	for n := range 200 {
		bad := map[int]bool{}
		for range rnd.IntN(4) {
			if n > 0 {
				bad[rnd.IntN(n)] = true
			}
		}
		var applied, refused []int
		tries := 0
		err := Bisect(n, func(from, to int) error {
			tries++
			for i := from; i < to; i++ {
				if bad[i] {
					return fmt.Errorf("statement: %w", errBad)
				}
			}
			for i := from; i < to; i++ {
				applied = append(applied, i)
			}
			return nil
		}, func(err error) bool { return errors.Is(err, errBad) }, func(i int, _ error) { refused = append(refused, i) })
		if err != nil || !slices.IsSorted(applied) || len(applied)+len(bad) != n || len(refused) != len(bad) {
			t.Fatalf("n %d, bad %v: applied %v, refused %v, %v", n, bad, applied, refused, err)
		}
		if most := 1 + 2*10*len(bad); tries > most {
			t.Errorf("n %d with %d bad took %d tries", n, len(bad), tries)
		}
	}
	if err := Bisect(8, func(int, int) error { return errOther }, func(err error) bool { return errors.Is(err, errBad) }, nil); !errors.Is(err, errOther) {
		t.Errorf("an error that blames no one came back as %v", err)
	}
}

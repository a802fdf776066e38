package sink

import (
	"fmt"
	"testing"
)

// Over all slices each key is dealt with once, however few fit at a time, and no more than the limit are held.
func TestKeySlice(t *testing.T) {
	for _, limit := range []int{1, 7, 100, 5000} {
		seen := map[int]int{}
		s := newKeySlice(limit)
		passes := 0
		for more := true; more; more = s.next() {
			passes++
			for i := range 1000 {
				s.set(HashKey(fmt.Append(nil, i)), int64(i))
				if len(s.keys) > limit {
					t.Fatalf("limit %d: %d keys are held", limit, len(s.keys))
				}
			}
			for i := range 1000 {
				if v, ok := s.keys[HashKey(fmt.Append(nil, i))]; ok {
					if v != int64(i) {
						t.Fatalf("key %d has %d", i, v)
					}
					seen[i]++
				}
			}
		}
		for i := range 1000 {
			if seen[i] != 1 {
				t.Fatalf("limit %d: key %d was dealt with %d times in %d passes", limit, i, seen[i], passes)
			}
		}
		if limit >= 1000 && passes != 1 {
			t.Errorf("limit %d took %d passes", limit, passes)
		}
	}
}

func TestHashKeyIsWide(t *testing.T) {
	a, b := HashKey([]byte("a")), HashKey([]byte("b"))
	if a == b || [8]byte(a[:8]) == [8]byte(a[8:]) {
		t.Errorf("%x %x", a, b)
	}
}

package transform

import (
	"context"
	"testing"
	"time"

	"shelfstream/schemas"
)

// TestLateTaskIsWaitedFor: at a start one task may be done with its products long before another.
func TestLateTaskIsWaitedFor(t *testing.T) {
	gs, err := bindGuards(View{Name: "v"}, []Guard{{Name: "removals", Removed: true, Count: 10}}, &schemas.Table{})
	check(t, err)
	b := newGuardBoard(gs, time.Now, newNotifier())
	b.assign([]int32{0, 1})
	b.update(0, func(m *member) { m.ready, m.products = true, 100 })
	at, c := time.Now(), cut{{"c", 5}}
	done := make(chan uint64, 1)
	go func() {
		tripped, err := b.settle(t.Context(), 0, c, at, []int{6})
		if err != nil {
			tripped = 99
		}
		done <- tripped
	}()
	select {
	case <-done:
		t.Fatal("decided before the other task has counted")
	case <-time.After(50 * time.Millisecond):
	}
	// The other one counts at an older checkpoint first, and then as far.
	if tripped, err := b.settle(t.Context(), 1, cut{{"c", 4}}, at, []int{0}); err != nil || tripped != 0 {
		t.Fatalf("tripped %b, %v", tripped, err)
	}
	b.settled(1)
	tripped, err := b.settle(t.Context(), 1, c, at, []int{6})
	if first := <-done; err != nil || tripped != 1 || first != 1 {
		t.Fatalf("the first one: %b, the second: %b, %v", first, tripped, err)
	}
	// A task that failed is not waited for.
	b.settled(0)
	b.settled(1)
	b.update(1, func(m *member) { m.absent = true })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if tripped, err = b.settle(ctx, 0, cut{{"c", 6}}, at, []int{3}); err != nil || tripped != 0 {
		t.Fatalf("tripped %b, %v", tripped, err)
	}
}

// TestDueTaskIsWaitedFor: a task that rests at the same checkpoint has still to count what the time changes.
func TestDueTaskIsWaitedFor(t *testing.T) {
	gs, err := bindGuards(View{Name: "v"}, []Guard{{Name: "removals", Removed: true, Count: 10}}, &schemas.Table{})
	check(t, err)
	b := newGuardBoard(gs, time.Now, newNotifier())
	b.assign([]int32{0, 1})
	at, c := time.Now(), cut{{"c", 5}}
	for _, x := range []struct {
		what string
		m    member
		want bool
	}{
		{"it rests until later", member{cut: c, at: at.Add(-time.Hour), idle: true, wake: at.Add(time.Hour)}, true},
		{"it rests for ever", member{cut: c, at: at.Add(-time.Hour), idle: true}, true},
		{"it is due", member{cut: c, at: at.Add(-time.Hour), idle: true, wake: at}, false},
		{"it counts", member{cut: c, at: at.Add(-time.Hour)}, false},
		{"it has counted", member{cut: c, at: at}, true},
		{"it waits too", member{cut: c, at: at.Add(-time.Hour), waiting: true}, true},
		{"it waits, behind", member{cut: cut{{"c", 4}}, waiting: true}, false},
		{"each is behind the other", member{cut: cut{{"b", 7}, {"c", 4}}, waiting: true}, false},
		{"nothing was counted", member{}, false},
		{"it failed", member{absent: true}, true},
	} {
		b.members[1] = &x.m
		if got := b.counted(0, c, at, false); got != x.want {
			t.Errorf("%s: counted %v", x.what, got)
		}
	}
	b.members[1] = &member{cut: cut{{"b", 7}, {"c", 4}}, waiting: true}
	if !b.counted(0, cut{{"b", 6}, {"c", 5}}, at, false) {
		t.Error("two tasks wait for each other, each behind the other in one source")
	}
}

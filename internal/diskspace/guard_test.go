package diskspace

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestGuard(t *testing.T) {
	g, err := New("state.dir", t.TempDir(), 64<<20, nil)
	if err != nil {
		t.Fatal(err)
	}
	var free atomic.Uint64
	g.free = func() (uint64, uint64, error) { return free.Load(), 1 << 30, nil }
	g.reserve = 32 << 20

	free.Store(40 << 20)
	if !g.Room(8<<20) || g.Fault() != nil {
		t.Error("no room though it fits")
	}
	if g.Room(9 << 20) {
		t.Error("room for a byte too many")
	}
	f := g.Fault()
	if f == nil || !strings.HasPrefix(f.Where, "state.dir /") || !strings.Contains(f.What, "40 MiB are left") || f.Fix == "" {
		t.Errorf("the fault is %v", f)
	}
	if g.Room(1) {
		t.Error("it goes on at the first free byte")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Wait(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error)
	go func() { done <- g.Wait(ctx, 1) }()
	free.Store(50 << 20)
	if err := <-done; err != nil || g.Fault() != nil {
		t.Errorf("with room again: %v, %v", err, g.Fault())
	}
	g.free = func() (uint64, uint64, error) { return 0, 0, errors.New("stale handle") }
	if !g.Room(1) {
		t.Error("a disk that cannot be asked stops the writer")
	}
}

func TestNewNeedsADirectory(t *testing.T) {
	if _, err := New("state.dir", t.TempDir()+"/missing", 1, nil); err == nil {
		t.Error("no error")
	}
}

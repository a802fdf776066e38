package retry

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestDelayGrowsAndIsBounded(t *testing.T) {
	b := Backoff{Base: 10 * time.Millisecond, Max: time.Second, Rand: func() float64 { return 0.5 }}
	for attempt, want := range map[int]time.Duration{
		-1: 5 * time.Millisecond, 0: 5 * time.Millisecond, 1: 10 * time.Millisecond, 3: 40 * time.Millisecond,
		7: 500 * time.Millisecond, 61: 500 * time.Millisecond, 1 << 30: 500 * time.Millisecond,
	} {
		if got := b.Delay(attempt); got != want {
			t.Errorf("Delay(%d) = %v, want %v", attempt, got, want)
		}
	}
	for i := range 1000 {
		if d := (Backoff{}).Delay(i % 20); d < 0 || d > 5*time.Second {
			t.Fatalf("Delay(%d) = %v is outside 0..5s", i%20, d)
		}
	}
}

func TestDoStopsAtPermanentError(t *testing.T) {
	transient, permanent := errors.New("transient"), errors.New("permanent")
	calls := 0
	err := Backoff{Base: time.Nanosecond}.Do(t.Context(), func(context.Context) error {
		calls++
		if calls < 4 {
			return transient
		}
		return permanent
	}, func(err error) bool { return errors.Is(err, transient) })
	if !errors.Is(err, permanent) || calls != 4 {
		t.Fatalf("got %v after %d calls, want permanent after 4", err, calls)
	}
}

func TestDoEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	transient := errors.New("transient")
	start := time.Now()
	err := Backoff{Base: time.Hour, Max: time.Hour, Rand: func() float64 { return 0.9 }}.Do(ctx, func(context.Context) error {
		cancel()
		return transient
	}, nil)
	if !errors.Is(err, transient) || time.Since(start) > 10*time.Second {
		t.Fatalf("got %v after %v", err, time.Since(start))
	}
	if err := (Backoff{}).Do(ctx, func(context.Context) error { t.Error("called"); return nil }, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want the context's error", err)
	}
}

package retry

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"shelfstream/internal/fault"
)

// comeBack is an error of a system that says when it wants to be asked again.
type comeBack time.Duration

func (c comeBack) Error() string             { return "too many requests" }
func (c comeBack) RetryAfter() time.Duration { return time.Duration(c) }

// TestDelays: quick tries first, then slower ones up to the bound; no quick ones for what waits for a person; and what the other side asks for is done.
func TestDelays(t *testing.T) {
	lost := errors.New("connection reset")
	refused := fmt.Errorf("open: %w", &fault.Fault{Class: fault.Config, What: "wrong password"})
	for _, rnd := range []float64{0, 0.999999} {
		p := Policy{Rand: func() float64 { return rnd }}
		part := 0.5 + rnd/2 // of the ceiling
		for _, c := range []struct {
			name   string
			err    error
			failed int
			want   time.Duration // the ceiling
		}{
			{"first", lost, 1, 200 * time.Millisecond},
			{"second", lost, 2, 400 * time.Millisecond},
			{"fourth", lost, 4, 1600 * time.Millisecond},
			{"the last of the quick", lost, 5, 4 * time.Second},
			{"slower", lost, 6, 8 * time.Second},
			{"as slow as it gets", lost, 8, 30 * time.Second},
			{"for ever", lost, 1 << 30, 30 * time.Second},
			{"none failed", lost, 0, 200 * time.Millisecond},
			{"refused at once slowly", refused, 1, 4 * time.Second},
			{"refused", refused, 3, 16 * time.Second},
			{"refused for ever", refused, 99, 30 * time.Second},
		} {
			got, want := p.Delay(c.failed, c.err), time.Duration(float64(c.want)*part)
			if diff := got - want; diff < -want/50 || diff > want/50 {
				t.Errorf("%s: %v, want about %v", c.name, got, want)
			}
		}
		for asked, want := range map[time.Duration]time.Duration{time.Millisecond: time.Millisecond, 7 * time.Minute: 7 * time.Minute, 1000 * time.Hour: time.Hour} {
			if got := p.Delay(1, fmt.Errorf("send: %w", comeBack(asked))); got < want || got > want+want/10 {
				t.Errorf("asked for %v, waits %v", asked, got)
			}
		}
	}
	// A bound that is smaller than the one below it gives way.
	if got := (Policy{First: time.Minute, Most: time.Second, Slow: time.Second}).WithDefaults(); got.Most != time.Minute || got.Slow != time.Minute {
		t.Errorf("got %+v", got)
	}
}

// TestKindOf: an error's own words count where the catalogue has nothing; of several faults the one that needs a person.
func TestKindOf(t *testing.T) {
	env := func(err error) *fault.Fault { return &fault.Fault{Class: fault.Environment, What: "x", Err: err} }
	for _, c := range []struct {
		err  error
		want fault.Kind
	}{
		{nil, fault.Connection},
		{errors.New("x"), fault.Connection},
		{env(nil), fault.Connection},
		{context.DeadlineExceeded, fault.Timeout},
		{env(fmt.Errorf("ask: %w", context.DeadlineExceeded)), fault.Timeout},
		{comeBack(time.Second), fault.Throttled},
		{env(comeBack(time.Second)), fault.Throttled},
		{fault.List{env(nil), {Class: fault.Config, What: "y"}}, fault.Invalid},
	} {
		if got := KindOf(c.err); got != c.want {
			t.Errorf("%v: %s, want %s", c.err, got, c.want)
		}
	}
}

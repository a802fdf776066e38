package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/retry"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
)

// applied applies a batch until the target takes it, as a runner does, but without its waits.
func applied(t *testing.T, s *session, b *sink.Batch) []sink.Parked {
	t.Helper()
	var err error
	for range 12 {
		var parked []sink.Parked
		if parked, err = s.Apply(t.Context(), b); err == nil {
			return parked
		}
	}
	t.Fatalf("after 12 tries: %v", err)
	return nil
}

// TestKilledAtEachStep kills a worker at every step of every delivery; another one goes on. With a lookup, or a server that knows idempotency keys, each order is made once.
func TestKilledAtEachStep(t *testing.T) {
	for _, how := range []string{"lookup", "idempotency keys", "batches"} {
		for _, step := range []string{stepIntended, stepCalled, stepAnswered, stepDelivered} {
			t.Run(how+"/"+step, func(t *testing.T) {
				w, e := world(t), newERP(t)
				table := orders()
				switch how {
				case "idempotency keys":
					table.Lookup, e.knows = nil, map[string]string{}
				case "batches":
					table.Answer = "id"
					table.Batch = &Batch{Size: 2, Path: "/orders/batch", Body: `{"create": {{.items}}}`, Items: "create", Key: "sku"}
				}
				cfg := config(e, table)
				const n = 5
				for kill := 1; ; kill++ { // at the kill-th time that the step is reached
					tg := target(t, w, cfg, nil)
					later := time.Duration(kill) * cfg.Timeout // the calls of those before are over by then
					tg.now = func() time.Time { return time.Now().Add(later) }
					s := open(t, tg, w)
					left := kill
					tg.step = func(name string) {
						if name != step {
							return
						}
						if left--; left == 0 {
							panic("killed")
						}
					}
					if !killed(t, s, records(0, n)) {
						break
					}
				}
				want := map[int64]string{}
				for i := range int64(n) {
					want[i] = fmt.Sprintf("n%d|%d", i, i)
				}
				if got := e.rows(); fmt.Sprint(got) != fmt.Sprint(want) || len(e.twice()) > 0 {
					t.Errorf("the ERP has %v, and made twice %v; calls:\n%s", got, e.twice(), strings.Join(e.said(), "\n"))
				}
				wantAnswers(t, w, how != "batches", n)
			})
		}
	}
}

// killed applies a batch; true if the worker was killed on the way. It leaves its session as a killed process does.
func killed(t *testing.T, s *session, b *sink.Batch) (was bool) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			if r != "killed" {
				panic(r)
			}
			was = true
		}
	}()
	applied(t, s, b)
	return false
}

// TestLostAnswers: the server applies an order and then does not say so, in all its ways. Each is made once, and none is parked.
func TestLostAnswers(t *testing.T) {
	for name, lose := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"broken off": func(w http.ResponseWriter, _ *http.Request) bool { breakOff(w); return true },
		// On a connection that was used before, net/http would take this for one that had been closed already, and send the call again by itself.
		"hung up": func(w http.ResponseWriter, _ *http.Request) bool { hangUp(w); return true },
		"500":     func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(500); return true },
		"502":     func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(502); return true },
		"slow": func(_ http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, e := world(t), newERP(t)
			cfg := config(e, orders())
			if name == "slow" { // the others are answered, or not, long before
				cfg.Timeout = time.Second
			}
			s := open(t, target(t, w, cfg, nil), w)
			n := 0
			e.after = func(w http.ResponseWriter, r *http.Request) bool {
				n++
				return n%2 == 1 && lose(w, r)
			}
			if parked := applied(t, s, records(0, 6)); len(parked) > 0 || len(e.rows()) != 6 || len(e.twice()) > 0 {
				t.Errorf("parked %v; the ERP has %v, twice %v; calls:\n%s", parked, e.rows(), e.twice(), strings.Join(e.said(), "\n"))
			}
			wantAnswers(t, w, true, 6)
		})
	}
}

// TestAStoppedWorkerDeliversNothingLater: a worker is stopped between the intent and the call; meanwhile another one takes over and delivers. When the first wakes up,
// its call's time is over.
func TestAStoppedWorkerDeliversNothingLater(t *testing.T) {
	w, e := world(t), newERP(t)
	cfg := config(e, orders())
	cfg.Timeout = 2 * time.Second
	tg := target(t, w, cfg, nil)
	old := open(t, tg, w)
	stopped, wake := make(chan struct{}), make(chan struct{})
	tg.step = func(name string) {
		if name == stepIntended {
			close(stopped)
			<-wake
		}
	}
	ended := make(chan error, 1)
	go func() {
		_, err := old.Apply(t.Context(), records(0, 1))
		ended <- err
	}()
	<-stopped
	mine := open(t, target(t, w, cfg, nil), w)
	applied(t, mine, records(0, 1))
	close(wake)
	if err := <-ended; err == nil {
		t.Error("the old worker believes that it has delivered")
	}
	if len(e.rows()) != 1 || len(e.twice()) > 0 {
		t.Errorf("the ERP has %v, twice %v; calls:\n%s", e.rows(), e.twice(), strings.Join(e.said(), "\n"))
	}
	if _, err := old.Apply(t.Context(), records(0, 2)); !errors.Is(err, sink.ErrLost) || len(e.rows()) != 1 {
		t.Errorf("the old worker goes on: %v, %v", err, e.rows())
	}
}

// TestThrottled: the server asks to be left alone; all workers do.
func TestThrottled(t *testing.T) {
	w, e := world(t), newERP(t)
	tg := target(t, w, config(e, orders()), nil)
	now := time.Now()
	tg.call.limit.now = func() time.Time { return now }
	s := open(t, tg, w)
	e.before = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	_, err := s.Apply(t.Context(), records(0, 1))
	var asks interface{ RetryAfter() time.Duration }
	if !errors.As(err, &asks) || asks.RetryAfter() != time.Second || retry.KindOf(err) != fault.Throttled {
		t.Fatalf("%v, of kind %s", err, retry.KindOf(err))
	}
	e.do(func() { e.before = nil })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := tg.call.limit.wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("another worker may call at once: %v", err)
	}
	now = now.Add(time.Second)
	applied(t, s, records(0, 1))
	if got := e.said(); len(got) != 2 {
		t.Errorf("calls: %v; what was throttled was surely not done, so nobody needs to look it up", got)
	}
}

// TestPartOfABatch: what went through before the server had enough is not called again, and the error says that the batch goes on.
func TestPartOfABatch(t *testing.T) {
	w, e := world(t), newERP(t)
	s := open(t, target(t, w, config(e, orders()), nil), w)
	calls := 0
	e.before = func(w http.ResponseWriter, _ *http.Request) bool {
		if calls++; calls != 3 {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	if _, err := s.Apply(t.Context(), records(0, 5)); !errors.Is(err, sink.ErrAdvanced) || retry.KindOf(err) != fault.Busy {
		t.Fatalf("%v, of kind %s", err, retry.KindOf(err))
	}
	e.do(func() { e.before = nil })
	applied(t, s, records(0, 5))
	if len(e.rows()) != 5 || len(e.twice()) > 0 || calls != 3 {
		t.Errorf("the ERP has %v, twice %v, after %d calls of the first try", e.rows(), e.twice(), calls)
	}
}

// TestALookupThatCannotBeMade parks its record, and holds up no other.
func TestALookupThatCannotBeMade(t *testing.T) {
	w, e := world(t), newERP(t)
	o := orders()
	o.Lookup.Path = "/orders/{{number .name}}"
	cfg := config(e, o)
	tg := target(t, w, cfg, nil)
	tg.step = func(name string) {
		if name == stepIntended {
			panic("killed")
		}
	}
	if !killed(t, open(t, tg, w), records(0, 1)) {
		t.Fatal("it lives")
	}
	tg = target(t, w, cfg, nil)
	tg.now = func() time.Time { return time.Now().Add(cfg.Timeout) }
	s := open(t, tg, w)
	if parked := applied(t, s, records(0, 2)); len(parked) != 1 || parked[0].Fault.Cause != fault.RestUnrendered || len(s.led.Pending()) != 1 || e.rows()[1] == "" {
		t.Errorf("parked %+v; the ERP has %v", parked, e.rows())
	}
}

func TestLimiterSpacesCalls(t *testing.T) {
	now := time.Unix(0, 0)
	l := newLimiter(10, func() time.Time { return now })
	var got []time.Duration
	for range 3 {
		d, _ := l.slot()
		got = append(got, d)
	}
	now = now.Add(time.Second)
	d, _ := l.slot()
	if want := []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond, 0}; !slices.Equal(append(got, d), want) {
		t.Errorf("slots after %v, want %v", append(got, d), want)
	}
}

// TestPoison: a record over which the server fails is parked, and the others go on; when it fails over everything, nothing is parked.
func TestPoison(t *testing.T) {
	for _, tc := range []struct {
		name     string
		probe    string
		all      bool
		batch    *sink.Batch
		tries    int
		parked   int
		delivers int
	}{
		{"one of many", "", false, records(0, 6), 1, 1, 5},
		{"everything", "", true, records(0, 6), 4, -1, 0},
		{"alone, and the probe says well", "/ping", false, records(3, 4), 5, 1, 0},
		{"alone, and nobody knows", "", false, records(3, 4), 5, 1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, e := world(t), newERP(t)
			table := put()
			table.Path = "/orders/{{.no}}"
			cfg := config(e, table)
			cfg.Probe = tc.probe
			s := open(t, target(t, w, cfg, nil), w)
			e.before = func(w http.ResponseWriter, r *http.Request) bool {
				if tc.all || strings.HasSuffix(r.URL.Path, "/3") {
					http.Error(w, "NullPointerException", http.StatusInternalServerError)
					return true
				}
				return false
			}
			var parked []sink.Parked
			var err error
			for range tc.tries {
				if parked, err = s.Apply(t.Context(), tc.batch); err == nil {
					break
				}
			}
			if tc.parked < 0 {
				if err == nil || retry.KindOf(err) != fault.Busy || s.Held() > 0 || len(e.said()) > mostSuspects*tc.tries {
					t.Errorf("%v, %d parked, %d calls", err, s.Held(), len(e.said()))
				}
				return
			}
			if err != nil || len(parked) != tc.parked || parked[0].Key != "3" || parked[0].Fault.Cause != fault.RestFails || !strings.Contains(parked[0].Fault.Error(), "NullPointer") || len(e.rows()) != tc.delivers {
				t.Fatalf("%v, parked %+v; the ERP has %v", err, parked, e.rows())
			}
			e.do(func() { e.before = nil })
			applied(t, s, &sink.Batch{Records: tc.batch.Records, Next: tc.batch.Next}) // as parked records are tried again
			if s.Held() > 0 || e.rows()[3] != "n3|3" {
				t.Errorf("held %d; the ERP has %v", s.Held(), e.rows())
			}
		})
	}
}

// TestRefused: a record that the server refuses is parked in the server's own words, and nothing else is.
func TestRefused(t *testing.T) {
	w, e, log := world(t), newERP(t), &kept{}
	s := open(t, target(t, w, config(e, put()), log), w)
	b := records(0, 3)
	b.Records[1] = sinktest.Record(1, 1, badName, 1)
	parked := applied(t, s, b)
	if len(parked) != 1 || parked[0].Fault.Cause != fault.RestRefused || !strings.Contains(parked[0].Fault.Error(), "customer kari@example.no is blocked") {
		t.Fatalf("parked %+v", parked)
	}
	if got := log.kinds(); got != "create ok, create parked, create ok" {
		t.Errorf("exchanges: %s", got)
	}
	// It was surely not done, so the next try is a new delivery with a key of its own.
	applied(t, s, &sink.Batch{Records: []sink.Record{sinktest.Record(3, 1, "good", 1)}, Next: 4})
	if got := e.said(); got[len(got)-1] != "PUT /orders/1 suite.erp/product/1/2" || s.Held() != 0 {
		t.Errorf("the last call is %s, %d are held", got[len(got)-1], s.Held())
	}
}

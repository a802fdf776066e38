package rest

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/retry"
	"shelfstream/sink"
)

// fails makes the server answer with a status as long as fail says so for an order's number.
func fails(t *testing.T, status int, fail func(no int) bool) (*erp, *session) {
	t.Helper()
	w, e := world(t), newERP(t)
	table := put()
	table.Path = "/orders/{{.no}}"
	s := open(t, target(t, w, config(e, table), nil), w)
	e.before = func(w http.ResponseWriter, r *http.Request) bool {
		no, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/orders/"))
		if err != nil || !fail(no) {
			return false
		}
		w.WriteHeader(status)
		return true
	}
	return e, s
}

// TestGatewayHiccups: a gateway that has no answer now and then costs one more call, and does not end the batch.
func TestGatewayHiccups(t *testing.T) {
	calls := 0
	e, s := fails(t, http.StatusBadGateway, func(int) bool { calls++; return calls%7 == 0 })
	if parked, err := s.Apply(t.Context(), records(0, 40)); err != nil || len(parked) > 0 || len(e.rows()) != 40 {
		t.Errorf("%v, parked %v; the ERP has %d", err, parked, len(e.rows()))
	}
}

// TestServerBreaksInTheMiddle: a server that fails over everything after some records is left alone soon, and nothing is parked.
func TestServerBreaksInTheMiddle(t *testing.T) {
	broken := true
	e, s := fails(t, http.StatusInternalServerError, func(no int) bool { return broken && no >= 5 })
	b := records(0, 200)
	if _, err := s.Apply(t.Context(), b); retry.KindOf(err) != fault.Busy || s.Held() > 0 || len(e.said()) != 5+mostInARow {
		t.Fatalf("%v, %d parked after %d calls", err, s.Held(), len(e.said()))
	}
	if _, err := s.Apply(t.Context(), b); retry.KindOf(err) != fault.Busy || len(e.said()) != 5+mostInARow+mostSuspects {
		t.Fatalf("%v after %d calls", err, len(e.said()))
	}
	e.do(func() { broken = false })
	if parked := applied(t, s, b); len(parked) > 0 || len(e.rows()) != 200 {
		t.Errorf("parked %v; the ERP has %d", parked, len(e.rows()))
	}
}

// TestPoisonInARow: records over which the server fails come one after the other, and there is no probe. They are parked, and all the others are delivered.
func TestPoisonInARow(t *testing.T) {
	for _, tc := range []struct{ first, poisoned, good int }{{0, 5, 20}, {0, 20, 60}, {4, 20, 60}} {
		poison := true
		e, s := fails(t, http.StatusInternalServerError, func(no int) bool { return poison && no >= tc.first && no < tc.first+tc.poisoned })
		n := tc.first + tc.poisoned + tc.good
		b := records(0, int64(n))
		var parked []sink.Parked
		var err error
		for range 40 {
			if parked, err = s.Apply(t.Context(), b); err == nil {
				break
			}
		}
		if err != nil || len(parked) != tc.poisoned || len(e.rows()) != n-tc.poisoned {
			t.Errorf("%+v: %v, %d parked; the ERP has %d", tc, err, len(parked), len(e.rows()))
		}
	}
}

// TestASlowServerIsNotSearched: where each call takes its time, looking further for one that goes well would hold everything up.
func TestASlowServerIsNotSearched(t *testing.T) {
	for _, slow := range []bool{false, true} {
		now, skip := time.Now(), time.Duration(0)
		e, s := fails(t, http.StatusInternalServerError, func(int) bool { return true })
		s.t.now = func() time.Time { return now.Add(skip) }
		b := records(0, 40)
		for range s.t.triesAlone {
			_, _ = s.Apply(t.Context(), b)
		}
		before := len(e.said())
		e.do(func() {
			fail := e.before
			e.before = func(w http.ResponseWriter, r *http.Request) bool {
				if slow {
					skip += 2 * s.t.call.timeout
				}
				return fail(w, r)
			}
		})
		_, _ = s.Apply(t.Context(), b)
		if n, want := len(e.said())-before, map[bool]int{false: 2 * mostSuspects, true: mostSuspects}[slow]; n != want {
			t.Errorf("slow %v: %d calls, want %d", slow, n, want)
		}
	}
}

package escalate

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func stored(t *testing.T, st State) State {
	t.Helper()
	b, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	var out State
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEscalation(t *testing.T) {
	two := []Step{{To: []string{"anna"}}, {After: 15 * time.Minute, To: []string{"board", "ola", "chat"}, By: []string{"sms"}}}
	utc := calendar(t, time.UTC, []string{"mon-fri 08:00-12:10"}, []string{"07-09"})
	for _, c := range []struct {
		name   string
		policy Policy
		script []string
		want   string
	}{
		{
			"first x, then z",
			Policy{Steps: two},
			[]string{"until 2h"},
			"0s opened anna by mail, 15m0s reminder ola by mail, 15m0s reminder kari by sms, 15m0s reminder chat by chat",
		},
		{"an acknowledgement in between", Policy{Steps: two}, []string{"until 10m", "ack", "until 2h"}, "0s opened anna by mail"},
		{
			"the all-clear to those who were told",
			Policy{Steps: two},
			[]string{"until 10m", "ack", "until 20m", "resolve", "until 1h"},
			"0s opened anna by mail, 21m0s all clear anna by mail",
		},
		{"nobody was told, nobody has the all-clear", Policy{Steps: []Step{{After: time.Hour, To: []string{"anna"}}}}, []string{"until 10m", "resolve", "until 3h"}, ""},
		{
			"loops",
			Policy{Steps: two[:1], Every: 30 * time.Minute, Times: 2},
			[]string{"until 5h"},
			"0s opened anna by mail, 30m0s reminder anna by mail, 1h0m0s reminder anna by mail",
		},
		{
			"loops until it is acknowledged",
			Policy{Steps: two[:1], Every: 30 * time.Minute},
			[]string{"until 65m", "ack", "until 5h"},
			"0s opened anna by mail, 30m0s reminder anna by mail, 1h0m0s reminder anna by mail",
		},
		{
			"acknowledged and not fixed",
			Policy{Steps: two[:1], Again: time.Hour},
			[]string{"until 10m", "ack", "until 90m", "ack", "until 2h"},
			"0s opened anna by mail, 1h11m0s reminder anna by mail",
		},
		{
			"a restart with overdue steps: once, in order",
			Policy{Steps: append(slices.Clone(two), Step{After: 15 * time.Minute, To: []string{"anna"}})},
			[]string{"until 1m", "restart", "skip 2h", "until 3h", "restart", "until 4h"},
			"0s opened anna by mail, 2h2m0s reminder ola by mail, 2h2m0s reminder kari by sms, 2h2m0s reminder chat by chat, 2h2m0s reminder anna by mail",
		},
		{
			"missed loops are not made up for",
			Policy{Steps: two[:1], Every: 10 * time.Minute},
			[]string{"until 1m", "restart", "skip 10h", "until 10h15m"},
			"0s opened anna by mail, 10h2m0s reminder anna by mail, 10h12m0s reminder anna by mail",
		},
		{"the next channel", Policy{Steps: two[:1]}, []string{"down mail", "until 2h"}, "0s opened anna by sms"},
		{
			"nobody can be reached: the next step at once, and again later",
			Policy{Steps: []Step{{To: []string{"ola"}}, {After: 4 * time.Hour, To: []string{"kari"}}}},
			[]string{"down mail", "until 5m", "up mail", "until 6h"},
			"1m0s reminder kari by sms, 7m0s opened ola by mail",
		},
		{
			"it comes back",
			Policy{Steps: two[:1]},
			[]string{"until 1m", "ack", "until 2m", "resolve", "until 5m", "reopen", "until 10m", "resolve", "until 20m"},
			"0s opened anna by mail, 3m0s all clear anna by mail, 6m0s reminder anna by mail, 11m0s all clear anna by mail",
		},
		{
			"over holidays and the weekend",
			Policy{Steps: []Step{{To: []string{"anna"}, Hours: "office"}, {After: 15 * time.Minute, To: []string{"ola"}, Hours: "office"}}},
			[]string{"until 60h"},
			"0s opened anna by mail, 44h0m0s reminder ola by mail",
		},
		{
			"it was due while nobody kept watch, and now it is closed",
			Policy{Steps: []Step{{To: []string{"anna"}, Hours: "office"}}},
			[]string{"skip 1h", "until 60h"},
			"44h0m0s opened anna by mail",
		},
		{
			"the all-clear waits for working hours",
			Policy{Steps: []Step{{To: []string{"anna"}, Hours: "office"}}},
			[]string{"until 20m", "resolve", "until 60h"},
			"0s opened anna by mail, 44h0m0s all clear anna by mail",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := people()
			c.policy.Name = "p"
			cfg.Policies, cfg.Calendars = []Policy{c.policy}, map[string]*Calendar{"office": utc}
			w := newWorld(t, cfg)
			w.play(c.script...)
			if got := strings.Join(w.got, ", "); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

func TestWorseIsToldToOthers(t *testing.T) {
	cfg := people()
	cfg.Policies = []Policy{{Name: "bad", Severities: []Severity{Critical}, Steps: []Step{{To: []string{"kari"}}}}, {Name: "rest", Steps: []Step{{To: []string{"anna"}}}}}
	w := newWorld(t, cfg)
	w.play("until 1m", "worse", "until 5m", "resolve", "until 10m")
	if got, want := strings.Join(w.got, ", "), "0s opened anna by mail, 2m0s reminder kari by sms, 6m0s all clear anna by mail, 6m0s all clear kari by sms"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !w.st.Settled(w.s) {
		t.Errorf("not settled: %+v", w.st)
	}
}

// Between handing out and noting the outcome the process dies: the next one sends again, with the same ID.
func TestACrashInDelivery(t *testing.T) {
	cfg := people()
	cfg.Policies = []Policy{{Name: "p", Steps: []Step{{To: []string{"anna"}}}}}
	w := newWorld(t, cfg)
	first, st, _ := w.p.Next(w.s, w.st, w.now)
	if again, _, wake := w.p.Next(w.s, st, w.now.Add(time.Minute)); len(again) != 0 || wake.IsZero() {
		t.Errorf("handed out while it is in delivery: %v, wake %s", again, wake)
	}
	w.st = st
	w.restart()
	second, st, _ := w.p.Next(w.s, w.st, w.now.Add(time.Minute))
	if len(first) != 1 || len(second) != 1 || first[0].ID != second[0].ID {
		t.Fatalf("first %v, then %v", first, second)
	}
	// It may have arrived, so an all-clear is owed although nothing was noted.
	w.st = st
	w.restart()
	w.s.Resolved = w.now.Add(2 * time.Minute)
	w.now = w.s.Resolved
	w.round()
	if got := strings.Join(w.got, ", "); got != "2m0s all clear anna by mail" {
		t.Errorf("got %s", got)
	}
}

package escalate

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// world is a keeper in a test: one incident, a clock, and people who note what they get.
type world struct {
	t        *testing.T
	cfg      Config
	p        *Policies
	s        Subject
	st       State
	now      time.Time
	down     map[string]bool // channels that fail
	got      []string
	restarts int
}

var noon = time.Date(2026, 7, 8, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, cfg Config) *world {
	t.Helper()
	w := &world{t: t, cfg: cfg, now: noon, down: map[string]bool{}, s: Subject{ID: "i1", Severity: Error, Data: "order", Link: "sink shop", Opened: noon}}
	w.restart()
	return w
}

// restart is another process that reads what was stored.
func (w *world) restart() {
	w.t.Helper()
	w.restarts++
	w.cfg.Owner = fmt.Sprintf("keeper %d", w.restarts)
	p, err := New(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.p, w.st = p, stored(w.t, w.st)
}

// round is one look of the keeper, with its deliveries.
func (w *world) round() {
	send, st, _ := w.p.Next(w.s, w.st, w.now)
	w.st = st
	for _, m := range send {
		w.deliver(m)
	}
}

func (w *world) deliver(m Message) {
	for _, c := range m.Channels {
		if !w.down[c] {
			w.got = append(w.got, fmt.Sprintf("%s %s %s by %s", w.now.Sub(noon), m.Reason, m.Person, c))
			w.st = w.p.Told(w.st, m, c, nil, w.now)
			return
		}
	}
	w.st = w.p.Told(w.st, m, "", errors.New("down"), w.now)
}

// play runs lines such as "until 40m", "ack", "resolve", "reopen", "restart", "down mail", "up mail", "skip 2h" (nobody keeps watch), "worse".
func (w *world) play(script ...string) {
	w.t.Helper()
	for _, l := range script {
		word, arg, _ := strings.Cut(l, " ")
		d, _ := time.ParseDuration(arg)
		switch word {
		case "until":
			for end := noon.Add(d); !w.now.After(end); w.now = w.now.Add(time.Minute) {
				w.round()
			}
		case "skip":
			w.now = w.now.Add(d)
		case "ack":
			w.s.Acked = w.now
		case "resolve":
			w.s.Resolved = w.now
		case "reopen":
			w.s.Resolved = time.Time{}
		case "restart":
			w.restart()
		case "down":
			w.down[arg] = true
		case "up":
			w.down[arg] = false
		case "worse":
			w.s.Severity = Critical
		default:
			w.t.Fatalf("what is %q?", l)
		}
	}
}

func people() Config {
	return Config{
		People:   []Person{{"anna", []string{"mail", "sms"}}, {"ola", []string{"mail"}}, {"kari", []string{"sms"}}},
		Groups:   map[string][]string{"board": {"ola", "kari", "ola"}},
		Channels: []string{"chat"},
	}
}

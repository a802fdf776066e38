package escalate

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestAhead: what is said of the next step is what then happens, and nothing changes by asking.
func TestAhead(t *testing.T) {
	two := []Step{{To: []string{"anna"}}, {After: 15 * time.Minute, To: []string{"board", "chat"}}}
	office := calendar(t, time.UTC, []string{"mon-fri 08:00-12:10"}, nil)
	for _, c := range []struct {
		name   string
		policy Policy
		script []string
		want   string // since noon, and who
	}{
		{"the next step", Policy{Steps: two}, []string{"until 1m"}, "15m0s ola kari chat"},
		{"the last step", Policy{Steps: two}, []string{"until 20m"}, "nobody"},
		{"acknowledged", Policy{Steps: two}, []string{"until 1m", "ack"}, "nobody"},
		{"acknowledged, and again", Policy{Steps: two, Again: time.Hour}, []string{"until 1m", "ack"}, "1h2m0s anna"},
		{"resolved", Policy{Steps: two}, []string{"until 1m", "resolve"}, "nobody"},
		{"again and again", Policy{Steps: two[:1], Every: 30 * time.Minute}, []string{"until 1m"}, "30m0s anna"},
		{"in its hours", Policy{Steps: []Step{two[0], {After: 15 * time.Minute, To: []string{"ola"}, Hours: "office"}}}, []string{"until 1m"}, "20h0m0s ola"},
	} {
		cfg := people()
		c.policy.Name = "p"
		cfg.Policies, cfg.Calendars = []Policy{c.policy}, map[string]*Calendar{"office": office}
		w := newWorld(t, cfg)
		w.play(c.script...)
		before := stored(t, w.st)
		at, who := w.p.Ahead(w.s, w.st, w.now)
		got := "nobody"
		if len(who) > 0 {
			got = at.Sub(noon).String() + " " + strings.Join(who, " ")
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if !reflect.DeepEqual(before, stored(t, w.st)) {
			t.Errorf("%s: asking has changed the state", c.name)
		}
	}
}

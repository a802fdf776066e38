package sink

import (
	"strings"
	"testing"
)

// What the target has seen is its place, and while it replays the place it once had; a replay of everything, whose end is not known, counts as nothing seen.
func TestPositionLostWhileReplaying(t *testing.T) {
	r := &Runner{cfg: RunnerConfig{Sink: "shop"}}
	p := &partition{Partition: Partition{View: View{Name: "product", Topic: "suite.product"}}}
	for _, c := range []struct {
		place Place
		seen  string // "" if nothing is lost
	}{
		{Place{Next: 10}, ""},
		{Place{Next: 11}, "offset 11,"},
		{Place{Next: 3, ReplayUntil: 10}, ""},
		{Place{Next: 3, ReplayUntil: 11}, "offset 11,"},
		{Place{Next: 3, ReplayUntil: endOfTopic}, ""},
		{Place{Next: 12, ReplayUntil: endOfTopic}, "offset 12,"},
		{Place{Next: 12, ReplayUntil: 5}, "offset 12,"},
	} {
		f := r.positionLost(p, c.place, 10)
		if (f != nil) != (c.seen != "") || f != nil && (!strings.Contains(f.What, c.seen) || f.Fix == "") {
			t.Errorf("%+v in a topic of 10: %v", c.place, f)
		}
	}
}

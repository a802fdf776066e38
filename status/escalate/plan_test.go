package escalate

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestPlanOrdersAndSumsUp(t *testing.T) {
	cfg := people()
	cfg.Most, cfg.Within = 3, 10*time.Minute
	cfg.Policies = []Policy{{Name: "p", Steps: []Step{{To: []string{"anna"}}}}}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var cases []Case
	add := func(data ...string) {
		for _, d := range data {
			cases = append(cases, Case{Subject: Subject{ID: fmt.Sprintf("%d-%s", len(cases), d), Severity: Error, Data: d, Opened: noon}})
		}
	}
	round := func(now time.Time) string {
		send, states, _ := p.Plan(cases, now)
		var out []string
		for i := range cases {
			cases[i].State = states[i]
		}
		for _, b := range send {
			out = append(out, strings.Join(b.About, "+"))
			for i := range cases {
				if strings.Contains(" "+strings.Join(b.About, " ")+" ", " "+cases[i].Subject.ID+" ") {
					cases[i].State = p.Told(cases[i].State, b.Message, "mail", nil, now)
				}
			}
		}
		return strings.Join(out, ", ")
	}
	add("image", "price", "order", "product", "")
	if got, want := round(noon), "4-, 2-order, 1-price+3-product+0-image"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	add("image", "order")
	if got := round(noon.Add(5 * time.Minute)); got != "" {
		t.Errorf("a fourth message within the time: %q", got)
	}
	if got, want := round(noon.Add(10*time.Minute)), "6-order, 5-image"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for i := range cases { // all-clears count too
		cases[i].Subject.Resolved = noon.Add(11 * time.Minute)
	}
	if got, want := round(noon.Add(11*time.Minute)), "4-+2-order+6-order+1-price+3-product+0-image+5-image"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, c := range cases {
		if !c.State.Settled(c.Subject) {
			t.Errorf("%s is not settled: %+v", c.Subject.ID, c.State)
		}
	}
}

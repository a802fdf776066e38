package incident

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status"
	"shelfstream/status/escalate"
)

// scenery plays reports to the rules, a look a second.
type scenery struct {
	t       *testing.T
	rules   Rules
	state   *State
	now     time.Time
	workers map[string]*Worker
	missing []Missing
	unasked map[string]bool
	away    time.Time
	silent  map[string]bool // workers that send no report any more
}

func newScenery(t *testing.T) *scenery {
	return &scenery{
		t: t, state: &State{}, now: time.Date(2026, 11, 18, 10, 0, 0, 0, time.UTC), workers: map[string]*Worker{}, silent: map[string]bool{},
		rules: Rules{
			Flow: map[string][]string{"sink shop": {"view product"}, "view product": {"source erp"}},
			Lookup: func(c fault.Cause) (fault.Entry, bool) {
				kinds := map[fault.Cause]fault.Kind{
					"mysql.unreachable": fault.Connection, "mysql.starting": fault.Busy, "mysql.denied": fault.Refused, "postgres.unreachable": fault.Connection,
					"rules.null": fault.Invalid, "guard.held": fault.Held, "kafka.unreachable": fault.Connection, "disk.full": fault.Full, "mysql.locked": fault.Busy,
				}
				e := fault.Entry{Cause: c, Kind: kinds[c], Severity: fault.Error}
				if strings.HasPrefix(string(c), "mysql.") {
					e.System = "MySQL"
				}
				if c == "kafka.unreachable" || c == "disk.full" {
					e.Severity = fault.Critical
				}
				return e, kinds[c] != ""
			},
		},
	}
}

// stage is a stage of a worker, made live if it is new.
func (sc *scenery) stage(worker, kind, name string) *status.Stage {
	w := sc.workers[worker]
	if w == nil {
		w = &Worker{Name: worker, Stages: make([]status.Stage, 0, 8)}
		sc.workers[worker] = w
	}
	for i := range w.Stages {
		if w.Stages[i].Kind == kind && w.Stages[i].Name == name {
			return &w.Stages[i]
		}
	}
	w.Stages = append(w.Stages, status.Stage{Kind: kind, Name: name, State: status.StateLive})
	return &w.Stages[len(w.Stages)-1]
}

// pass lets time pass, and looks each second.
func (sc *scenery) pass(d time.Duration) {
	sc.t.Helper()
	for range int(d / time.Second) {
		sc.now = sc.now.Add(time.Second)
		in := Input{Now: sc.now, Missing: sc.missing, Unasked: sc.unasked, Away: sc.away}
		var names []string
		for name := range sc.workers {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			w := sc.workers[name]
			if !sc.silent[name] {
				w.At = sc.now
			}
			in.Workers = append(in.Workers, *w)
		}
		sc.state = sc.rules.Look(sc.state, in)
	}
}

// want compares the open incidents, "link cause count" each, with " behind link" if it is held back.
func (sc *scenery) want(want ...string) {
	sc.t.Helper()
	var have []string
	for _, i := range sc.state.Incidents {
		if i.Open() {
			text := fmt.Sprintf("%s %s %d", i.Link, i.Cause, i.Count)
			if i.Behind != "" {
				text += " behind " + sc.state.Incidents[i.Behind].Link
			}
			have = append(have, text)
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		sc.t.Fatalf("open are\n  %s\nwant\n  %s", strings.Join(have, "\n  "), strings.Join(want, "\n  "))
	}
}

// only is the one incident there is, open or not.
func (sc *scenery) only() *Incident {
	sc.t.Helper()
	if len(sc.state.Incidents) != 1 {
		sc.t.Fatalf("there are %d incidents", len(sc.state.Incidents))
	}
	for _, i := range sc.state.Incidents {
		return i
	}
	return nil
}

func (sc *scenery) fail(s *status.Stage, cause fault.Cause, what string) {
	s.State = status.StateRetrying
	s.Faults = fault.List{{Class: fault.Environment, Cause: cause, Where: "sink shop", What: what, Fix: "start it"}}
}

func (sc *scenery) heal(s *status.Stage) {
	s.State, s.Faults, s.Attempt = status.StateLive, nil, 0
}

// TestOutage: a link is an incident after its tries, one for the whole outage whatever each try says and however many workers say it, and is resolved when it has been well for a moment.
func TestOutage(t *testing.T) {
	sc := newScenery(t)
	a, b := sc.stage("a", status.KindSink, "shop"), sc.stage("b", status.KindSink, "shop")
	sc.pass(5 * time.Second)
	sc.fail(a, "mysql.unreachable", "connection refused")
	a.Attempt = 4
	sc.pass(20 * time.Second)
	sc.want()
	next := sc.now.Add(30 * time.Second)
	a.Attempt, a.NextTry = 5, next
	sc.pass(time.Second)
	sc.want("sink shop mysql.unreachable 5")
	if i := sc.only(); i.What != "MySQL of sink shop: connection refused" || i.Tries != 5 || !i.NextTry.Equal(next) {
		t.Errorf("%+v", i)
	}
	sc.fail(b, "mysql.starting", "it starts up")
	sc.fail(a, "mysql.starting", "it starts up")
	b.Attempt = 2
	sc.pass(20 * time.Second)
	sc.want("sink shop mysql.starting 7")
	sc.heal(a)
	sc.pass(time.Minute)
	sc.want("sink shop mysql.starting 2") // b still says so
	sc.heal(b)
	sc.pass(9 * time.Second)
	sc.want("sink shop mysql.starting 2")
	sc.pass(3 * time.Second)
	sc.want()
	if i := sc.only(); i.Fix != "start it" || !i.NextTry.IsZero() || !strings.HasPrefix(i.Log[len(i.Log)-1].What, "resolved by itself, after 1 min") {
		t.Errorf("%+v", i)
	}
}

// TestNobodyCountsTries: trouble that passes by itself, of which no tries are counted, is an incident when it lasts.
func TestNobodyCountsTries(t *testing.T) {
	sc := newScenery(t)
	s := sc.stage("a", status.KindSink, "shop")
	s.State, s.Detail = status.StateRetrying, "i/o timeout"
	sc.pass(29 * time.Second)
	sc.want()
	sc.pass(3 * time.Second)
	sc.want("sink shop shelfstream.unexpected 1")
}

// TestNoRetry: what no try mends is an incident at once.
func TestNoRetry(t *testing.T) {
	sc := newScenery(t)
	s := sc.stage("a", status.KindSink, "shop")
	s.State = "blocked"
	for n := range 30 {
		s.Faults.Add(&fault.Fault{Cause: "mysql.denied", Where: fmt.Sprintf("sink shop: table t%d", n), What: "no privilege"})
	}
	sc.pass(time.Second)
	sc.want("sink shop mysql.denied 30")
	if i := sc.only(); len(i.Samples) != maxSamples {
		t.Errorf("samples %v", i.Samples)
	}
}

// TestParked: 5,000 products of one cause at one place are one incident, over all workers; other causes are others.
func TestParked(t *testing.T) {
	sc := newScenery(t)
	a, b := sc.stage("a", status.KindTransform, "product"), sc.stage("b", status.KindTransform, "product")
	rule := status.FaultJSON{Cause: "rules.null", Where: "product.rules.yaml:7:3", What: "vat.rate is null"}
	a.Troubles = []status.Trouble{{Fault: rule, Count: 3000, First: sc.now.Add(-time.Minute), Last: sc.now, Samples: []string{"1", "2", "3", "4", "5"}}}
	b.Troubles = []status.Trouble{{Fault: rule, Count: 2000, First: sc.now, Last: sc.now, Samples: []string{"6"}}}
	sc.pass(time.Second)
	sc.want("view product rules.null 5000")
	other := rule
	other.Where = "product.rules.yaml:9:3"
	a.Troubles = append(a.Troubles, status.Trouble{Fault: other, Count: 1})
	sc.pass(time.Second)
	sc.want("view product rules.null 5000", "view product rules.null 1")
	a.Troubles, b.Troubles[0].Count = nil, 1
	sc.pass(time.Minute)
	sc.want("view product rules.null 1")
	b.Troubles = nil
	sc.pass(time.Minute)
	sc.want()
}

// TestHeld: each guard that holds waits for a decision of its own, and stops nothing.
func TestHeld(t *testing.T) {
	sc := newScenery(t)
	s := sc.stage("a", status.KindTransform, "product")
	sc.stage("a", status.KindSink, "shop")
	for _, g := range []string{"view product, guard mass", "view product, guard price"} {
		s.Faults.Add(&fault.Fault{Cause: "guard.held", Where: g, What: "changes are held"})
	}
	sc.pass(time.Second)
	sc.want("view product guard.held 1", "view product guard.held 1")
}

// TestManyCauses: with ever new causes, the incidents of a link stay bounded, and those that are known stay themselves.
func TestManyCauses(t *testing.T) {
	sc := newScenery(t)
	s := sc.stage("a", status.KindTransform, "product")
	s.Troubles = []status.Trouble{{Fault: status.FaultJSON{What: "the first"}, Count: 1}}
	sc.pass(time.Second)
	first := sc.only().ID
	for n := range 400 {
		s.Troubles = append(s.Troubles, status.Trouble{Fault: status.FaultJSON{What: fmt.Sprintf("cause %c%c", 'a'+n%20, 'a'+n/20)}, Count: int64(2 + n)})
	}
	sc.pass(5 * time.Second)
	if n := len(sc.state.open()); n != maxOfLink {
		t.Errorf("%d incidents", n)
	}
	if i := sc.state.Incidents[first]; i == nil || !i.Open() {
		t.Errorf("the first one has gone: %+v", i)
	}
	var sum int64
	for _, i := range sc.state.Incidents {
		sum += i.Count
	}
	if sum != 1+400*401/2+400 {
		t.Errorf("%d products are counted", sum)
	}
}

// TestTakenOver: a worker that ends without a word is an incident only while nobody has its work, and what it said holds until then.
func TestTakenOver(t *testing.T) {
	sc := newScenery(t)
	a, b := sc.stage("a", status.KindSink, "shop"), sc.stage("b", status.KindSink, "shop")
	a.Positions = []status.Position{{Name: "product/0"}, {Name: "product/1"}}
	b.Positions = []status.Position{{Name: "product/2"}, {Name: "product/3"}}
	a.Troubles = []status.Trouble{{Fault: status.FaultJSON{Cause: "rules.null", Where: "x", What: "too long"}, Count: 7}}
	sc.pass(10 * time.Second)
	sc.silent["a"] = true
	sc.pass(20 * time.Second)
	b.State = status.StateStarting // the partitions are being given to it
	sc.pass(20 * time.Second)
	b.State = status.StateLive
	b.Positions = append(b.Positions, a.Positions...)
	b.Troubles = a.Troubles
	sc.pass(time.Minute)
	sc.want("sink shop rules.null 7")
	if n := sc.only().Flaps; n != 0 {
		t.Errorf("it came back %d times", n)
	}

	sc.silent["b"] = true
	sc.pass(35 * time.Second)
	sc.want("sink shop rules.null 7", "sink shop pipeline.gone 1")
	clear(sc.workers) // the roster has forgotten them
	sc.pass(time.Hour)
	sc.want("sink shop rules.null 7", "sink shop pipeline.gone 1")
	sc.stage("c", status.KindSink, "shop").State = status.StateStarting
	sc.pass(time.Minute)
	sc.want("sink shop rules.null 7", "sink shop pipeline.gone 1")
	sc.stage("c", status.KindSink, "shop").State = status.StateLive
	sc.pass(20 * time.Second)
	sc.want()
}

// TestCleanEnd: a worker that takes its leave is no incident, and is no cure either.
func TestCleanEnd(t *testing.T) {
	sc := newScenery(t)
	s := sc.stage("a", status.KindSink, "shop")
	sc.stage("b", status.KindCapture, "erp")
	sc.fail(s, "mysql.unreachable", "refused")
	s.Attempt = 9
	sc.pass(time.Second)
	delete(sc.workers, "a")
	sc.pass(time.Hour)
	sc.want("sink shop mysql.unreachable 9")
}

// TestStandby: who has nothing to do is not missed.
func TestStandby(t *testing.T) {
	sc := newScenery(t)
	sc.stage("a", status.KindCapture, "erp")
	sc.stage("b", status.KindCapture, "erp").State = status.StateStandby
	sc.pass(10 * time.Second)
	sc.silent["b"] = true
	sc.pass(time.Minute)
	sc.want()
	sc.silent["a"], sc.silent["b"] = true, false
	sc.pass(time.Minute)
	sc.want("source erp pipeline.gone 1") // b stands by and does nothing
}

// TestInhibited: what follows from a link that is down is shown and held back behind it, and let go if it outlasts it.
func TestInhibited(t *testing.T) {
	sc := newScenery(t)
	sc.rules.Lag = time.Minute
	erp, view, shop := sc.stage("a", status.KindCapture, "erp"), sc.stage("a", status.KindTransform, "product"), sc.stage("a", status.KindSink, "shop")
	view.LastHeartbeat = sc.now
	sc.pass(time.Second)
	sc.fail(erp, "postgres.unreachable", "no answer")
	erp.Attempt = 3 // it has not tried often enough: what follows waits for it
	view.LastHeartbeat = sc.now.Add(-time.Hour)
	sc.pass(2 * time.Second)
	sc.want()
	erp.Attempt = 5
	shop.Positions = []status.Position{{Name: "product/0", LagSeconds: 100}}
	shop.Troubles = []status.Trouble{{Fault: status.FaultJSON{Cause: "mysql.locked", Where: "product", What: "locked"}, Count: 3}, {Fault: status.FaultJSON{Cause: "rules.null", Where: "y", What: "null"}, Count: 4}}
	e := Expectation{Name: "orders", Topics: []string{"x.order"}, Within: time.Hour}
	sc.rules.Flow[e.Link()] = []string{"view product"}
	sc.missing = []Missing{{Expectation: &e, Newest: sc.now}}
	sc.pass(15 * time.Second)
	sc.want("source erp postgres.unreachable 5", "view product pipeline.silent 1 behind source erp", "sink shop pipeline.lag 1 behind source erp",
		"sink shop mysql.locked 3 behind source erp", "sink shop rules.null 4", "expectation orders pipeline.missing 1 behind source erp")
	sc.heal(erp)
	view.LastHeartbeat = sc.now.Add(time.Hour)
	shop.Troubles = nil
	sc.pass(30 * time.Second)
	sc.want("sink shop pipeline.lag 1 behind source erp", "expectation orders pipeline.missing 1 behind source erp")
	sc.missing = nil
	sc.pass(3 * time.Minute)
	sc.want("sink shop pipeline.lag 1")
	for _, i := range sc.state.Incidents {
		if i.Cause == CauseLag && (i.Freed.IsZero() || !i.Subject().Opened.Equal(i.Freed)) {
			t.Errorf("its escalation does not begin when it was let go: %+v", i)
		}
	}
}

// TestLogDown: the log and the disk are common to all; what many stages say of them is one incident.
func TestLogDown(t *testing.T) {
	sc := newScenery(t)
	for _, name := range []string{"a", "b"} {
		s := sc.stage(name, status.KindTransform, "product")
		sc.fail(s, "kafka.unreachable", "no broker")
		s.Attempt = 6
	}
	sink := sc.stage("a", status.KindSink, "shop")
	sink.Faults = fault.List{{Cause: "kafka.unreachable", Where: "kafka 10.0.0.1", What: "no broker"}}
	sc.pass(time.Second)
	sc.want("log kafka.unreachable 13")
	if i := sc.only(); i.Severity != escalate.Critical {
		t.Errorf("it is %s", i.Severity)
	}
}

// TestFlapping: what comes back at once is the same incident, and must be well for longer each time.
func TestFlapping(t *testing.T) {
	sc := newScenery(t)
	s := sc.stage("a", status.KindSink, "shop")
	resolved := 0
	for range 200 {
		sc.fail(s, "mysql.unreachable", "refused")
		s.Attempt = 5
		sc.pass(2 * time.Second)
		sc.heal(s)
		sc.pass(12 * time.Second)
		if !sc.only().Open() {
			resolved++
		}
	}
	i := sc.only()
	if resolved != 1 || i.Flaps != 1 || !strings.Contains(i.Log[2].What, "second time") {
		t.Errorf("resolved %d times, came back %d times: %+v", resolved, i.Flaps, i.Log)
	}
	sc.pass(time.Hour)
	sc.want()
	sc.fail(s, "mysql.unreachable", "refused")
	s.Attempt = 5
	sc.pass(time.Second)
	if len(sc.state.Incidents) != 2 {
		t.Error("an hour later it is the same incident still")
	}
}

// TestSilent: a stage that hears nothing, and knows of no fault, is an incident by its own clock, whatever ours says.
func TestSilent(t *testing.T) {
	sc := newScenery(t)
	s := sc.stage("a", status.KindCapture, "erp")
	s.State = status.StateStreaming
	s.LastHeartbeat = sc.now
	sc.pass(2 * time.Minute)
	sc.want()
	sc.pass(2 * time.Second)
	sc.want("source erp pipeline.silent 1")
	s.LastHeartbeat = sc.now.Add(time.Minute)
	sc.pass(15 * time.Second)
	sc.want()
}

// TestHistory: of what is over the newest 500 are kept, for 30 days.
func TestHistory(t *testing.T) {
	sc := newScenery(t)
	sc.state.Incidents = map[string]*Incident{}
	for n := range 800 {
		at := sc.now.Add(-time.Duration(n) * 2 * time.Hour)
		id := fmt.Sprint(n)
		sc.state.Incidents[id] = &Incident{ID: id, Key: id, Link: "sink shop", Opened: at, Resolved: at}
	}
	sc.pass(time.Second)
	if n := len(sc.state.Incidents); n != 360 { // 30 days of one each two hours
		t.Errorf("%d are kept", n)
	}
	for n := range 800 {
		id := fmt.Sprint(n)
		sc.state.Incidents[id] = &Incident{ID: id, Key: id, Link: "sink shop", Opened: sc.now, Resolved: sc.now.Add(-time.Duration(n) * time.Second)}
	}
	sc.pass(time.Second)
	if n := len(sc.state.Incidents); n != 500 || sc.state.Incidents["0"] == nil || sc.state.Incidents["799"] != nil {
		t.Errorf("%d are kept", n)
	}
}

// TestLinkLeft: what was wrong with a link that the configuration has no more is over.
func TestLinkLeft(t *testing.T) {
	sc := newScenery(t)
	s := sc.stage("a", status.KindSink, "shop")
	sc.fail(s, "mysql.denied", "no")
	sc.pass(time.Second)
	delete(sc.workers, "a")
	sc.rules.Links = []string{"source erp"}
	sc.pass(20 * time.Second)
	sc.want()
}

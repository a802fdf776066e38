package incident

import (
	"strings"
	"testing"
	"time"

	"shelfstream/status"
)

// TestStoodStill: a keeper that stood still, alone or with all others, has read nothing of what they said meanwhile. It takes nobody for gone or silent before their reports can have come,
// and then those who are.
func TestStoodStill(t *testing.T) {
	for _, pause := range []time.Duration{15 * time.Second, time.Minute, time.Hour} {
		sc := newScenery(t)
		erp := sc.stage("a", status.KindCapture, "erp")
		erp.State, erp.LastHeartbeat = status.StateStreaming, sc.now
		shop := sc.stage("a", status.KindSink, "shop")
		sc.stage("b", status.KindSink, "b2b")
		sc.pass(10 * time.Second)
		sc.fail(shop, "mysql.unreachable", "refused") // for a moment only
		sc.pass(2 * time.Second)
		sc.silent["a"], sc.silent["b"] = true, true
		sc.now = sc.now.Add(pause)
		sc.pass(5 * time.Second) // their reports are not read yet
		sc.want()
		sc.silent["a"] = false
		sc.heal(shop)
		erp.LastHeartbeat = sc.now.Add(2 * time.Minute)
		sc.pass(15 * time.Second)
		sc.want()
		sc.pass(2 * time.Minute)
		sc.want("sink b2b pipeline.gone 1")

		// What did not show in the last look before is not over.
		sc.silent["b"] = false
		sc.pass(5 * time.Second)
		sc.silent["b"] = true
		sc.now = sc.now.Add(pause)
		sc.pass(time.Second)
		sc.want("sink b2b pipeline.gone 1")
	}
}

// TestClockGoesBack: a clock that is set back neither resolves nor opens anything, nor keeps a timer waiting until it has caught up.
func TestClockGoesBack(t *testing.T) {
	sc := newScenery(t)
	s := sc.stage("a", status.KindSink, "shop")
	sc.fail(s, "mysql.unreachable", "refused")
	s.Attempt = 5
	sc.pass(time.Minute)
	id := sc.only().ID
	// Another keeper takes over, on a machine whose clock is a day behind.
	sc.state.memory = memory{}
	sc.now = sc.now.Add(-24 * time.Hour)
	sc.pass(time.Minute)
	sc.want("sink shop mysql.unreachable 5")
	sc.heal(s)
	sc.pass(15 * time.Second)
	sc.want()
	if i := sc.only(); i.ID != id || i.Open() || strings.Contains(i.Log[len(i.Log)-1].What, "-") {
		t.Errorf("%+v", i)
	}
}

// TestClockGoesBackWhileBehind: what waited behind trouble that is over is let go in time, also by a keeper whose clock is a day behind that of the one before.
func TestClockGoesBackWhileBehind(t *testing.T) {
	sc := newScenery(t)
	sc.rules.Lag = time.Minute
	erp, shop := sc.stage("a", status.KindCapture, "erp"), sc.stage("a", status.KindSink, "shop")
	sc.fail(erp, "postgres.unreachable", "no answer")
	erp.Attempt = 5
	shop.Positions = []status.Position{{Name: "product/0", LagSeconds: 100}}
	sc.pass(15 * time.Second)
	sc.heal(erp)
	sc.pass(15 * time.Second)
	sc.want("sink shop pipeline.lag 1 behind source erp")
	sc.state.memory = memory{}
	sc.now = sc.now.Add(-24 * time.Hour)
	sc.pass(3 * time.Minute)
	sc.want("sink shop pipeline.lag 1")
}

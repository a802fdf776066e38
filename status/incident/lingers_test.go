package incident

import (
	"testing"
	"time"

	"shelfstream/status"
)

// TestLingers: what may be left of a log that was away is an incident only if it is there for longer than that; what has nothing to do with it is one as soon as reports of before are through.
func TestLingers(t *testing.T) {
	sc := newScenery(t)
	sc.away = sc.now
	view, shop := sc.stage("a", status.KindTransform, "product"), sc.stage("a", status.KindSink, "shop")
	sc.fail(view, "kafka.unreachable", "no broker")
	sc.fail(shop, "mysql.unreachable", "refused")
	view.Attempt, shop.Attempt = 5, 5
	sc.pass(time.Minute)
	sc.want("sink shop mysql.unreachable 5")
	sc.pass(2 * time.Minute)
	sc.want("sink shop mysql.unreachable 5", "log kafka.unreachable 5")
}

// TestReportsOfBefore: what a report says that was on its way while the log was away is let pass; what is still so afterwards is an incident.
func TestReportsOfBefore(t *testing.T) {
	sc := newScenery(t)
	shop := sc.stage("a", status.KindSink, "shop")
	sc.pass(5 * time.Second)
	sc.away = sc.now
	sc.fail(shop, "mysql.unreachable", "connection refused")
	shop.Attempt = 9
	sc.pass(9 * time.Second)
	sc.want()
	sc.pass(2 * time.Second)
	sc.want("sink shop mysql.unreachable 9")
}

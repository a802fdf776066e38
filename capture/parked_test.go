package capture_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	kgo "github.com/segmentio/kafka-go"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/status"
)

// bad is an amount that numeric(12,2) does not hold.
const bad = 10_000_000_000_000

// noise is text that no compression makes smaller.
func noise(n int) string {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(' ' + r.IntN(95))
	}
	return string(b)
}

// parked reads what the parked topic holds, by the rows' names for people.
func (e *env) parked() map[string]capture.Parked {
	e.Helper()
	byKey := map[string]capture.Parked{}
	e.must(e.client.Scan(e.ctx, capture.ParkedTopic(pipeline, sourceName), 0, 0, -1, func(r *kafka.Record) error {
		if r.Value == nil {
			delete(byKey, string(r.Key))
			return nil
		}
		var p capture.Parked
		e.must(json.Unmarshal(r.Value, &p))
		byKey[string(r.Key)] = p
		return nil
	}))
	out := map[string]capture.Parked{}
	for _, p := range byKey {
		out[p.Key] = p
	}
	return out
}

func (e *env) wantParked(names ...string) map[string]capture.Parked {
	e.Helper()
	all := e.parked()
	for _, n := range names {
		if _, ok := all[n]; !ok {
			e.Fatalf("%s is not parked: %v", n, all)
		}
	}
	if len(all) != len(names) {
		e.Fatalf("parked are %v, want %v", all, names)
	}
	return all
}

// wantRows checks a table's newest rows, as id|owner|label|amount by id.
func (e *env) wantRows(table string, want ...string) {
	e.Helper()
	topic := capture.RawTopic(pipeline, sourceName, table)
	got := e.rowsBelow(e.checkpoint().Topic(topic))
	all := map[string]string{}
	for _, w := range want {
		all[w] = w
	}
	for _, g := range got {
		if _, ok := all[g]; !ok {
			e.Errorf("%s holds %.80q", table, g)
		}
		delete(all, g)
	}
	for w := range all {
		e.Errorf("%s lacks %.80q", table, w)
	}
}

func TestRowIsParkedUntilItIsGood(t *testing.T) {
	e := newEnv(t)
	r, stop := e.run()
	e.reaches("0")
	first, second := capturetest.Row{ID: 1, Owner: 1, Cents: 100}, capturetest.Row{ID: 2, Owner: 1, Cents: 200}
	worse := first
	worse.Cents = bad
	e.db.Commit(insert(head, first), insert(head, second))
	e.db.Commit(update(head, first, worse))
	second.Cents = 250
	e.db.Commit(update(head, second, second))
	e.reaches("3")
	e.wantRows(head, "1|1|null|1.00", "2|1|null|2.50") // the last good version stays, and the others go on
	p := e.wantParked("head/1")["head/1"]
	if p.Table != head || p.Transaction != "tx2" || !strings.Contains(p.What, "amount") || !strings.Contains(p.Fix, "resnapshot -source erp -table head") || p.Since.IsZero() {
		t.Errorf("parked as %+v", p)
	}
	shown := func(r *capture.Runner) bool {
		st := r.Status()
		return st.Parked == 1 && len(st.Faults) == 0 && len(st.Troubles) == 1 && slices.ContainsFunc(st.Troubles, func(x status.Trouble) bool {
			return strings.HasSuffix(x.Fault.Where, "row …") && strings.Contains(x.Fault.What, "amount") && x.Fault.Fix != "" &&
				x.Count == 1 && slices.Equal(x.Samples, []string{"head/1"}) && x.First.Equal(p.Since)
		})
	}
	if !shown(r) {
		t.Errorf("the status says %+v", r.Status())
	}
	stop()
	r, stop = e.run() // which does not see the row again
	e.eventually("the next worker shows it", func() bool { return shown(r) })
	first.Cents = 300
	e.db.Commit(update(head, worse, first))
	e.reaches("4")
	e.wantRows(head, "1|1|null|3.00", "2|1|null|2.50")
	e.wantParked()
	if st := r.Status(); st.Parked != 0 || len(st.Faults) > 0 || len(st.Troubles) > 0 {
		t.Errorf("the status says %+v", st)
	}
	stop()
}

// Whatever becomes of a parked row: it is deleted, emptied away, gets another key, or another partition.
func TestParkedRowIsGone(t *testing.T) {
	e := newEnv(t)
	_, stop := e.run()
	e.reaches("0")
	good := func(id, owner int64) capturetest.Row { return capturetest.Row{ID: id, Owner: owner, Cents: 1} }
	worse := func(r capturetest.Row) capturetest.Row { r.Cents = bad; return r }
	there := int64(2) // in another partition than 1
	for at := func(n int64) int32 { return schemas.Partition([]schemas.Value{schemas.Int(n)}, partitions) }; at(there) == at(1); {
		there++
	}
	e.db.Commit(insert(head, good(1, 1)), insert(head, good(2, 1)), insert(line, good(1, 1)), insert(line, good(2, 1)))
	e.db.Commit(update(head, good(1, 1), worse(good(1, 1))), update(head, good(2, 1), worse(good(3, 1))), insert(head, worse(good(4, 1))),
		update(line, good(1, 1), worse(good(1, there))), insert(line, worse(good(5, 1))))
	e.reaches("2")
	e.wantParked("head/1", "head/3", "head/4", "line/1", "line/5")
	e.wantRows(head, "1|1|null|0.01") // 2 is no key any more
	e.wantRows(line, "2|1|null|0.01") // 1 is in another partition now
	e.db.Commit(remove(head, worse(good(1, 1))), update(head, worse(good(3, 1)), good(6, 1)), update(line, worse(good(1, there)), good(1, 3)))
	e.reaches("3")
	e.wantParked("head/4", "line/5")
	e.wantRows(head, "6|1|null|0.01")
	e.wantRows(line, "2|1|null|0.01", "1|3|null|0.01")
	e.db.Commit(capturetest.Change{Table: head, Truncate: true})
	e.reaches("4")
	e.wantParked("line/5")
	e.wantRows(head)
	stop()
}

func TestLargeRows(t *testing.T) {
	e := newEnv(t)
	e.change = func(c *capture.RunnerConfig) { c.ProducerBytes = 1 << 20 } // less than the row takes
	_, stop := e.run()
	e.reaches("0")
	e.db.Commit(insert(head, capturetest.Row{ID: 1, Label: noise(3 << 20)}), insert(head, capturetest.Row{ID: 2, Label: noise(15 << 20)}))
	e.exact(e.reaches("1"))
	e.wantParked()
	e.db.Commit(insert(head, capturetest.Row{ID: 3, Label: noise(17 << 20)}), insert(line, capturetest.Row{ID: 1}))
	cp := e.reaches("2")
	e.wantParked("head/3")
	if rows := e.rowsBelow(cp.Topic(capture.RawTopic(pipeline, sourceName, line))); len(rows) != 1 {
		t.Errorf("the other table holds %v", rows)
	}
	stop()
}

// A topic made with a lower limit counts as it is; compression counts too; and once it accepts more, the row is read again by itself.
func TestTooLargeForTheTopic(t *testing.T) {
	e := newEnv(t)
	e.change = func(c *capture.RunnerConfig) { c.TopicConfigs = map[string]string{"max.message.bytes": "3000"} }
	_, stop := e.run()
	e.reaches("0")
	e.db.Commit(insert(head, capturetest.Row{ID: 1, Label: strings.Repeat("a", 5000)}), insert(head, capturetest.Row{ID: 2, Label: noise(5000)}))
	e.reaches("1")
	p := e.wantParked("head/2")["head/2"]
	if p.Bytes < 5000 || !strings.Contains(p.Fix, fmt.Sprintf("max.message.bytes=%d,", 2*p.Bytes)) || !strings.Contains(p.Fix, "resnapshot -source erp -table head") {
		t.Errorf("parked as %+v", p)
	}
	stop()
	admin := &kgo.Client{Addr: kgo.TCP(e.cluster.ListenAddrs()[0]), Transport: &kgo.Transport{}}
	res, err := admin.IncrementalAlterConfigs(e.ctx, &kgo.IncrementalAlterConfigsRequest{Resources: []kgo.IncrementalAlterConfigsRequestResource{{
		ResourceType: kgo.ResourceTypeTopic, ResourceName: capture.RawTopic(pipeline, sourceName, head),
		Configs: []kgo.IncrementalAlterConfigsRequestConfig{{Name: "max.message.bytes", Value: "10000", ConfigOperation: kgo.ConfigOperationSet}},
	}}})
	e.must(err)
	e.must(res.Resources[0].Error)
	_, stop = e.run()
	e.eventually("nothing is parked any more", func() bool { return len(e.parked()) == 0 })
	e.eventually("its checkpoint", func() bool {
		return len(e.rowsBelow(e.checkpoint().Topic(capture.RawTopic(pipeline, sourceName, head)))) == 2
	})
	stop()
}

// A snapshot parks too, leaves the last good version of a row that it cannot write, and clears what it found good or gone.
func TestSnapshotParks(t *testing.T) {
	e := newEnv(t)
	row := func(id, cents int64) capturetest.Row { return capturetest.Row{ID: id, Owner: id, Cents: cents} }
	e.db.Commit(insert(head, row(1, 1)), insert(head, row(2, bad)), insert(head, row(3, bad)), insert(head, row(4, 4)))
	_, stop := e.run()
	e.reaches("1")
	e.wantParked("head/2", "head/3")
	e.wantRows(head, "1|1|null|0.01", "4|4|null|0.04")
	stop()
	// The slot is lost, and with it what happened meanwhile.
	e.db.Commit(update(head, row(1, 1), row(1, bad)), update(head, row(2, bad), row(2, 2)), remove(head, row(3, bad)), remove(head, row(4, 4)))
	e.db.Lose()
	e.must(capture.RequestResnapshot(e.ctx, e.client, pipeline, sourceName, nil, "test"))
	_, stop = e.run()
	e.reaches("2")
	e.eventually("the end of the snapshot", func() bool { return len(e.parked()) == 1 })
	e.wantParked("head/1")
	e.wantRows(head, "1|1|null|0.01", "2|2|null|0.02")
	stop()
}

// The worker dies after the parked record, or its tombstone, is written and before the checkpoint.
func TestCrashAroundParking(t *testing.T) {
	e := newEnv(t)
	e.change = func(c *capture.RunnerConfig) { c.CloseTimeout = 1 }
	checkpoints := capture.CheckpointTopic(pipeline, sourceName)
	noCheckpoints := func(topics []string) bool { return slices.Contains(topics, checkpoints) }
	first, worse := capturetest.Row{ID: 1, Cents: 1}, capturetest.Row{ID: 1, Cents: bad}
	_, stop := e.run()
	e.reaches("0")
	e.db.Commit(insert(head, first))
	e.reaches("1")
	die := func(when string, n int) {
		t.Helper()
		e.eventually(when, func() bool { return len(e.parked()) == n })
		stop()
		e.cut.Store(nil)
		if e.checkpoint().Position == string(e.db.End()) {
			t.Fatal("there is a checkpoint already")
		}
	}
	e.cut.Store(&noCheckpoints)
	e.db.Commit(update(head, first, worse))
	die("the row is parked", 1)
	_, stop = e.run()
	e.reaches("2")
	e.wantParked("head/1")
	e.wantRows(head, "1|0|null|0.01")
	e.cut.Store(&noCheckpoints)
	first.Cents = 2
	e.db.Commit(update(head, worse, first))
	die("the row is cleared", 0)
	_, stop = e.run()
	e.reaches("3")
	e.wantParked()
	e.wantRows(head, "1|0|null|0.02")
	// Parked, cleared and parked again behind one checkpoint: the next worker goes through all of it.
	e.cut.Store(&noCheckpoints)
	e.db.Commit(update(head, first, worse))
	e.db.Commit(update(head, worse, first))
	e.db.Commit(update(head, first, worse))
	die("the row is parked again", 1)
	_, stop = e.run()
	e.reaches("6")
	e.wantParked("head/1")
	stop()
}

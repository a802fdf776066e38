package transform

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/status"
)

func num(n int64) schemas.Value  { return schemas.Int(n) }
func txt(s string) schemas.Value { return schemas.Text(s) }
func dec(c int64) schemas.Value  { return schemas.Dec(c, 2) }
func day(s string) schemas.Value {
	at, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return schemas.Value{Kind: schemas.KindDate, Int: at.Unix() / 86400}
}

// product writes a whole product at a revision.
func (l *lab) product(no, rev int64) {
	l.put("product", num(no), txt(fmt.Sprintf("wine %d", no)), num(1), num(rev))
	l.put("price", num(no), num(1), dec(100+rev), num(rev))
}

func TestTransactionsStayWhole(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	for no := range int64(20) {
		l.product(no, 1)
	}
	l.checkpoint()
	w := l.start(l.config(labRules))
	l.settled(w)

	// A whole transaction over product 7 and half of one over the others arrive in the same batches: products have rev 2, prices
	// still rev 1. The checkpoint lies between the two, so nothing of the half may come out.
	held := l.vector()
	l.product(7, 2)
	for no := range int64(20) {
		l.put("product", num(no), txt("half"), num(1), num(2))
	}
	l.flush()
	p := schemas.Partition([]schemas.Value{num(7)}, labPartitions)
	for i := range held {
		if held[i].Table == "product" || held[i].Table == "price" {
			held[i].Next[p]++
		}
	}
	l.announce(held)
	l.settled(w)
	got, n := l.products()
	if n != 21 || strings.Contains(fmt.Sprint(got), "half") || !strings.Contains(got["7"], "rev=2 net=1.02 price_rev=2") {
		t.Fatalf("want product 7 and no half (%d records): %v", n, got)
	}
	for no := range int64(20) {
		l.put("price", num(no), num(1), dec(102), num(2))
	}
	l.checkpoint()
	l.settled(w)
	got, n = l.products()
	for no, p := range got {
		if !strings.Contains(p, "title=half rev=2 net=1.02 price_rev=2 gross=1.28") {
			t.Errorf("product %s: %s", no, p)
		}
	}
	if n != 41 {
		t.Errorf("%d records, want each product once more", n)
	}
}

func TestLateLookupWakesParkedProduct(t *testing.T) {
	l := newLab(t)
	l.product(1, 1)
	l.put("product", num(2), txt("other"), num(7), num(1))
	l.put("price", num(2), num(1), dec(1000), num(1))
	l.put("rate", num(1), dec(2500))
	l.checkpoint()
	w := l.start(l.config(labRules))
	l.settled(w)
	got, _ := l.products()
	if len(got) != 1 || w.Status().Parked != 1 {
		t.Fatalf("want product 2 parked, have %v, parked %d", got, w.Status().Parked)
	}
	list, err := w.Parked(10)
	check(t, err)
	if len(list) != 1 || list[0].Key != "2" || !strings.Contains(list[0].Where, "shop.rules.yaml:") {
		t.Fatalf("parked list: %+v", list)
	}
	l.put("rate", num(7), dec(1500))
	l.checkpoint()
	l.settled(w)
	got, _ = l.products()
	if !strings.Contains(got["2"], "gross=11.5") || w.Status().Parked != 0 {
		t.Fatalf("the rate came, but product 2 is %q, parked %d", got["2"], w.Status().Parked)
	}
	// The rate changes: everything that looks it up follows, and only that.
	_, before := l.products()
	l.put("rate", num(7), dec(2000))
	l.checkpoint()
	l.settled(w)
	got, after := l.products()
	if !strings.Contains(got["2"], "gross=12") || after != before+1 {
		t.Fatalf("after the rate changed: %v, %d new records", got, after-before)
	}
}

func TestChildMovesToAnotherProduct(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	a, b := samePartition(t)
	l.product(a, 1)
	l.product(b, 1)
	l.put("image", num(50), num(a), num(1), txt("a.jpg"))
	l.checkpoint()
	w := l.start(l.config(labRules))
	l.settled(w)
	l.put("image", num(50), num(b), num(1), txt("a.jpg"))
	l.checkpoint()
	l.settled(w)
	got, _ := l.products()
	if strings.Contains(got[fmt.Sprint(a)], "a.jpg") || !strings.Contains(got[fmt.Sprint(b)], "a.jpg") {
		t.Fatalf("image did not move: %v", got)
	}
	l.del("image", num(50), num(b))
	l.checkpoint()
	l.settled(w)
	got, _ = l.products()
	if strings.Contains(fmt.Sprint(got), "a.jpg") {
		t.Fatalf("image was not removed: %v", got)
	}
}

// samePartition finds two product numbers that one task owns.
func samePartition(t *testing.T) (a, b int64) {
	t.Helper()
	for b = 2; b < 100; b++ {
		if schemas.Partition([]schemas.Value{num(1)}, labPartitions) == schemas.Partition([]schemas.Value{num(b)}, labPartitions) {
			return 1, b
		}
	}
	t.Fatal("no two products share a partition")
	return 0, 0
}

func TestRestartSendsOnlyDifferences(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("state lost %v", lost), func(t *testing.T) {
			l := newLab(t)
			l.put("rate", num(1), dec(2500))
			for no := range int64(50) {
				l.product(no, 1)
			}
			l.checkpoint()
			w := l.start(l.config(labRules))
			l.settled(w)
			w.stop()

			// While nobody runs: one product changes, one goes, one changes and changes back.
			l.product(3, 2)
			l.del("product", num(4))
			l.product(5, 2)
			l.product(5, 1)
			l.checkpoint()
			if lost {
				l.stateDir = t.TempDir()
			}
			w = l.start(l.config(labRules))
			l.settled(w)
			got, n := l.products()
			if n != 52 {
				t.Errorf("%d records, want the 50 and two differences", n)
			}
			if _, there := got["4"]; there || !strings.Contains(got["3"], "rev=2") {
				t.Errorf("product 3: %q; product 4 there: %v", got["3"], there)
			}
		})
	}
}

func TestSomeoneElsesRecordIsPutRight(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	l.product(1, 1)
	l.checkpoint()
	w := l.start(l.config(labRules))
	l.settled(w)
	before, _ := l.products()
	w.stop()
	// Another owner wrote a tombstone for the product, which this state does not know of.
	p := schemas.Partition([]schemas.Value{num(1)}, labPartitions)
	var key []byte
	check(t, l.client.Scan(t.Context(), "t.shop", p, 0, -1, func(r *kafka.Record) error {
		key = append([]byte(nil), r.Key...)
		return nil
	}))
	check(t, l.producer.Produce(t.Context(), "t.shop", p, kafka.Record{Key: key, TimestampMS: 1}))
	check(t, l.producer.Flush(t.Context()))
	w = l.start(l.config(labRules))
	l.settled(w)
	after, _ := l.products()
	if after["1"] == "" || after["1"] != before["1"] {
		t.Fatalf("before %q, after %q", before["1"], after["1"])
	}
}

func TestChangedRulesEvaluateEverything(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	for no := range int64(30) {
		l.product(no, 1)
	}
	l.checkpoint()
	w := l.start(l.config(labRules))
	l.settled(w)
	w.stop()
	w = l.start(l.config(strings.Replace(labRules, "title: name", "title: upper(name)", 1)))
	l.settled(w)
	got, n := l.products()
	if n != 60 || !strings.Contains(got["7"], "title=WINE 7") {
		t.Fatalf("%d records, product 7: %q", n, got["7"])
	}
}

func TestTimeWakesProductWithoutAChange(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	l.product(1, 1)
	l.put("price", num(1), num(1), dec(500), num(1), day("2026-03-02"))
	l.checkpoint()
	w := l.start(l.config(labRules))
	l.settled(w)
	got, _ := l.products()
	if strings.Contains(got["1"], "net=5 ") {
		t.Fatalf("tomorrow's price holds today: %s", got["1"])
	}
	l.clock.set(time.Date(2026, 3, 2, 0, 0, 1, 0, time.UTC))
	// A checkpoint makes the tasks look; nothing in the source changed. (Without one they look within a minute.)
	l.checkpoint()
	l.eventually("tomorrow's price", func() bool {
		got, _ := l.products()
		return strings.Contains(got["1"], "net=5")
	})
	w.stop()
}

func TestBigTransactionSpillsItsMarks(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	const n, remembered = 5000, 300
	for no := range int64(n) {
		l.put("product", num(no), txt("w"), num(1), num(1))
	}
	l.checkpoint()
	cfg := l.config(labRules)
	cfg.dirtyLimit = remembered
	w := l.start(cfg)
	l.settled(w)
	if got, records := l.products(); len(got) != n || records != n {
		t.Fatalf("%d products in %d records, want %d", len(got), records, n)
	}
	// The lookup wakes every product at once, again past what is remembered.
	l.put("rate", num(1), dec(2600))
	l.put("product", num(1), txt("changed"), num(1), num(2))
	l.checkpoint()
	l.settled(w)
	if got, _ := l.products(); !strings.Contains(got["1"], "changed") {
		t.Fatalf("product 1: %s", got["1"])
	}
}

func TestRecordThatIsNotARowIsLeftOutAndNamed(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	l.product(1, 1)
	check(t, l.producer.Produce(t.Context(), "t.erp.product", 0, kafka.Record{Key: []byte("not avro"), Value: []byte("{}"), TimestampMS: 1}))
	l.checkpoint()
	w := l.start(l.config(labRules))
	l.settled(w)
	if got, _ := l.products(); len(got) != 1 {
		t.Fatalf("products: %v", got)
	}
	if f := w.Status().Faults; len(f) != 1 || !strings.Contains(f[0].Error(), "t.erp.product/0@") {
		t.Fatalf("faults: %v", f)
	}
}

func TestExplainNamesRuleAndRows(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	l.product(1, 1)
	l.checkpoint()
	w := l.start(l.config(labRules))
	l.settled(w)
	x, err := w.Explain(t.Context(), "1")
	check(t, err)
	if !x.Included || len(x.Rows) != 3 || x.EmittedAt.IsZero() {
		t.Fatalf("explanation: %+v", x)
	}
	for _, f := range x.Fields {
		if f.Field == "gross" && (f.Rule != "vat" || f.Layer != "customer" || f.File != "shop.rules.yaml" || len(f.Uses) == 0) {
			t.Errorf("gross: %+v", f)
		}
	}
	if _, err := w.Explain(t.Context(), "999"); err == nil {
		t.Error("a product that is not there was explained")
	}
}

// A view is live when all its tasks are: not while it waits for its share of them, nor before they have begun.
func TestLiveWithItsTasks(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	l.product(1, 1)
	l.checkpoint()
	w := l.start(l.config(labRules))
	l.eventually("live", func() bool {
		s := w.Status()
		ready := s.State == status.StateLive || s.State == status.StateStandby
		for i := range labPartitions {
			if ready && (len(s.Positions) <= i || s.Positions[i].Value == "") {
				t.Fatalf("%s with %+v", s.State, s.Positions)
			}
		}
		return ready
	})
}

// A worker whose own reading of the checkpoints lies behind takes over: it must not go by what it knows, but by what the owner before may have
// evaluated.
func TestTakeOverGoesByTheNewestCheckpoint(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	l.product(1, 1)
	l.checkpoint()
	first := l.vector()
	l.product(1, 2)
	l.checkpoint()
	w := l.start(l.config(labRules))
	l.settled(w)
	w.stop()

	r, b := l.newcomer(l.config(labRules))
	b.frontier.add(writer{"t.erp.checkpoints", 0}, 0, known{
		cut: cut{{"t.erp.checkpoints", 0}}, checkpoint: &schemas.Checkpoint{Source: "erp", Position: "0/1", CommitTimeUS: 1, WrittenUS: 1, Topics: first},
	})
	l.takesOver(r, b)
	if got, n := l.products(); n != 1 || !strings.Contains(got["1"], "rev=2") {
		t.Fatalf("%d records, product 1: %s", n, got["1"])
	}
}

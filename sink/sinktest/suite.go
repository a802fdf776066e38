package sinktest

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink"
)

// View is what the suite writes: (no bigint key, name text, counter bigint).
func View() sink.View {
	return sink.View{Name: "product", Topic: "suite.product", Table: &schemas.Table{
		Name: "suite.product",
		Columns: []schemas.Column{
			{Name: "no", Type: schemas.Type{Kind: schemas.KindInt, Bits: 64}},
			{Name: "name", Type: schemas.Type{Kind: schemas.KindText}, Nullable: true},
			{Name: "counter", Type: schemas.Type{Kind: schemas.KindInt, Bits: 64}, Nullable: true},
		},
		Key: []int{0},
	}}
}

// Harness is one target under test.
type Harness struct {
	// Target is empty, and was checked with View without faults.
	Target sink.Target
	// Rows gives what a reader of the target sees now: "name|counter" by no.
	Rows func(t *testing.T) map[int64]string
	// BadName is a name the target refuses.
	BadName string
	// NoNUL says that the target has no form for the character U+0000 in a text.
	NoNUL bool
	// HandsOver says that the target keeps nothing: what it was given is somebody else's, so tombstones remove nothing, and keys can be neither listed nor compared.
	HandsOver bool
	// Unlisted says that the target can tell nobody which keys it has, so none are compared.
	Unlisted bool
}

// Run runs the contract of sink.go against fresh targets.
func Run(t *testing.T, fresh func(t *testing.T) Harness) {
	for name, test := range map[string]func(*testing.T, *suite){
		"begins at the beginning":                     testBegin,
		"rows and place move together":                testApply,
		"a tombstone removes, also what is not there": testTombstone,
		"a new session shuts the old one out":         testFence,
		"the same batch again changes nothing":        testAgain,
		"bad records are parked, the others go on":    testParked,
		"unreadable records are kept with the others": testUnreadable,
		"a replay keeps the place until it is over":   testReplay,
		"keys are listed and pruned":                  testPrune,
	} {
		t.Run(name, func(t *testing.T) {
			h := fresh(t)
			test(t, &suite{Harness: h, view: View()})
		})
	}
}

type suite struct {
	Harness
	view sink.View
}

// Record makes a record of the suite's view. The bytes of its key are as the Avro codec writes them.
func Record(offset, no int64, name string, counter int64) sink.Record {
	r := tombstone(offset, no)
	r.Row = []schemas.Value{schemas.Int(no), schemas.Text(name), schemas.Int(counter)}
	return r
}

func tombstone(offset, no int64) sink.Record {
	key := uint64(no<<1) ^ uint64(no>>63)
	var b []byte
	for ; key >= 0x80; key >>= 7 {
		b = append(b, byte(key)|0x80)
	}
	return sink.Record{Key: append(b, byte(key)), KeyValues: []schemas.Value{schemas.Int(no)}, Offset: offset, SourceTSMS: 1_700_000_000_000 + offset}
}

func (s *suite) open(t *testing.T) sink.Session {
	t.Helper()
	ss, err := s.Target.Open(t.Context(), sink.Partition{View: s.view, ID: 3, Owner: "suite"})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = ss.Close() })
	return ss
}

func apply(t *testing.T, ss sink.Session, next int64, records ...sink.Record) []sink.Parked {
	t.Helper()
	parked, err := ss.Apply(t.Context(), &sink.Batch{Records: records, Next: next})
	if err != nil {
		t.Fatalf("Apply up to %d: %v", next, err)
	}
	if ss.Place().Next != next {
		t.Fatalf("after Apply the place is %d, want %d", ss.Place().Next, next)
	}
	return parked
}

func (s *suite) wantRows(t *testing.T, want map[int64]string) {
	t.Helper()
	if got := s.Rows(t); !maps.Equal(got, want) {
		t.Fatalf("rows are\n%v\nwant\n%v", got, want)
	}
}

func testBegin(t *testing.T, s *suite) {
	if p := s.open(t).Place(); p.Next != 0 || p.ReplayUntil > p.Next || p.Prune || !p.Updated.IsZero() {
		t.Errorf("a partition opened for the first time is at %+v", p)
	}
}

func testApply(t *testing.T, s *suite) {
	ss := s.open(t)
	odd := "two's \\ 'quoted' \t\n \x00 å"
	if s.NoNUL {
		odd = strings.ReplaceAll(odd, "\x00", "")
	}
	apply(t, ss, 10, Record(3, 1, "one", 1), Record(4, 2, odd, -2))
	apply(t, ss, 12, Record(10, 1, "uno", 5))
	s.wantRows(t, map[int64]string{1: "uno|5", 2: odd + "|-2"})
	again := s.open(t).Place()
	if again.Next != 12 || again.Updated.IsZero() {
		t.Errorf("opened again the partition is at %+v, want 12", again)
	}
}

func testTombstone(t *testing.T, s *suite) {
	ss := s.open(t)
	apply(t, ss, 2, Record(0, 1, "one", 1), Record(1, 2, "two", 2))
	apply(t, ss, 4, tombstone(2, 1), tombstone(3, 77))
	if s.HandsOver {
		s.wantRows(t, map[int64]string{1: "one|1", 2: "two|2"})
		return
	}
	s.wantRows(t, map[int64]string{2: "two|2"})
	apply(t, ss, 5, Record(4, 1, "back", 3))
	s.wantRows(t, map[int64]string{1: "back|3", 2: "two|2"})
}

func testFence(t *testing.T, s *suite) {
	old := s.open(t)
	apply(t, old, 1, Record(0, 1, "one", 1))
	mine := s.open(t)
	if mine.Place().Next != 1 {
		t.Fatalf("the new session is at %d, want 1", mine.Place().Next)
	}
	for range 2 {
		if _, err := old.Apply(t.Context(), &sink.Batch{Records: []sink.Record{Record(1, 1, "stale", 9), Record(2, 5, "stale", 9)}, Next: 3}); !errors.Is(err, sink.ErrLost) {
			t.Fatalf("Apply of the old session: %v, want ErrLost", err)
		}
	}
	s.wantRows(t, map[int64]string{1: "one|1"})
	apply(t, mine, 2, Record(1, 1, "two", 2))
	s.wantRows(t, map[int64]string{1: "two|2"})
}

func testAgain(t *testing.T, s *suite) {
	ss := s.open(t)
	b := sink.Batch{Records: []sink.Record{Record(0, 1, "one", 1), Record(1, 2, s.BadName, 2)}, Next: 2}
	for range 3 { // the second and third are what a runner does whose answer was lost
		if _, err := ss.Apply(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	s.wantRows(t, map[int64]string{1: "one|1"})
	if p := s.open(t).Place(); p.Next != 2 {
		t.Errorf("place %d, want 2", p.Next)
	}
}

func testParked(t *testing.T, s *suite) {
	ss := s.open(t)
	var records []sink.Record
	want := map[int64]string{}
	for i := range int64(50) {
		name := fmt.Sprintf("n%d", i)
		if i == 7 || i == 31 {
			name = s.BadName
		} else {
			want[i] = fmt.Sprintf("n%d|%d", i, i)
		}
		records = append(records, Record(i, i, name, i))
	}
	parked := apply(t, ss, 50, records...)
	if len(parked) != 2 || parked[0].Offset+parked[1].Offset != 38 || parked[0].Fault == nil || parked[0].Fault.Fix == "" {
		t.Fatalf("parked: %+v", parked)
	}
	s.wantRows(t, want)
	r := s.open(t).(sink.Retrier)
	wantParked(t, r, 7, 31)
	ss2 := s.open(t)
	apply(t, ss2, 51, Record(50, 7, "good now", 7))
	want[7] = "good now|7"
	s.wantRows(t, want)
	wantParked(t, ss2.(sink.Retrier), 31)
	// A retry that fails again stays parked once; one that succeeds leaves.
	apply(t, ss2, 51, Record(31, 31, s.BadName, 31))
	wantParked(t, ss2.(sink.Retrier), 31)
	apply(t, ss2, 51, Record(31, 31, "mended", 31))
	want[31] = "mended|31"
	s.wantRows(t, want)
	wantParked(t, ss2.(sink.Retrier))
}

func wantParked(t *testing.T, r sink.Retrier, offsets ...int64) {
	t.Helper()
	list, err := r.Parked(t.Context(), -1, 100)
	if err != nil {
		t.Fatal(err)
	}
	got := []int64{}
	for _, p := range list {
		got = append(got, p.Offset)
		if p.Key == "" || p.Fault == nil || p.Fault.What == "" {
			t.Errorf("parked record without key or reason: %+v", p)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(append([]int64{}, offsets...)) || r.Held() != len(offsets) {
		t.Fatalf("parked are offsets %v and Held is %d, want %v", got, r.Held(), offsets)
	}
}

func testUnreadable(t *testing.T, s *suite) {
	ss := s.open(t)
	bad := sink.Parked{Topic: s.view.Topic, Partition: 3, Offset: 4, ID: Record(4, 9, "", 0).Key, Key: "9", Fault: &fault.Fault{Where: "suite.product/3@4", What: "is not Avro", Fix: "replay"}}
	if _, err := ss.Apply(t.Context(), &sink.Batch{Records: []sink.Record{Record(3, 1, "one", 1)}, Parked: []sink.Parked{bad}, Next: 5}); err != nil {
		t.Fatal(err)
	}
	wantParked(t, ss.(sink.Retrier), 4)
	list, _ := ss.(sink.Retrier).Parked(t.Context(), -1, 10)
	if f := list[0].Fault; f.Where != bad.Fault.Where || f.What != bad.Fault.What || f.Fix != bad.Fault.Fix {
		t.Errorf("the fault came back as %+v", f)
	}
	apply(t, ss, 6, Record(5, 9, "nine", 9))
	wantParked(t, ss.(sink.Retrier))
	s.wantRows(t, map[int64]string{1: "one|1", 9: "nine|9"})
}

func testReplay(t *testing.T, s *suite) {
	w, ok := s.Target.(sink.Rewinder)
	if !ok {
		t.Fatal("the target cannot be rewound")
	}
	p := sink.Partition{View: s.view, ID: 3, Owner: "operator"}
	if before, err := w.Rewind(t.Context(), p, 0, false); err != nil || before.Next != 0 {
		t.Fatalf("rewind of a partition that was never opened: %+v, %v", before, err)
	}
	ss := s.open(t)
	apply(t, ss, 9, Record(8, 1, "one", 1))
	prunes := !s.HandsOver && !s.Unlisted
	before, err := w.Rewind(t.Context(), p, 4, prunes)
	if err != nil || before.Next != 9 {
		t.Fatalf("Rewind: %+v, %v", before, err)
	}
	if _, err := ss.Apply(t.Context(), &sink.Batch{Next: 10}); !errors.Is(err, sink.ErrLost) {
		t.Fatalf("after Rewind Apply says %v, want ErrLost", err)
	}
	ss = s.open(t)
	if p := ss.Place(); p.Next != 4 || p.ReplayUntil <= 9 || p.Prune != prunes {
		t.Fatalf("after Rewind the place is %+v", p)
	}
	apply(t, ss, 4, Record(8, 1, "one again", 1)) // a part of the replay
	ss = s.open(t)
	if p := ss.Place(); p.Next != 4 || p.ReplayUntil <= 9 {
		t.Fatalf("a replay that was cut off is at %+v", p)
	}
	apply(t, ss, 12, Record(11, 1, "new", 2))
	if p := s.open(t).Place(); p.Next != 12 || p.ReplayUntil > 12 {
		t.Fatalf("after the replay the place is %+v", p)
	}
	if _, err := w.Rewind(t.Context(), p, 100, false); err != nil {
		t.Fatal(err)
	}
	if p := s.open(t).Place(); p.Next != 12 || p.ReplayUntil > 12 {
		t.Fatalf("a rewind went forward to %+v", p)
	}
}

func testPrune(t *testing.T, s *suite) {
	pr, ok := s.Target.(sink.Pruner)
	if s.HandsOver || s.Unlisted {
		if _, err := s.Target.(sink.Rewinder).Rewind(t.Context(), sink.Partition{View: s.view, ID: 3, Owner: "operator"}, 0, true); err == nil {
			t.Error("a comparison of keys was asked for that nobody can make, and it is not said")
		}
		return
	}
	if !ok {
		t.Fatal("the target cannot list its keys")
	}
	ss := s.open(t)
	var records []sink.Record
	for i := range int64(25) {
		records = append(records, Record(i, i, "x", i))
	}
	apply(t, ss, 25, records...)
	seen := map[string]bool{}
	var after []schemas.Value
	for {
		keys, err := pr.Keys(t.Context(), s.view, after, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			seen[Text(k)] = true
		}
		if len(keys) < 10 {
			break
		}
		after = keys[len(keys)-1]
	}
	if len(seen) != 25 {
		t.Fatalf("%d keys listed, want 25", len(seen))
	}
	gone := [][]schemas.Value{{schemas.Int(3)}, {schemas.Int(4)}, {schemas.Int(5)}}
	n, err := pr.Prune(t.Context(), s.view, gone, func(next map[int32]int64) ([]bool, error) {
		if next[3] != 25 {
			t.Errorf("partition 3 is at %d, want 25", next[3])
		}
		return []bool{true, false, true}, nil
	})
	if err != nil || n != 2 {
		t.Fatalf("Prune removed %d, %v; want 2", n, err)
	}
	rows := s.Rows(t)
	if _, has := rows[3]; has || len(rows) != 23 || rows[4] == "" {
		t.Fatalf("after Prune: %v", rows)
	}
	testCompare(t, s, pr)
}

// testCompare: what a comparison found stays known to later sessions, and what is asked for while it goes on is not forgotten with its end.
func testCompare(t *testing.T, s *suite, pr sink.Pruner) {
	t.Helper()
	if pr.KeepsOthers(s.view) {
		t.Error("a table that is not configured so keeps rows of others")
	}
	rewind := func() {
		t.Helper()
		p := sink.Partition{View: s.view, ID: 3, Owner: "operator"}
		if _, err := s.Target.(sink.Rewinder).Rewind(t.Context(), p, 100, true); err != nil {
			t.Fatal(err)
		}
	}
	compare := func(asked, others bool, meanwhile func()) sink.Place {
		t.Helper()
		done, err := pr.Compare(t.Context(), s.view, asked)
		if err != nil {
			t.Fatal(err)
		}
		meanwhile()
		if err := done(t.Context(), others); err != nil {
			t.Fatal(err)
		}
		return s.open(t).Place()
	}
	rewind()
	if p := compare(false, false, func() {}); !p.Prune {
		t.Errorf("a comparison that was not asked for has answered one that was: %+v", p)
	}
	if p := compare(true, true, func() {}); p.Prune || !p.Others {
		t.Errorf("after a comparison that left some: %+v", p)
	}
	if p := compare(true, false, rewind); !p.Prune {
		t.Errorf("the request that came while keys were compared is forgotten: %+v", p)
	}
	if p := compare(true, false, func() {}); p.Prune || p.Others {
		t.Errorf("after a comparison that left none: %+v", p)
	}
}

package capture

import (
	"log/slog"
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

func wideShape(tb testing.TB) (*tableShape, []schemas.Value) {
	w := &writer{cfg: &RunnerConfig{Source: "erp", Tables: map[string]TableConfig{"price": {PartitionBy: []string{"product_no"}}}}}
	columns := []schemas.Column{
		{Name: "id", Type: schemas.Type{Kind: schemas.KindInt, Bits: 64}},
		{Name: "product_no", Type: schemas.Type{Kind: schemas.KindText}},
		{Name: "text", Type: schemas.Type{Kind: schemas.KindText}, Nullable: true},
		{Name: "price", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}, Nullable: true},
		{Name: "discount", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 6, Scale: 4}, Nullable: true},
		{Name: "valid_from", Type: schemas.Type{Kind: schemas.KindDate}},
		{Name: "changed", Type: schemas.Type{Kind: schemas.KindTimestampTZ}},
		{Name: "active", Type: schemas.Type{Kind: schemas.KindBool}},
		{Name: "min_qty", Type: schemas.Type{Kind: schemas.KindInt, Bits: 32}},
		{Name: "currency", Type: schemas.Type{Kind: schemas.KindText}},
		{Name: "remark", Type: schemas.Type{Kind: schemas.KindText}, Nullable: true},
	}
	ts := &topicState{table: "price", topic: "p.erp.price", base: make([]int64, 4), total: make([]int64, 4), since: make([]int64, 4)}
	s, err := w.shape("price", ts, &schemas.Table{Columns: columns, Key: []int{0}})
	if err != nil {
		tb.Fatal(err)
	}
	s.keyFrame, s.valueFrame = schemas.AppendFrame(nil, 1), schemas.AppendFrame(nil, 2)
	row := []schemas.Value{
		schemas.Int(4711), schemas.Text("A-10023"), schemas.Text("Barolo Riserva 2016 0.75"), schemas.Dec(12995, 2), schemas.Dec(250, 4),
		{Kind: schemas.KindDate, Int: 20000},
		{Kind: schemas.KindTimestampTZ, Int: 1700000000000000},
		schemas.Bool(true), schemas.Int(6),
		schemas.Text("NOK"), schemas.Null,
	}
	return s, row
}

func encode(tb testing.TB, e *encoder, s *tableShape, row []schemas.Value, at Meta) {
	e.meta(at)
	_, _, _, err := e.record(s, OpUpdate, row)
	if err != nil {
		tb.Fatal(err)
	}
	if p := e.partition(s, row); p < 0 {
		tb.Fatal(p)
	}
}

func TestEncodingARowTakesNoAllocation(t *testing.T) {
	s, row := wideShape(t)
	e := newEncoder()
	at := Meta{Position: "0/16B3748", Transaction: "81234", CommitTimeUS: 1700000000000000}
	if n := testing.AllocsPerRun(1000, func() { encode(t, e, s, row, at) }); n > 0 {
		t.Errorf("%v allocations a row", n)
	}
}

func BenchmarkEncodeRow(b *testing.B) {
	s, row := wideShape(b)
	e := newEncoder()
	at := Meta{Position: "0/16B3748", Transaction: "81234", CommitTimeUS: 1700000000000000}
	b.ReportAllocs()
	for b.Loop() {
		encode(b, e, s, row, at)
	}
}

// A transaction that is never sent again must not hold checkpoints for ever, one that may still come must.
// A deleted row's tombstone goes where the row lies, or nowhere.
func TestADeletedRowHasItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		column   int
		nullable bool
		whole    bool
	}{
		"another column is null":        {column: 10, whole: true},
		"what chooses is null":          {column: 1},
		"what chooses may well be null": {column: 1, nullable: true, whole: true},
	} {
		s, row := wideShape(t)
		row[c.column] = schemas.Null
		s.table.Columns[1].Nullable = c.nullable
		if err := s.placed(row); (err == nil) != c.whole {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHoldEnds(t *testing.T) {
	now := time.UnixMicro(1_700_000_000_000_000)
	record := func(transaction string) *kafka.Record {
		return &kafka.Record{Headers: []kafka.Header{
			{Key: HeaderTransaction, Value: []byte(transaction)}, {Key: HeaderSourceTime, Value: []byte("1700000000000")},
		}}
	}
	begin := func(transactions ...string) *hold {
		h := &hold{log: slog.New(slog.DiscardHandler), now: func() time.Time { return now }}
		for _, x := range transactions {
			h.add("topic", record(x))
		}
		return h
	}
	commit := func(transaction string, after time.Duration) *Commit {
		return &Commit{Meta: Meta{Transaction: transaction, CommitTimeUS: now.Add(after).UnixMicro()}}
	}
	h := begin("7", "9")
	for i, step := range []struct {
		transaction string
		held        bool
	}{{"6", true}, {"7", true}, {"8", true}, {"9", false}} {
		if h.held(commit(step.transaction, 0)) != step.held {
			t.Errorf("step %d: held is not %v", i, step.held)
		}
	}
	if h = begin("7"); !h.held(commit("100", 30*time.Second)) || h.held(commit("101", 2*time.Minute)) {
		t.Error("a transaction far behind by the clock does not end the hold, or a near one does")
	}
	heartbeat := &Commit{Heartbeat: true}
	if h = begin("7"); !h.held(heartbeat) {
		t.Error("one heartbeat ends the hold")
	}
	now = now.Add(holdQuiet + time.Second)
	if h.held(heartbeat) {
		t.Error("a source with nothing to send holds for ever")
	}
	if h = begin(""); !h.held(commit("100", time.Hour)) || len(h.snapshots()) != 1 {
		t.Error("a broken snapshot was passed over")
	}
}

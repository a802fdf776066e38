//go:build integration

package postgres

import (
	"encoding/hex"
	"strings"
	"testing"

	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
	"shelfstream/sink/table/tabletest"
)

// Every transaction that writes rows carries our mark before the first of them: at once, carefully, by COPY, and when keys are pruned.
func TestTransactionsAreMarked(t *testing.T) {
	d := kit.Database(t, "CREATE TABLE product (no bigint PRIMARY KEY, name varchar(40), counter bigint, CONSTRAINT nice CHECK (name <> 'bad'))", "CREATE PUBLICATION p FOR TABLE product")
	tg := d.Target(tabletest.Tables{"product": {From: "product"}}, sinktest.View())
	s := tabletest.Open(t, tg, sinktest.View(), 3)
	const slot = "marked"
	d.Exec("SELECT pg_create_logical_replication_slot('" + slot + "', 'pgoutput')")
	defer func() { d.Exec("SELECT pg_drop_replication_slot('" + slot + "')") }()
	// kinds gives the messages' kinds since the last call: BMIC.
	kinds := func() string {
		var out strings.Builder
		for _, r := range d.Rows("SELECT data FROM pg_logical_slot_get_binary_changes('" + slot + "', NULL, NULL, 'proto_version', '1', 'publication_names', 'p', 'messages', 'true')") {
			b, err := hex.DecodeString(strings.TrimPrefix(r, `\x`))
			if err != nil {
				t.Fatal(err)
			}
			if b[0] == 'M' && (!strings.Contains(string(b), "shelfstream\x00") || !strings.HasSuffix(string(b), "it/shop")) {
				t.Errorf("message %q", b)
			}
			if b[0] != 'R' {
				out.WriteByte(b[0])
			}
		}
		return out.String()
	}
	apply := func(records ...sink.Record) {
		tabletest.Apply(t, s, &sink.Batch{Records: records, Next: s.Place().Next + int64(len(records))})
	}
	apply(sinktest.Record(0, 1, "one", 1), sinktest.Record(1, 2, "two", 1))
	if got := kinds(); got != "BMIIC" {
		t.Errorf("at once: %s", got)
	}
	apply(sinktest.Record(2, 1, "bad", 1), sinktest.Record(3, 2, "zwei", 1))
	if got := kinds(); got != "BMUC" {
		t.Errorf("carefully: %s", got)
	}
	var many []sink.Record
	for i := range int64(loadFrom) {
		many = append(many, sinktest.Record(4+i, 100+i, "many", i))
	}
	apply(many...)
	if got := kinds(); got != "BM"+strings.Repeat("I", loadFrom)+"C" {
		t.Errorf("by COPY: %s", got)
	}
	one := sinktest.Record(0, 1, "", 0)
	if n, err := tg.Prune(t.Context(), sinktest.View(), [][]schemas.Value{one.KeyValues}, func(map[int32]int64) ([]bool, error) { return []bool{true}, nil }); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if got := kinds(); got != "BMDC" {
		t.Errorf("pruned: %s", got)
	}
}

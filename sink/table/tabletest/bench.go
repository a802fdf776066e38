package tabletest

import (
	"fmt"
	"testing"
	"time"

	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/table"
)

// Wide is the table of the peers' measurements, by the name of its view.
func Wide(topic string) sink.View {
	text := schemas.Type{Kind: schemas.KindText}
	return sink.View{Name: "products", Topic: topic, Table: &schemas.Table{Name: topic, Key: []int{0}, Columns: []schemas.Column{
		{Name: "id", Type: schemas.Type{Kind: schemas.KindInt, Bits: 64}},
		{Name: "sku", Type: text},
		{Name: "name", Type: text},
		{Name: "descr", Type: text, Nullable: true},
		{Name: "price", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}},
		{Name: "stock", Type: schemas.Type{Kind: schemas.KindInt, Bits: 32}},
		{Name: "vat_code", Type: schemas.Type{Kind: schemas.KindInt, Bits: 16}},
		{Name: "updated_at", Type: schemas.Type{Kind: schemas.KindTimestampTZ}},
		{Name: "blocked", Type: schemas.Type{Kind: schemas.KindBool}},
	}}}
}

// WideRow is row i in its version.
func WideRow(i, version int64) []schemas.Value {
	return []schemas.Value{
		schemas.Int(i), schemas.Text(fmt.Sprintf("SKU-%09d", i)), schemas.Text(fmt.Sprintf("Artikel %d Größe %d", i, i%50)),
		schemas.Text(fmt.Sprintf("%032x %032x %032x %020x", i*31, i*7, i*13, i*17)), schemas.Dec((i*37)%1_000_000+version, 2),
		schemas.Int(i % 1000), schemas.Int(1 + i%3), schemas.TimestampTZ(1_767_225_600_000_000 + (i%86400)*1_000_000), schemas.Bool(i%97 == 0),
	}
}

// WriteWide checks a target and writes n rows of one version in batches of a size through one session; it gives the time that Apply took.
func WriteWide(b *testing.B, tg *table.Target, n, size, version int64) time.Duration {
	b.Helper()
	v := Wide("bench.products")
	if f, err := tg.Check(b.Context(), []sink.View{v}); err != nil || len(f) > 0 {
		b.Fatal(f, err)
	}
	s, err := tg.Open(b.Context(), sink.Partition{View: v, Owner: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var batches []*sink.Batch
	for from := int64(0); from < n; from += size {
		batch := &sink.Batch{Next: version*n + min(from+size, n)}
		for i := from; i < min(from+size, n); i++ {
			row := WideRow(i, version)
			batch.Records = append(batch.Records, sink.Record{Key: fmt.Append(nil, i), KeyValues: row[:1], Row: row, Offset: i})
		}
		batches = append(batches, batch)
	}
	start := time.Now()
	for _, batch := range batches {
		if parked, err := s.Apply(b.Context(), batch); err != nil || len(parked) > 0 {
			b.Fatal(parked, err)
		}
	}
	return time.Since(start)
}

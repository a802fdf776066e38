package sink

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// compactCase writes "key:value" records; value "-" is a tombstone, "!" cannot be read.
func TestCompaction(t *testing.T) {
	table := &schemas.Table{Name: "p.v", Key: []int{0}, Columns: []schemas.Column{
		{Name: "no", Type: schemas.Type{Kind: schemas.KindInt, Bits: 64}}, {Name: "v", Type: schemas.Type{Kind: schemas.KindText}},
	}}
	codec, err := schemas.Compile(table)
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"":                    "",
		"1:a":                 "0=1|a",
		"1:a 2:b 1:c 3:d":     "1=2|b 2=1|c 3=3|d",
		"1:a 1:- 2:b":         "1=1- 2=2|b",
		"1:- 1:a":             "1=1|a",
		"1:a 1:!":             "0=1|a parked 1",
		"1:! 1:a":             "1=1|a",
		"2:x 1:a 2:y 1:! 3:z": "1=1|a 2=2|y 4=3|z parked 3",
		"1:! 1:!":             "parked 1",
		"1:a 2:b 1:! 2:! 1:-": "1=2|b 4=1- parked 3",
	} {
		d := newDecoders(nil, View{Name: "v", Topic: "p.v", Table: table})
		d.values[1], d.keys[1] = codec, codec
		p := &partition{Partition: Partition{View: d.view}, decoders: d}
		c := newCollector(100, 1<<20)
		for i, f := range strings.Fields(in) {
			k, v, _ := strings.Cut(f, ":")
			row := []schemas.Value{schemas.Int(int64(k[0] - '0')), schemas.Text(v)}
			key, err := codec.AppendKey(schemas.AppendFrame(nil, 1), row)
			if err != nil {
				t.Fatal(err)
			}
			rec := kafka.Record{Offset: int64(i), Key: key}
			switch v {
			case "-":
			case "!":
				rec.Value = []byte("junk")
			default:
				if rec.Value, err = codec.AppendValue(schemas.AppendFrame(nil, 1), row); err != nil {
					t.Fatal(err)
				}
			}
			c.take(&rec)
		}
		b, err := c.decode(context.Background(), p, 100)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range b.Records {
			if r.Row == nil {
				got = append(got, fmt.Sprintf("%d=%s-", r.Offset, r.KeyValues[0]))
			} else {
				got = append(got, fmt.Sprintf("%d=%s|%s", r.Offset, r.KeyValues[0], r.Row[1]))
			}
		}
		for _, r := range b.Parked {
			got = append(got, fmt.Sprintf("parked %d", r.Offset))
		}
		if s := strings.Join(got, " "); s != want || b.Next != 100 {
			t.Errorf("%q becomes %q, want %q", in, s, want)
		}
	}
}

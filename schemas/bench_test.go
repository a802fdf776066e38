package schemas

import "testing"

// priceRow is a row as ERPs have them: 11 columns of nine types, one null.
func priceRow(t testing.TB) (*Table, []Value) {
	table := &Table{Name: "moestue.erp.price", Key: []int{0}, Columns: []Column{
		{Name: "price_no", Type: Type{Kind: KindInt, Bits: 64}},
		{Name: "product_no", Type: Type{Kind: KindText, Length: 40}},
		{Name: "name", Type: Type{Kind: KindText}, Nullable: true},
		{Name: "net", Type: Type{Kind: KindDecimal, Precision: 12, Scale: 2}, Nullable: true},
		{Name: "min_qty", Type: Type{Kind: KindDecimal, Precision: 38, Scale: 20}},
		{Name: "valid_from", Type: Type{Kind: KindDate}, Nullable: true},
		{Name: "valid_to", Type: Type{Kind: KindDate}, Nullable: true},
		{Name: "currency", Type: Type{Kind: KindText}},
		{Name: "active", Type: Type{Kind: KindBool}},
		{Name: "changed", Type: Type{Kind: KindTimestampTZ}},
		{Name: "group_no", Type: Type{Kind: KindInt, Bits: 32}, Nullable: true},
	}}
	return table, []Value{
		Int(4711), Text("V-10042"), Text("Château Margaux 2015"), dec(t, "4999.90"), dec(t, "6.00000000000000000000"), Date(19723), Null,
		Text("NOK"), Bool(true), TimestampTZ(1_700_000_000_123_456), Int(17),
	}
}

func TestRowsDoNotAllocate(t *testing.T) {
	table, row := priceRow(t)
	codec := mustCompile(t, table)
	buf := make([]byte, 0, 512)
	values := make([]Value, 0, len(row))
	if n := testing.AllocsPerRun(100, func() {
		key, err := codec.AppendKey(buf, row)
		if err != nil {
			t.Fatal(err)
		}
		if values, err = codec.DecodeKey(values, key); err != nil {
			t.Fatal(err)
		}
		body, err := codec.AppendValue(buf, row)
		if err != nil {
			t.Fatal(err)
		}
		if values, err = codec.DecodeValue(values, body); err != nil {
			t.Fatal(err)
		}
		Partition(values[:2], 12)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEncodeRow(b *testing.B) {
	table, row := priceRow(b)
	codec := mustCompile(b, table)
	b.Run("codec", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		var err error
		for b.Loop() {
			if buf, err = codec.AppendValue(buf[:0], row); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(len(buf)))
	})
	b.Run("goavro", func(b *testing.B) {
		b.ReportAllocs()
		oracle := mustGoavro(b, codec.ValueSchema())
		datum := nativeRecord(table.Columns, row, fullRecord(table))
		var buf []byte
		var err error
		for b.Loop() {
			if buf, err = oracle.BinaryFromNative(buf[:0], datum); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecodeRow(b *testing.B) {
	table, row := priceRow(b)
	codec := mustCompile(b, table)
	body, err := codec.AppendValue(nil, row)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("codec", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		var values []Value
		for b.Loop() {
			if values, err = codec.DecodeValue(values, body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("goavro", func(b *testing.B) {
		b.ReportAllocs()
		oracle := mustGoavro(b, codec.ValueSchema())
		for b.Loop() {
			if _, _, err := oracle.NativeFromBinary(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkGrossPrice(b *testing.B) {
	net, factor := Dec(1190, 2), Dec(115, 2)
	b.ReportAllocs()
	for b.Loop() {
		g, _ := MulDec(net, factor)
		if g, _ = Round(g, 2, HalfUp); g.Int != 1369 {
			b.Fatal(g)
		}
	}
}

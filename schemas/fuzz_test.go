package schemas

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"
)

// FuzzDecodeValue feeds broken records to codecs of all types: no panic, no allocation beyond a multiple of the input, and what
// is read can be written and read again as the same values.
func FuzzDecodeValue(f *testing.F) {
	r := rand.New(rand.NewPCG(15, 16))
	var codecs []*Codec
	for i := range 8 {
		table := randomTable(r)
		codecs = append(codecs, mustCompile(f, table))
		for range 3 {
			body, err := codecs[i].AppendValue(nil, randomRow(r, table))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), body)
		}
	}
	f.Add(uint8(0), bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		codec := codecs[int(which)%len(codecs)]
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		row, err := codec.DecodeValue(nil, body)
		runtime.ReadMemStats(&after)
		// A Value is 64 bytes, an element at least one, and append doubles; the rest is the row and an error message.
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(len(body))*512+1<<20 {
			t.Fatalf("%d bytes allocated for a record of %d", used, len(body))
		}
		if _, err := codec.DecodeKey(nil, body); err == nil && len(body) == 0 {
			t.Fatal("an empty key is read")
		}
		if err != nil {
			return
		}
		again, err := codec.AppendValue(nil, row)
		if err != nil {
			return // text that is not UTF-8, more digits than the precision: read from others, not written
		}
		back, err := codec.DecodeValue(nil, again)
		if err != nil {
			t.Fatalf("what we wrote cannot be read: %v", err)
		}
		for i := range row {
			if Compare(back[i], row[i]) != 0 {
				t.Fatalf("column %d: %s became %s", i, row[i], back[i])
			}
		}
	})
}

// FuzzParseTable: what is parsed compiles, and its schemas parse to the same again.
func FuzzParseTable(f *testing.F) {
	r := rand.New(rand.NewPCG(17, 18))
	for range 10 {
		codec := mustCompile(f, randomTable(r))
		f.Add(codec.KeySchema(), codec.ValueSchema())
	}
	f.Add(`{"type":"record","name":"k","fields":[{"name":"sku","type":"string"}]}`, ProductSchema)
	f.Add(`{"type":"record","name":"k","fields":[{"name":"id","type":"int"}]}`, billionFields())
	f.Fuzz(func(t *testing.T, key, value string) {
		table, err := ParseTable("p.s.t", key, value)
		if err != nil {
			return
		}
		codec, err := Compile(table)
		if err != nil {
			t.Fatalf("parsed, but does not compile: %v", err)
		}
		again, err := ParseTable("p.s.t", codec.KeySchema(), codec.ValueSchema())
		if err != nil {
			t.Fatalf("our own schema does not parse: %v\n%s", err, codec.ValueSchema())
		}
		second, err := Compile(again)
		if err != nil || second.ValueSchema() != codec.ValueSchema() || second.KeySchema() != codec.KeySchema() {
			t.Fatalf("the schema changed (%v)\n%s\n%s", err, codec.ValueSchema(), second.ValueSchema())
		}
	})
}

// FuzzDecodeCheckpoint: no panic, and what is read is written the same way.
func FuzzDecodeCheckpoint(f *testing.F) {
	r := rand.New(rand.NewPCG(19, 20))
	for range 5 {
		f.Add(randomCheckpoint(r).Append(nil))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := DecodeCheckpoint(body)
		if err != nil {
			return
		}
		back, err := DecodeCheckpoint(c.Append(nil))
		if err != nil || !bytes.Equal(back.Append(nil), c.Append(nil)) {
			t.Fatalf("%+v became %+v, %v", c, back, err)
		}
	})
}

// FuzzParseDecimal: what is read is printed and read again as the same number.
func FuzzParseDecimal(f *testing.F) {
	for _, s := range []string{"-12.50", "1e-3", "NaN", "12.50000000000000000000", "9223372036854775808", ".", "1e131072"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseDecimal(s)
		if err != nil {
			return
		}
		back, err := ParseDecimal(v.String())
		if err != nil || Compare(back, v) != 0 {
			t.Fatalf("%q is %s, which is %s, %v", s, v, back, err)
		}
	})
}

package schemas

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
)

// randomTable makes a table with every kind of column, and a few more of any.
func randomTable(r *rand.Rand) *Table {
	t := &Table{Name: "moestue.erp.item" + strings.Repeat("x", r.IntN(3))}
	for k := KindBool; k <= KindRecord; k++ {
		t.Columns = append(t.Columns, randomColumn(r, k, len(t.Columns), 0))
	}
	for range r.IntN(6) {
		t.Columns = append(t.Columns, randomColumn(r, KindBool+Kind(r.IntN(int(KindRecord))), len(t.Columns), 0))
	}
	r.Shuffle(len(t.Columns), func(i, j int) { t.Columns[i], t.Columns[j] = t.Columns[j], t.Columns[i] })
	for i := range t.Columns {
		c := &t.Columns[i]
		if (c.Type.Kind == KindInt || c.Type.Kind == KindText || c.Type.Kind == KindDate || c.Type.Kind == KindDecimal) && len(t.Key) < 3 {
			c.Nullable = false
			t.Key = append(t.Key, i)
		}
	}
	r.Shuffle(len(t.Key), func(i, j int) { t.Key[i], t.Key[j] = t.Key[j], t.Key[i] })
	if r.IntN(2) == 0 {
		t.PartitionBy = []int{r.IntN(len(t.Columns))}
	}
	return t
}

func randomColumn(r *rand.Rand, k Kind, i, depth int) Column {
	names := []string{"plain", "No_", "No.", "VAT %", "Ærlig", "1st", "", "Sales Price", "a\"b\\", "_"}
	return Column{Name: fmt.Sprintf("%s%d", names[r.IntN(len(names))], i), Type: randomType(r, k, depth), Nullable: r.IntN(2) == 0}
}

func randomType(r *rand.Rand, k Kind, depth int) Type {
	t := Type{Kind: k}
	switch k {
	case KindInt:
		t.Bits = []uint8{16, 32, 64}[r.IntN(3)]
	case KindFloat:
		t.Bits = []uint8{32, 64}[r.IntN(2)]
	case KindDecimal:
		if r.IntN(4) > 0 {
			t.Precision = []int16{1, 5, 12, 18, 19, 20, 28, 38, 39, 60}[r.IntN(10)]
			t.Scale = int16(r.IntN(int(t.Precision) + 1))
		}
	case KindText:
		t.Length = int32(r.IntN(2) * 40)
	case KindEnum:
		t.Symbols = []string{"aktiv", "utgått, \"gammel\"", ""}[:1+r.IntN(3)]
	case KindArray:
		kinds := int(KindRecord)
		if depth > 1 {
			kinds = int(KindEnum)
		}
		elem := randomType(r, KindBool+Kind(r.IntN(kinds)), depth+1)
		t.Elem = &elem
	case KindRecord:
		for i := range 1 + r.IntN(4) {
			kinds := int(KindRecord)
			if depth > 1 {
				kinds = int(KindEnum)
			}
			t.Fields = append(t.Fields, randomColumn(r, KindBool+Kind(r.IntN(kinds)), i, depth+1))
		}
	default:
	}
	return t
}

func randomRow(r *rand.Rand, t *Table) []Value {
	row := make([]Value, len(t.Columns))
	for i := range t.Columns {
		row[i] = randomField(r, &t.Columns[i])
	}
	return row
}

func randomField(r *rand.Rand, c *Column) Value {
	if c.Nullable && r.IntN(3) == 0 {
		return Null
	}
	return randomValue(r, &c.Type)
}

func randomValue(r *rand.Rand, t *Type) Value {
	switch t.Kind {
	case KindBool:
		return Bool(r.IntN(2) == 0)
	case KindInt:
		return Int(r.Int64() >> (64 - int(t.Bits) + r.IntN(int(t.Bits))) * int64(1-2*r.IntN(2)))
	case KindDecimal:
		return randomDecimal(r, t)
	case KindFloat:
		f := []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), r.NormFloat64(), math.MaxFloat32}[r.IntN(7)]
		if t.Bits == 32 {
			f = float64(float32(f))
		}
		return Float(f)
	case KindText, KindEnum, KindJSON:
		words := []string{"", "Rødvin", "{\"a\":[1, null]}", "日本", "\x00", strings.Repeat("lang ", r.IntN(100)), "aktiv"}
		return Value{Kind: t.Kind, Bytes: []byte(words[r.IntN(len(words))])}
	case KindBytes, KindUUID:
		n := r.IntN(200)
		if t.Kind == KindUUID {
			n = 16
		}
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return Value{Kind: t.Kind, Bytes: b}
	case KindDate:
		return Date([]int64{0, -1, DateInfinity, DateNegInfinity, -735160, int64(int32(r.Uint32()))}[r.IntN(6)])
	case KindTime:
		return Value{Kind: KindTime, Int: r.Int64N(microsPerDay + 1)}
	case KindTimestamp, KindTimestampTZ:
		return Value{Kind: t.Kind, Int: []int64{0, -1, TimestampInfinity, TimestampNegInfinity, r.Int64() >> r.IntN(64)}[r.IntN(5)]}
	case KindArray:
		v := Value{Kind: KindArray, List: []Value{}}
		for range r.IntN(4) {
			v.List = append(v.List, randomField(r, &Column{Type: *t.Elem, Nullable: nullableElements(t)}))
		}
		return v
	case KindRecord:
		v := Value{Kind: KindRecord}
		for i := range t.Fields {
			v.List = append(v.List, randomField(r, &t.Fields[i]))
		}
		return v
	default:
		panic("a column of kind " + t.Kind.String())
	}
}

// randomDecimal fits the type, in one of the forms in which a database or a rule may bring it.
func randomDecimal(r *rand.Rand, t *Type) Value {
	digits, scale := int(t.Precision), int(t.Scale)
	if digits == 0 {
		if r.IntN(8) == 0 {
			return DecSpecial([]int16{SpecialNaN, SpecialInfinity, SpecialNegInfinity}[r.IntN(3)])
		}
		digits, scale = 1+r.IntN(80), r.IntN(40)
	}
	limit := bigPow10(1 + r.IntN(digits))
	z := new(big.Int)
	for range 5 {
		z.Lsh(z, 60).Or(z, new(big.Int).SetUint64(r.Uint64()>>4))
	}
	z.Mod(z, limit)
	if r.IntN(5) == 0 {
		z.Sub(limit, big.NewInt(1)) // all nines
	}
	if r.IntN(2) == 0 {
		z.Neg(z)
	}
	v := DecBig(z, int16(scale))
	if t.Precision == 0 {
		return v
	}
	switch r.IntN(4) {
	case 0: // fewer digits after the point
		if cut, err := Round(v, r.IntN(scale+1), Down); err == nil {
			return cut
		}
	case 1: // zeros beyond the column's scale
		if more, err := Round(v, scale+r.IntN(25), Down); err == nil {
			return more
		}
	case 2: // a whole number
		if cut, err := Round(v, 0, Down); err == nil && cut.Bytes == nil {
			return Int(cut.Int)
		}
	}
	return v
}

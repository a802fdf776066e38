package schemas

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

func TestCanonicalText(t *testing.T) {
	for _, c := range []struct {
		v               Value
		canonical, text string
	}{
		{Null, "", "null"},
		{Bool(true), "true", "true"},
		{Int(-42), "-42", "-42"},
		{Dec(4200, 2), "42", "42.00"},
		{Dec(-1250, 3), "-1.25", "-1.250"},
		{Dec(0, 4), "0", "0.0000"},
		{Dec(100, 0), "100", "100"},
		{DecBig(new(big.Int).Exp(big.NewInt(10), big.NewInt(30), nil), 10), "100000000000000000000", "100000000000000000000.0000000000"},
		{DecSpecial(SpecialNegInfinity), "-Infinity", "-Infinity"},
		{Float(42), "42", "42"},
		{Float(0.1), "0.1", "0.1"},
		{Float(1e21), "1000000000000000000000", "1000000000000000000000"},
		{Float(math.Copysign(0, -1)), "0", "0"},
		{Float(math.NaN()), "NaN", "NaN"},
		{Float(math.Inf(-1)), "-Infinity", "-Infinity"},
		{Text("042 "), "042 ", "042 "},
		{Value{Kind: KindBytes, Bytes: []byte{0, 0xab}}, "00ab", "0x00ab"},
		{Date(0), "1970-01-01", "1970-01-01"},
		{Date(-735160), "-0043-03-15", "-0043-03-15"},
		{Date(DaysFromCivil(0, 12, 31)), "0000-12-31", "0000-12-31"},
		{Date(DaysFromCivil(12000, 1, 1)), "+12000-01-01", "+12000-01-01"},
		{Date(DaysFromCivil(753, 4, 21)), "0753-04-21", "0753-04-21"},
		{Date(DateInfinity), "infinity", "infinity"},
		{Date(DateNegInfinity), "-infinity", "-infinity"},
		{Value{Kind: KindTime, Int: 86_399_500_000}, "23:59:59.5", "23:59:59.5"},
		{Value{Kind: KindTime, Int: 86_400_000_000}, "24:00:00", "24:00:00"},
		{Value{Kind: KindTime, Int: -3_020_399_000_000}, "-838:59:59", "-838:59:59"},
		{Timestamp(-1), "1969-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999"},
		{TimestampTZ(1_700_000_000_120_000), "2023-11-14T22:13:20.12Z", "2023-11-14T22:13:20.12Z"},
		{TimestampTZ(TimestampInfinity), "infinity", "infinity"},
		{Timestamp(TimestampNegInfinity), "-infinity", "-infinity"},
		{Timestamp(-735160 * microsPerDay), "-0043-03-15T00:00:00", "-0043-03-15T00:00:00"},
		{Value{Kind: KindUUID, Bytes: []byte("0123456789abcdef")}, "30313233-3435-3637-3839-616263646566", "30313233-3435-3637-3839-616263646566"},
		{Value{Kind: KindArray, List: []Value{Int(1), Null, Dec(20, 1)}}, "1\x1e\x1e2", "[1, null, 2.0]"},
		{Value{Kind: KindRecord, List: []Value{Text("a"), Int(1)}}, "a\x1e1", "{a, 1}"},
	} {
		if got := string(AppendCanonical([]byte("x"), c.v)); got != "x"+c.canonical {
			t.Errorf("canonical text of %s %s is %q, want %q", c.v.Kind, c.v, got[1:], c.canonical)
		}
		if got := c.v.String(); got != c.text {
			t.Errorf("text of a %s is %q, want %q", c.v.Kind, got, c.text)
		}
	}
}

func TestPartitionMeets(t *testing.T) {
	want := Partition([]Value{Text("42"), Text("nb")}, 12)
	for _, v := range []Value{Int(42), Dec(42, 0), Dec(42000, 3), Float(42)} {
		if got := Partition([]Value{v, Text("nb")}, 12); got != want {
			t.Errorf("%s %s goes to partition %d, the text to %d", v.Kind, v, got, want)
		}
	}
	// Fixed for ever: the rows on the topics were shared out by it.
	for i, want := range []int32{5, 8, 10, 8} {
		if got := Partition([]Value{Int(int64(i)), Text("A-1")}, 12); got != want {
			t.Errorf("key %d goes to partition %d, and went to %d when this was written", i, got, want)
		}
	}
	counts := make([]int, 12)
	for i := range 12000 {
		counts[Partition([]Value{Int(int64(i))}, 12)]++
	}
	for p, n := range counts {
		if n < 850 || n > 1150 {
			t.Errorf("partition %d got %d of 12000 keys", p, n)
		}
	}
}

func TestCivilAgainstTime(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		days := r.Int64N(8_000_000) - 4_000_000
		want := time.Unix(days*86400, 0).UTC()
		y, m, d := CivilFromDays(days)
		if int(y) != want.Year() || m != int(want.Month()) || d != want.Day() {
			t.Fatalf("day %d is %d-%d-%d, want %s", days, y, m, d, want)
		}
		if back := DaysFromCivil(y, m, d); back != days {
			t.Fatalf("%d-%d-%d is day %d, want %d", y, m, d, back, days)
		}
	}
}

func TestCompareIsATotalOrder(t *testing.T) {
	inf := DecSpecial(SpecialInfinity)
	ascending := []Value{
		Null, Bool(false), Bool(true),
		Float(math.Inf(-1)), Float(-1e300), Dec(-5, 1), Int(0), Float(0.1), Dec(11, 2), Int(42), dec(t, "42.0000000000000000000001"), Float(1e300), inf, Float(math.NaN()),
		Text(""), Text("A"),
		{Kind: KindEnum, Bytes: []byte("B")},
		Text("Ba"),
		{Kind: KindBytes, Bytes: []byte{0}},
		Date(DateNegInfinity), Date(1), Date(DateInfinity),
		Timestamp(5), TimestampTZ(4),
		{Kind: KindArray},
		{Kind: KindArray, List: []Value{Null}},
		{Kind: KindArray, List: []Value{Int(1), Int(2)}},
		{Kind: KindArray, List: []Value{Int(2)}},
	}
	for i, a := range ascending {
		for j, b := range ascending {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := Compare(a, b); got != want {
				t.Errorf("Compare(%s %s, %s %s) = %d, want %d", a.Kind, a, b.Kind, b, got, want)
			}
		}
	}
	for _, same := range [][2]Value{
		{Int(42), Dec(4200, 2)},
		{Float(0.5), Dec(50, 2)},
		{Float(math.NaN()), DecSpecial(SpecialNaN)},
		{Float(math.Inf(1)), inf},
		{Text("x"), {Kind: KindJSON, Bytes: []byte("x")}},
		{Float(0), Float(math.Copysign(0, -1))},
	} {
		if !Equal(same[0], same[1]) {
			t.Errorf("%s and %s are not equal", same[0], same[1])
		}
	}
	if Equal(Int(42), Text("42")) {
		t.Error("a number equals a text")
	}
}

func TestClone(t *testing.T) {
	v := Value{Kind: KindArray, List: []Value{Text("abc"), {Kind: KindRecord, List: []Value{Text("d")}}}}
	c := v.Clone()
	v.List[0].Bytes[0] = 'x'
	v.List[1].List[0].Bytes[0] = 'y'
	if c.String() != "[abc, {d}]" {
		t.Errorf("the copy became %s", c)
	}
}

package schemas

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

func dec(t testing.TB, text string) Value {
	t.Helper()
	v, err := ParseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func must(t testing.TB) func(Value, error) Value {
	return func(v Value, err error) Value {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// The measured vectors of a real shop: what float64 gets wrong, and what rounding at another place gets different.
func TestVATVectors(t *testing.T) {
	ok := must(t)
	for _, c := range []struct{ net, rate, qty, halfUp, halfEven, netFirst, fromUnit, once string }{
		{"79.92", "25", "1", "99.90", "99.90", "99.90", "99.90", "99.90"},
		{"11.90", "15", "1", "13.69", "13.68", "13.69", "13.69", "13.69"},
		{"0.10", "25", "1", "0.13", "0.12", "0.13", "0.13", "0.13"},
		{"0.30", "25", "1", "0.38", "0.38", "0.38", "0.38", "0.38"},
		{"44.355", "24", "1", "55.00", "55.00", "55.01", "55.00", "55.00"},
		{"0.913", "21", "2", "1.10", "1.10", "1.10", "2.20", "2.21"},
		{"1.37", "20", "50", "1.64", "1.64", "1.64", "82.00", "82.20"},
		{"4.30", "15", "3", "4.95", "4.94", "4.95", "14.85", "14.84"},
		{"19.99", "25", "3", "24.99", "24.99", "24.99", "74.97", "74.96"},
		{"8.70", "15", "10", "10.01", "10.00", "10.01", "100.10", "100.05"},
		{"1.005", "0", "1", "1.01", "1.00", "1.01", "1.01", "1.01"},
		{"129.90", "12", "7", "145.49", "145.49", "145.49", "1018.43", "1018.42"},
		{"33.33", "25.5", "3", "41.83", "41.83", "41.83", "125.49", "125.49"},
	} {
		factor := ok(AddDec(Int(1), ok(QuoDec(dec(t, c.rate), Int(100), 4, HalfUp))))
		gross := ok(MulDec(dec(t, c.net), factor))
		unit := ok(Round(gross, 2, HalfUp))
		for _, got := range []struct {
			what, want string
			v          Value
		}{
			{"half up", c.halfUp, unit},
			{"half even", c.halfEven, ok(Round(gross, 2, HalfEven))},
			{"net first", c.netFirst, ok(Round(ok(MulDec(ok(Round(dec(t, c.net), 2, HalfUp)), factor)), 2, HalfUp))},
			{"line from unit", c.fromUnit, ok(MulDec(unit, dec(t, c.qty)))},
			{"line once", c.once, ok(Round(ok(MulDec(gross, dec(t, c.qty))), 2, HalfUp))},
		} {
			if got.v.String() != got.want {
				t.Errorf("%s at %s%%, %s: %s, want %s", c.net, c.rate, got.what, got.v, got.want)
			}
		}
	}
}

func TestRound(t *testing.T) {
	for _, c := range []struct {
		in                       string
		scale                    int
		halfUp, halfEven, dn, up string
	}{
		{"0.125", 2, "0.13", "0.12", "0.12", "0.13"},
		{"-0.125", 2, "-0.13", "-0.12", "-0.12", "-0.13"},
		{"0.135", 2, "0.14", "0.14", "0.13", "0.14"},
		{"0.1249", 2, "0.12", "0.12", "0.12", "0.13"},
		{"1.5", 2, "1.50", "1.50", "1.50", "1.50"},
		{"250", -2, "300", "200", "200", "300"},
		{"-250", -2, "-300", "-200", "-200", "-300"},
		{"49", -2, "0", "0", "0", "100"},
		{"50", -2, "100", "0", "0", "100"},
		{"7", -40, "0", "0", "0", "1" + strings.Repeat("0", 40)},
		{"9223372036854775807", -1, "9223372036854775810", "9223372036854775810", "9223372036854775800", "9223372036854775810"},
		{"-9223372036854775808", 1, "-9223372036854775808.0", "-9223372036854775808.0", "-9223372036854775808.0", "-9223372036854775808.0"},
		{
			"123456789012345678901234567890.125", 2, "123456789012345678901234567890.13", "123456789012345678901234567890.12",
			"123456789012345678901234567890.12", "123456789012345678901234567890.13",
		},
	} {
		for mode, want := range map[RoundMode]string{HalfUp: c.halfUp, HalfEven: c.halfEven, Down: c.dn, Up: c.up} {
			got := must(t)(Round(dec(t, c.in), c.scale, mode))
			if got.String() != want || got.Kind != KindDecimal || got.Scale != int16(max(c.scale, 0)) {
				t.Errorf("Round(%s, %d, mode %d) = %s scale %d, want %s", c.in, c.scale, mode, got, got.Scale, want)
			}
		}
	}
	if v := must(t)(Round(Int(5), 2, HalfUp)); v.String() != "5.00" {
		t.Errorf("Round(5, 2) = %s", v)
	}
}

func TestParseDecimal(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "12.50": "12.50", "+1": "1", ".5": "0.5", "5.": "5", "-.05": "-0.05", "1e3": "1000", "1.5E-3": "0.0015", "1.50e1": "15.0",
		"0000012": "12", "9223372036854775807": "9223372036854775807", "-9223372036854775808": "-9223372036854775808",
		"9223372036854775808": "9223372036854775808", "92233720368547758.08": "92233720368547758.08",
		"12.50000000000000000000": "12.5", "0.00000000000000000000": "0.00000000000000000000", "-100.00000000000000000000000": "-100",
		"NaN": "NaN", "nan": "NaN", "Infinity": "Infinity", "-inf": "-Infinity", "+INFINITY": "Infinity", "0e-99999": "0." + strings.Repeat("0", 32767),
		"123456789012345678901234567890.50": "123456789012345678901234567890.50", "12345678901234567890": "12345678901234567890",
	} {
		v, err := ParseDecimal(in)
		if err != nil || v.String() != want {
			t.Errorf("ParseDecimal(%q) = %s, %v; want %s", in, v, err, want)
		}
		if b, err := ParseDecimal([]byte(in)); err != nil || Compare(b, v) != 0 {
			t.Errorf("ParseDecimal of the bytes of %q = %s, %v", in, b, err)
		}
	}
	for _, in := range []string{"12.50000000000000000000", "0.00000000000000000000", "-100.00000000000000000000000", "1.50", "123456789012345678901234567890.50", "NaN"} {
		v, err := ParseDecimalText(in)
		if err != nil || v.String() != in {
			t.Errorf("ParseDecimalText(%q) = %s, %v", in, v, err)
		}
		codec := mustCompile(t, &Table{Name: "t", Columns: []Column{{Name: "n", Type: Type{Kind: KindDecimal}}}, Key: []int{0}})
		body, err := codec.AppendValue(nil, []Value{v})
		if err != nil {
			t.Fatal(err)
		}
		row, err := codec.DecodeValue(nil, body)
		if err != nil {
			t.Fatal(err)
		}
		if row[0].String() != in {
			t.Errorf("%s comes back from Avro as %s", in, row[0])
		}
	}
	for _, in := range []string{"", "-", ".", "1,5", "1 000", " 1", "1 ", "0x1", "1e", "1e1.5", "--1", "1.2.3", "-nan", "infinityy", "1e999999999", "1e-40000", "1_0", "1e99999999999999999999"} {
		if v, err := ParseDecimal(in); err == nil {
			t.Errorf("ParseDecimal(%q) = %s, want an error", in, v)
		}
	}
}

// anyNumber gives numbers of all sizes, with the ends of int64 among them.
func anyNumber(r *rand.Rand) Value {
	ends := []int64{0, 1, -1, 5, -5, 10, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1, math.MaxInt32}
	switch r.IntN(6) {
	case 0:
		return Int(ends[r.IntN(len(ends))])
	case 1:
		return Int(r.Int64() >> r.IntN(63))
	case 2:
		return Dec(ends[r.IntN(len(ends))], int16(r.IntN(25)))
	case 3, 4:
		return Dec((r.Int64()>>r.IntN(63))*int64(1-2*r.IntN(2)), int16(r.IntN(12)))
	}
	z := new(big.Int)
	for range 1 + r.IntN(5) {
		z.Lsh(z, 48).Add(z, big.NewInt(r.Int64N(1<<48)))
	}
	if r.IntN(2) == 0 {
		z.Neg(z)
	}
	return DecBig(z, int16(r.IntN(40)))
}

// roundRat is the definition of the rounding modes on exact fractions.
func roundRat(x *big.Rat, scale int, mode RoundMode) *big.Rat {
	unit := new(big.Rat).SetFrac(big.NewInt(1), bigPow10(max(scale, 0)))
	if scale < 0 {
		unit = new(big.Rat).SetInt(bigPow10(-scale))
	}
	n := new(big.Rat).Quo(new(big.Rat).Abs(x), unit)
	whole := new(big.Int).Quo(n.Num(), n.Denom())
	rest := new(big.Rat).Sub(n, new(big.Rat).SetInt(whole))
	half := rest.Cmp(big.NewRat(1, 2))
	if rest.Sign() != 0 && (mode == Up || mode == HalfUp && half >= 0 || mode == HalfEven && (half > 0 || half == 0 && whole.Bit(0) == 1)) {
		whole.Add(whole, big.NewInt(1))
	}
	out := new(big.Rat).Mul(new(big.Rat).SetInt(whole), unit)
	if x.Sign() < 0 {
		out.Neg(out)
	}
	return out
}

func TestArithmeticAgainstRat(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	ok := must(t)
	check := func(what string, got Value, want *big.Rat, a, b Value) {
		t.Helper()
		if rat(got).Cmp(want) != 0 {
			t.Fatalf("%s of %s and %s = %s, want %s", what, a, b, got, want.FloatString(30))
		}
		if got.Bytes != nil && got.Coefficient().IsInt64() {
			t.Fatalf("%s of %s and %s is not in its shortest form", what, a, b)
		}
		if got.Kind == KindInt && (a.Kind != KindInt || b.Kind != KindInt) {
			t.Fatalf("%s of %s and %s became a whole number", what, a, b)
		}
	}
	for range 30000 {
		a, b := anyNumber(r), anyNumber(r)
		x, y := rat(a), rat(b)
		check("sum", ok(AddDec(a, b)), new(big.Rat).Add(x, y), a, b)
		check("difference", ok(SubDec(a, b)), new(big.Rat).Sub(x, y), a, b)
		check("product", ok(MulDec(a, b)), new(big.Rat).Mul(x, y), a, b)
		if Compare(a, b) != x.Cmp(y) {
			t.Fatalf("Compare(%s, %s) = %d", a, b, Compare(a, b))
		}
		mode := RoundMode(r.IntN(4))
		scale := r.IntN(45) - 5
		check("rounding", ok(Round(a, scale, mode)), roundRat(x, scale, mode), a, Dec(int64(scale), 0))
		if scale >= 0 && y.Sign() != 0 {
			q := ok(QuoDec(a, b, scale, mode))
			check("quotient", q, roundRat(new(big.Rat).Quo(x, y), scale, mode), a, b)
			if int(q.Scale) != scale {
				t.Fatalf("quotient with scale %d, want %d", q.Scale, scale)
			}
		}
		back, err := ParseDecimal(a.String())
		if err != nil || Compare(back, a) != 0 {
			t.Fatalf("%s parsed is %s, %v", a, back, err)
		}
		if want := rat(a).FloatString(int(decScale(a))); a.String() != want && a.Sign() != 0 {
			t.Fatalf("text %s, want %s", a, want)
		}
		if a.Sign() != x.Sign() {
			t.Fatalf("sign of %s is %d", a, a.Sign())
		}
	}
}

func TestArithmeticKindsAndErrors(t *testing.T) {
	ok := must(t)
	if v := ok(SubDec(Int(-1), Int(math.MinInt64))); v.Kind != KindInt || v.Int != math.MaxInt64 {
		t.Errorf("-1 - MinInt64 = %s of kind %s", v, v.Kind)
	}
	if v := ok(AddDec(Int(math.MaxInt64), Int(1))); v.String() != "9223372036854775808" || v.Kind != KindDecimal {
		t.Errorf("MaxInt64 + 1 = %s of kind %s", v, v.Kind)
	}
	if v := ok(AddDec(dec(t, "1.10"), dec(t, "2.9"))); v.String() != "4.00" {
		t.Errorf("1.10 + 2.9 = %s", v)
	}
	for _, c := range []struct {
		what string
		err  error
		want error
	}{
		{"null", second(AddDec(Null, Int(1))), ErrNotNumber},
		{"text", second(MulDec(Int(1), Text("2"))), ErrNotNumber},
		{"NaN", second(AddDec(DecSpecial(SpecialNaN), Int(1))), ErrSpecial},
		{"infinity", second(Round(DecSpecial(SpecialInfinity), 2, HalfUp)), ErrSpecial},
		{"zero", second(QuoDec(Int(1), Dec(0, 5), 2, HalfUp)), ErrDivisionByZero},
		{"scale", second(MulDec(Dec(1, 20000), Dec(1, 20000))), ErrDecimalRange},
		{"quotient's scale", second(QuoDec(Int(1), Int(3), -1, HalfUp)), ErrDecimalRange},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, c.err, c.want)
		}
	}
}

func second(_ Value, err error) error { return err }

func TestArithmeticDoesNotAllocate(t *testing.T) {
	price, factor := Dec(1990, 2), Dec(125, 2)
	text := []byte("12.50000000")
	var buf [64]byte
	if n := testing.AllocsPerRun(100, func() {
		g, _ := MulDec(price, factor)
		g, _ = Round(g, 2, HalfUp)
		g, _ = AddDec(g, Int(1))
		g, _ = QuoDec(g, factor, 4, HalfEven)
		p, _ := ParseDecimal(text)
		if Compare(g, p) == 0 {
			t.Error("equal")
		}
		AppendDecimal(buf[:0], g)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTwosComplement(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 127, 128, -128, -129, 255, 256, -256, math.MaxInt64, math.MinInt64} {
		b := twosComplement(big.NewInt(n))
		if back := (Value{Kind: KindDecimal, Bytes: b}).Coefficient(); back.Int64() != n || len(trimSign(b)) != len(b) {
			t.Errorf("%d became % x, read back %s", n, b, back)
		}
		if got := appendSmall(nil, n); string(got[1:]) != string(b) || int(got[0]) != len(b)*2 {
			t.Errorf("%d appended is % x, want % x", n, got, b)
		}
	}
}

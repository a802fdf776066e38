package rules

import (
	"encoding/csv"
	"math/big"
	"os"
	"strings"
	"testing"

	"shelfstream/schemas"
)

// rates in hundredths of a percent: Norway's and Sweden's 25, Norwegian food, Swedish food of old, Estonia, Finland, the Netherlands, none.
var moneyRates = []int64{2500, 1500, 1200, 2400, 2550, 2100, 2000, 600, 0}

// ratRound rounds a rational half up, away from zero, to cents or other units of 1/10^digits: an arithmetic of its own to compare with.
func ratRound(r *big.Rat, digits int64) *big.Rat {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(digits), nil)
	x := new(big.Rat).Mul(r, new(big.Rat).SetInt(unit))
	// floor(|x| × 2 + 1) ÷ 2
	n := new(big.Int).Mul(new(big.Int).Abs(x.Num()), big.NewInt(2))
	n.Add(n, x.Denom())
	n.Quo(n, new(big.Int).Mul(x.Denom(), big.NewInt(2)))
	if x.Sign() < 0 {
		n.Neg(n)
	}
	return new(big.Rat).SetFrac(n, unit)
}

func ratOf(v schemas.Value) *big.Rat {
	r, ok := new(big.Rat).SetString(string(schemas.AppendDecimal(nil, v)))
	if !ok {
		return nil
	}
	return r
}

// moneyProgram has a price, a VAT lookup and both ways through them.
func moneyProgram(t *testing.T) *Evaluator {
	t.Helper()
	env := simpleEnv()
	vat := &schemas.Table{Columns: []schemas.Column{{Name: "pct", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 5, Scale: 2}}}, Key: []int{0}}
	env.Lookups = []Lookup{{Name: "vat", Table: vat}}
	return compileOne(t, `rules:
  - name: gross to net
    vat: { rates: vat, rate: pct, gross: price, round: 2, net_round: 4, set: { net: net, amount: amount } }
  - name: and back
    vat: { rates: vat, rate: pct, net: net, round: 2, set: { gross again: gross } }
  - name: and to net once more
    vat: { rates: vat, rate: pct, gross: "`+"`gross again`"+`", round: 2, net_round: 4, set: { net again: net } }
  - name: net to gross
    vat: { rates: vat, rate: pct, net: price, round: 2, set: { gross: gross, vat: amount } }
  - name: expressions
    set: { by expression: "round(price * (100 + vat.pct) / 100, 2)" }
`, env).NewEvaluator()
}

// TestEveryPriceIsExact takes all prices from 0.01 to 200.00 through gross, net, gross and net, and compares each step with big.Rat.
func TestEveryPriceIsExact(t *testing.T) {
	e := moneyProgram(t)
	var res Result
	hundred := big.NewRat(100, 1)
	for _, pct := range moneyRates {
		factor := new(big.Rat).Add(hundred, big.NewRat(pct, 100))
		for cents := int64(1); cents <= 20000; cents++ {
			in := Input{
				Root:    []schemas.Value{schemas.Int(1), schemas.Null, schemas.Dec(cents, 2)},
				Lookups: [][][]schemas.Value{{{schemas.Dec(pct, 2)}}},
			}
			if err := e.Eval(&in, &res); err != nil {
				t.Fatal(err)
			}
			price := big.NewRat(cents, 100)
			net := ratRound(new(big.Rat).Quo(new(big.Rat).Mul(price, hundred), factor), 4)
			gross := ratRound(new(big.Rat).Quo(new(big.Rat).Mul(price, factor), hundred), 2)
			want := []*big.Rat{net, ratRound(new(big.Rat).Sub(price, net), 2), price, net, gross, ratRound(new(big.Rat).Sub(gross, price), 2), gross}
			for i, w := range want {
				if got := ratOf(res.Row[i+1]); got == nil || got.Cmp(w) != 0 {
					t.Fatalf("%d cents at %d/100 %%: field %d is %v, want %s", cents, pct, i+1, res.Row[i+1], w.FloatString(4))
				}
			}
		}
	}
}

// TestVATVectors computes the columns of testdata/vat_vectors.csv that exact arithmetic gives; the float column shows what it avoids.
func TestVATVectors(t *testing.T) {
	f, err := os.Open("testdata/vat_vectors.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil || len(lines) < 10 {
		t.Fatal(err, len(lines))
	}
	decimal := func(scale int16) schemas.Type {
		return schemas.Type{Kind: schemas.KindDecimal, Precision: 18, Scale: scale}
	}
	env := Env{View: "v", Root: &schemas.Table{Columns: []schemas.Column{{Name: "no", Type: intType}, {Name: "net", Type: decimal(6)}, {Name: "qty", Type: intType}}, Key: []int{0}}}
	env.Lookups = []Lookup{{Name: "vat", Table: &schemas.Table{Columns: []schemas.Column{{Name: "pct", Type: decimal(2)}}, Key: []int{0}}}}
	e := compileOne(t, `rules:
  - name: unit
    vat: { rates: vat, rate: pct, net: net, round: 2, set: { gross_unit_halfup: gross } }
  - name: rounded first
    set: { rounded net: "round(net, 2)" }
  - name: unit of a rounded net
    vat: { rates: vat, rate: pct, net: "`+"`rounded net`"+`", round: 2, set: { gross_unit_if_net_rounded_first: gross } }
  - name: others
    set:
      gross_unit_halfeven: round(net * (100 + vat.pct) / 100, 2, 'half_even')
      line_gross_from_rounded_unit: gross_unit_halfup * qty
      line_gross_rounded_once: round(net * qty * (100 + vat.pct) / 100, 2)
`, env).NewEvaluator()
	var res Result
	floatsDiffer := 0
	for _, line := range lines[1:] {
		in := Input{Root: []schemas.Value{schemas.Int(1), parseCell(t, decimal(6), line[0]), parseCell(t, intType, line[2])}, Lookups: [][][]schemas.Value{{{parseCell(t, decimal(2), line[1])}}}}
		if err := e.Eval(&in, &res); err != nil {
			t.Fatal(err)
		}
		for i, column := range lines[0] {
			at := e.m.prog.Output().Column(column)
			if at < 0 {
				if strings.Contains(column, "float") && line[i] != line[3] {
					floatsDiffer++
				}
				continue
			}
			if got := string(schemas.AppendDecimal(nil, res.Row[at])); got != line[i] {
				t.Errorf("%s at %s %% × %s: %s is %s, want %s", line[0], line[1], line[2], column, got, line[i])
			}
		}
	}
	if floatsDiffer == 0 {
		t.Error("the vectors hold no price that floats get wrong")
	}
}

// TestPriceEndingsAreIdempotent: for all prices to 200.00, all directions, several grids and floors.
func TestPriceEndingsAreIdempotent(t *testing.T) {
	for _, grid := range []string{"1, 0.90", "10, 9", "0.05, 0", "0.5, 0.49", "1, 0"} {
		for _, rest := range []string{"", ", 'up'", ", 'down'", ", 'down', 50.03"} {
			e := compileOne(t, "rules:\n  - name: once\n    set: { a: \"price_ending(price, "+grid+rest+")\" }\n  - name: twice\n    set: { b: \"price_ending(a, "+grid+rest+")\" }\n", simpleEnv()).NewEvaluator()
			var res Result
			step, ending, _ := strings.Cut(grid, ", ")
			s, _ := new(big.Rat).SetString(step)
			end, _ := new(big.Rat).SetString(ending)
			for cents := int64(1); cents <= 20000; cents++ {
				in := Input{Root: []schemas.Value{schemas.Int(1), schemas.Null, schemas.Dec(cents, 2)}, Lookups: [][][]schemas.Value{}}
				if err := e.Eval(&in, &res); err != nil {
					t.Fatal(err)
				}
				a, price := ratOf(res.Row[1]), big.NewRat(cents, 100)
				steps := new(big.Rat).Quo(new(big.Rat).Sub(a, end), s)
				far := new(big.Rat).Sub(a, price)
				switch {
				case a.Cmp(ratOf(res.Row[2])) != 0:
					t.Fatalf("%s%s: %d cents become %v, and that becomes %v", grid, rest, cents, res.Row[1], res.Row[2])
				case a.Sign() <= 0 || !steps.IsInt():
					t.Fatalf("%s%s: %d cents become %v, which does not end so", grid, rest, cents, res.Row[1])
				case strings.HasSuffix(rest, "50.03") && a.Cmp(big.NewRat(5003, 100)) < 0:
					t.Fatalf("%s%s: %d cents become %v, below the floor", grid, rest, cents, res.Row[1])
				case rest == ", 'up'" && far.Sign() < 0 || rest != ", 'down', 50.03" && far.Abs(far).Cmp(s) >= 0 && a.Cmp(s) > 0:
					t.Fatalf("%s%s: %d cents become %v, too far away", grid, rest, cents, res.Row[1])
				}
			}
		}
	}
}

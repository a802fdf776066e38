package transform

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"shelfstream/schemas"
)

// move notes how far a number moves, while it is one of the largest moves.
func (t *tally) move(f *PlanField, a, b schemas.Value, product []byte) {
	x, ok := asFloat(a)
	y, also := asFloat(b)
	if !ok || !also {
		return
	}
	if y > x {
		f.Up++
	} else {
		f.Down++
	}
	m := PlanMove{amount: y - x}
	if x != 0 {
		m.Percent = math.Round((y-x)/math.Abs(x)*1000) / 10
	}
	n := t.p.cfg.Samples
	amount, percent := belongs(f.ByAmount, m, n, byAmount), x != 0 && belongs(f.ByPercent, m, n, byPercent)
	if !amount && !percent {
		return
	}
	m.Key, m.Old, m.New, m.Difference = keyText(product), a.String(), b.String(), difference(a, b, y-x)
	if amount {
		f.ByAmount = largest(append(f.ByAmount, m), n, byAmount)
	}
	if percent {
		f.ByPercent = largest(append(f.ByPercent, m), n, byPercent)
	}
}

func asFloat(v schemas.Value) (float64, bool) {
	switch {
	case v.Kind == schemas.KindFloat:
		return v.Float64(), !math.IsNaN(v.Float64()) && !math.IsInf(v.Float64(), 0)
	case v.Kind == schemas.KindInt:
		return float64(v.Int), true
	case v.Kind != schemas.KindDecimal || v.IsSpecial():
		return 0, false
	case v.Bytes == nil:
		return float64(v.Int) / math.Pow10(int(v.Scale)), true
	}
	f, err := strconv.ParseFloat(v.String(), 64)
	return f, err == nil
}

// difference is exact where the numbers are.
func difference(a, b schemas.Value, f float64) string {
	text := strconv.FormatFloat(f, 'g', 6, 64)
	if a.Kind != schemas.KindFloat && b.Kind != schemas.KindFloat {
		if d, err := schemas.SubDec(b, a); err == nil {
			text = d.String()
		}
	}
	if f > 0 {
		return "+" + text
	}
	return text
}

func byAmount(m PlanMove) float64  { return math.Abs(m.amount) }
func byPercent(m PlanMove) float64 { return math.Abs(m.Percent) }

// belongs says whether a move is among the n largest.
func belongs(ms []PlanMove, m PlanMove, n int, by func(PlanMove) float64) bool {
	return len(ms) < n || by(m) > by(ms[len(ms)-1])
}

// largest keeps the n largest moves, the largest first; of equal ones that whose key comes first.
func largest(ms []PlanMove, n int, by func(PlanMove) float64) []PlanMove {
	slices.SortStableFunc(ms, func(a, b PlanMove) int { return cmp.Or(cmp.Compare(by(b), by(a)), strings.Compare(a.Key, b.Key)) })
	return ms[:min(n, len(ms))]
}

package rules

import (
	"bytes"
	"fmt"
	"slices"

	"shelfstream/schemas"
)

// unit is a unit of measure as an exact ratio to the base of its dimension.
type unit struct {
	dimension string
	num, den  int64
}

// units are known by their common names, and by UN/ECE Recommendation 20's and SAP's codes; all in small letters.
var units = map[string]unit{
	"mg": {"mass", 1, 1}, "g": {"mass", 1000, 1}, "hg": {"mass", 100_000, 1}, "kg": {"mass", 1_000_000, 1}, "t": {"mass", 1_000_000_000, 1},
	"lb": {"mass", 45_359_237, 100}, "oz": {"mass", 28_349_523_125, 1_000_000},
	"ml": {"volume", 1, 1}, "cl": {"volume", 10, 1}, "dl": {"volume", 100, 1}, "l": {"volume", 1000, 1}, "hl": {"volume", 100_000, 1}, "m3": {"volume", 1_000_000, 1},
	"mm": {"length", 1, 1}, "cm": {"length", 10, 1}, "dm": {"length", 100, 1}, "m": {"length", 1000, 1}, "km": {"length", 1_000_000, 1},
	"in": {"length", 254, 10}, "ft": {"length", 3048, 10}, "yd": {"length", 9144, 10},
	"cm2": {"area", 100, 1}, "dm2": {"area", 10_000, 1}, "m2": {"area", 1_000_000, 1},
	"pcs": {"count", 1, 1}, "pair": {"count", 2, 1}, "dozen": {"count", 12, 1},
}

// unitNames are other names of units.
var unitNames = map[string]string{
	"mgm": "mg", "grm": "g", "gr": "g", "gram": "g", "kgm": "kg", "kilo": "kg", "tne": "t", "to": "t", "ton": "t", "lbr": "lb", "onz": "oz",
	"mlt": "ml", "clt": "cl", "dlt": "dl", "ltr": "l", "lt": "l", "liter": "l", "litre": "l", "hlt": "hl", "mtq": "m3", "dm3": "l", "dmq": "l", "cm3": "ml", "cmq": "ml",
	"mmt": "mm", "cmt": "cm", "dmt": "dm", "mtr": "m", "kmt": "km", "inh": "in", "fot": "ft", "yrd": "yd", "cmk": "cm2", "dmk": "dm2", "mtk": "m2",
	"stk": "pcs", "st": "pcs", "pce": "pcs", "pc": "pcs", "ea": "pcs", "c62": "pcs", "h87": "pcs", "par": "pair", "pr": "pair", "npr": "pair", "dzn": "dozen", "dz": "dozen", "dus": "dozen",
}

func unitNamed(b []byte) (unit, bool) {
	var buf [8]byte
	if b = trimSpace(b); len(b) > len(buf) {
		return unit{}, false
	}
	low := append(buf[:0], b...)
	for i, ch := range low {
		if ch >= 'A' && ch <= 'Z' {
			low[i] = ch | 0x20
		}
	}
	low = bytes.ReplaceAll(bytes.ReplaceAll(low, []byte("²"), []byte("2")), []byte("³"), []byte("3"))
	if u, ok := units[string(low)]; ok {
		return u, true
	}
	u, ok := units[unitNames[string(low)]]
	return u, ok
}

// unitWords lists all names, in a fixed order, for suggestions.
func unitWords() []string {
	var out []string
	for w := range units {
		out = append(out, w)
	}
	for w := range unitNames {
		out = append(out, w)
	}
	slices.Sort(out)
	return out
}

func compileConvert(c *compiler, n *node) *code {
	x, from, to := c.number(n.kids[0]), c.text(n.kids[1]), c.text(n.kids[2])
	digits, ok := c.constantInt(n.kids[3], 0, maxScale, "the number of digits")
	for i, k := range []*code{from, to} {
		if k.bad || k.constant == nil || k.constant.Kind != schemas.KindText {
			continue
		}
		if _, known := unitNamed(k.constant.Bytes); !known {
			word := string(k.constant.Bytes)
			c.bad(n.kids[i+1], fmt.Sprintf("there is no unit '%s'", word), didYouMean(word, unitWords(), "units are mg, g, kg, t, ml, cl, dl, l, mm, cm, m, m2, m3, pcs, pair, dozen and their codes"))
			ok = false
		}
	}
	if x.bad || from.bad || to.bad || !ok {
		return badCode
	}
	at := c.site(n)
	return c.made(n, decimalType(digits), func(m *machine) schemas.Value {
		v, a, b := x.eval(m), from.eval(m), to.eval(m)
		if v.Kind == schemas.KindNull || a.Kind == schemas.KindNull || b.Kind == schemas.KindNull {
			return schemas.Null
		}
		source, target := m.unit(at, a), m.unit(at, b)
		switch {
		case m.fault != nil:
			return schemas.Null
		case source.dimension != target.dimension:
			return m.fail(at, fmt.Sprintf("%s measures %s and %s measures %s", display(a), source.dimension, display(b), target.dimension), "correct the unit in the source, or convert by the product's own ratio: quo(x * a, b, 3)")
		}
		sum := exactly{}
		out := sum.quo(sum.mul(sum.mul(v, schemas.Int(source.num)), schemas.Int(target.den)), sum.mul(schemas.Int(target.num), schemas.Int(source.den)), digits, schemas.HalfUp)
		if sum.err != nil {
			return m.failNumber(at, sum.err, "convert", v)
		}
		return out
	})
}

func (m *machine) unit(at site, name schemas.Value) unit {
	u, ok := unitNamed(name.Bytes)
	if !ok {
		m.fail(at, fmt.Sprintf("there is no unit %s", display(name)), "correct it in the source, or map it first: convert(x, map(unit, {'BX': 'pcs'}), …)")
	}
	return u
}

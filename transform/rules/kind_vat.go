package rules

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// vatRule finds the rate that is valid today and makes gross of net, or net of gross.
type vatRule struct {
	choosing
	rate       *expression
	net, gross *expression
	exempt     *expression
	code       *expression
	round      int
	netRound   int
	set        fieldSet
	n          *yaml.Node
}

func parseVAT(f *file, n *yaml.Node) kind {
	o := f.object(n, "vat", keysOf("vat")...)
	k := &vatRule{
		choosing: f.choosing(o, "rates"), rate: f.expr(o.need("rate", "rate: the column that holds the rate in percent")),
		net: f.expr(o.get("net")), gross: f.expr(o.get("gross")), exempt: f.expr(o.get("exempt")), code: f.expr(o.get("code")), n: n,
		set: f.readFields(o.need("set", "set: { price: gross, vat_rate: rate }"), "set"),
	}
	if (o.get("net") == nil) == (o.get("gross") == nil) && n.Kind == yaml.MappingNode {
		f.badNode(n, "vat starts from net or from gross", "write net: the price without VAT, or gross: the price with VAT")
	}
	k.round = f.digits(o.need("round", "round: 2, the digits of the price after rounding half up"), 2)
	k.netRound = 4
	if d := o.get("net_round"); d != nil {
		if o.get("gross") == nil {
			f.badNode(d, "net_round is for a net that is computed from gross", "remove it")
		}
		k.netRound = f.digits(d, 4)
	}
	return k
}

// digits reads a number of digits after the point.
func (f *file) digits(n *yaml.Node, otherwise int) int {
	if n == nil {
		return otherwise
	}
	var d int
	if err := n.Decode(&d); err != nil || n.Tag != "!!int" || d < 0 || d > 18 {
		f.badNode(n, "a number of digits is a whole number from 0 to 18", "write 2")
		return otherwise
	}
	return d
}

// The columns of the row that a vat rule makes.
const (
	vatGross = iota
	vatNet
	vatRate
	vatAmount
	vatColumns
)

func (k *vatRule) compile(c *compiler) func(m *machine) {
	var rate *code
	q := c.open(k.choosing, false, func(*source) { rate = c.numeric(k.rate) })
	base, anchored := k.net, vatNet
	if k.gross != nil {
		base, anchored = k.gross, vatGross
	}
	amount := c.numeric(base)
	var called *code
	if k.code != nil {
		if called = c.value(k.code); called.bad {
			c.spoil(k.set)
			return nil
		}
	}
	exempt := &code{eval: null}
	if k.exempt != nil {
		exempt = c.numeric(k.exempt)
	}
	if q == nil || rate.bad || amount.bad || exempt.bad {
		c.spoil(k.set)
		return nil
	}
	columns := make([]schemas.Column, vatColumns)
	columns[vatGross] = schemas.Column{Name: "gross", Type: decimalType(k.round)}
	columns[vatNet] = schemas.Column{Name: "net", Type: decimalType(k.netRound)}
	columns[vatRate] = schemas.Column{Name: "rate", Type: rate.typ}
	columns[vatAmount] = schemas.Column{Name: "amount", Type: decimalType(k.round)}
	columns[anchored].Type = amount.typ
	var as []assign
	depth := len(c.scopes)
	c.inScope(&scope{columns: columns}, func() { as = c.assigns(k.set) })

	at := site{origin: k.rate.origin}
	from := q.source.name
	return func(m *machine) {
		price := amount.eval(m)
		chosen := k.choose(m, q, rate, at)
		row := schemas.Null
		switch {
		case m.fault != nil:
			return
		case chosen.Kind != schemas.KindNull:
			row = chosen
		case price.Kind != schemas.KindNull:
			m.failAs(fault.RulesVATUnknown, at, fmt.Sprintf("unknown VAT code %s: %s has no rate that is valid on %s", k.codeOf(m, called, from), from, appendDate(nil, m.day())),
				fmt.Sprintf("add the rate to %s, or correct the product's code; the product is tried again then", from))
			return
		}
		start := len(m.values)
		m.values = append(m.values, make([]schemas.Value, vatColumns)...)
		made := m.values[start : start+vatColumns : start+vatColumns]
		made[vatRate] = row
		if price.Kind != schemas.KindNull {
			k.calculate(m, made, price, exempt.eval(m), at)
		}
		m.frames[depth] = frame{row: made}
		m.assignAll(as)
	}
}

// numeric compiles an expression that must be an exact number.
func (c *compiler) numeric(e *expression) *code {
	if e == nil {
		return badCode
	}
	defer func(old *expression) { c.expr = old }(c.expr)
	c.expr = e
	return c.number(e.node)
}

// choose gives the rate of the one valid row. Two valid rows with different rates are a fault unless the rule has an order.
func (k *vatRule) choose(m *machine, q *query, rate *code, at site) schemas.Value {
	if len(q.order) > 0 {
		if !q.first(m) {
			return schemas.Null
		}
		return k.present(m, rate.eval(m), at)
	}
	chosen := schemas.Null
	q.each(m, func(int) bool {
		v := k.present(m, rate.eval(m), at)
		switch {
		case m.fault != nil:
			return false
		case chosen.Kind != schemas.KindNull && compareNumbers(chosen, v) != 0:
			m.failAs(fault.RulesVATTwice, at, fmt.Sprintf("two VAT rates are valid on %s: %s and %s", appendDate(nil, m.day()), display(chosen), display(v)),
				fmt.Sprintf("end one of the rows in %s before the other begins, or give the rule an order", q.source.name))
			return false
		}
		chosen = v
		return true
	})
	return chosen
}

func (k *vatRule) present(m *machine, rate schemas.Value, at site) schemas.Value {
	if rate.Kind == schemas.KindNull {
		return m.fail(at, "the VAT row has no rate", "enter the rate; 0 must be written as 0")
	}
	return rate
}

// codeOf names the code that was looked for.
func (k *vatRule) codeOf(m *machine, code *code, from string) string {
	if code != nil {
		return display(code.eval(m))
	}
	var parts []string
	for i := range m.prog.env.Lookups {
		l := &m.prog.env.Lookups[i]
		for _, name := range l.On {
			if col := m.prog.env.Root.Column(name); col >= 0 && l.Name == from {
				parts = append(parts, display(m.in.Root[col]))
			}
		}
	}
	if len(parts) == 0 {
		return "of this product"
	}
	return strings.Join(parts, ", ")
}

// calculate fills gross, net and amount. Each is rounded once, half up: gross = net × (100 + rate) ÷ 100, net = gross × 100 ÷ (100 + rate),
// amount = gross - net. With an exempt part E below the price, gross = (net × (100 + rate) - E × rate) ÷ 100, net = (gross × 100 + E × rate) ÷ (100 + rate).
func (k *vatRule) calculate(m *machine, made []schemas.Value, price, exempt schemas.Value, at site) {
	rate := made[vatRate]
	sum := exactly{}
	factor, hundred, untaxed := sum.add(rate, schemas.Int(100)), schemas.Int(100), schemas.Null
	if exempt.Kind != schemas.KindNull && exempt.Sign() > 0 && price.Sign() > 0 {
		if compareNumbers(exempt, price) > 0 {
			exempt = price
		}
		untaxed = sum.mul(exempt, rate)
	}
	var p schemas.Value
	if k.gross == nil {
		made[vatNet] = price
		if p = sum.mul(price, factor); untaxed.Kind != schemas.KindNull {
			p = sum.sub(p, untaxed)
		}
		made[vatGross] = sum.quo(p, hundred, k.round, schemas.HalfUp)
	} else {
		made[vatGross] = price
		if p = sum.mul(price, hundred); untaxed.Kind != schemas.KindNull {
			p = sum.add(p, untaxed)
		}
		made[vatNet] = sum.quo(p, factor, k.netRound, schemas.HalfUp)
	}
	made[vatAmount] = sum.round(sum.sub(made[vatGross], made[vatNet]), k.round)
	if sum.err != nil {
		m.failNumber(at, sum.err, "VAT", price, rate)
	}
}

package rules

import (
	"fmt"
	"strings"

	"shelfstream/schemas"
)

// currencies by the digits that ISO 4217 gives them.
var currencyDigits = func() map[string]int {
	out := map[string]int{}
	for digits, codes := range map[int]string{
		0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
		2: "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB " +
			"EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR " +
			"MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT " +
			"TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG",
		3: "BHD IQD JOD KWD LYD OMR TND",
	} {
		for code := range strings.FieldsSeq(codes) {
			out[code] = digits
		}
	}
	return out
}()

const maxCurrencyDigits = 3

// compileRoundCurrency rounds once, to the digits of the currency: also of a division.
func compileRoundCurrency(c *compiler, n *node) *code {
	one := schemas.Int(1)
	x, by := c.compileDividend(n.kids[0], &one)
	currency := c.text(n.kids[1])
	mode, ok := c.roundMode(n.kids, 2)
	t := decimalType(maxCurrencyDigits)
	if !currency.bad && currency.constant != nil && currency.constant.Kind == schemas.KindText {
		code := string(currency.constant.Bytes)
		digits, known := currencyDigits[code]
		if !known {
			c.bad(n.kids[1], fmt.Sprintf("there is no currency '%s'", code), didYouMean(code, []string{"NOK", "SEK", "DKK", "EUR", "ISK", "GBP", "USD"}, "write its code of ISO 4217, in capitals"))
			ok = false
		}
		t = decimalType(digits)
	}
	if x.bad || by.bad || currency.bad || !ok {
		return badCode
	}
	at := c.site(n)
	return c.made(n, t, func(m *machine) schemas.Value {
		a, b, code := x.eval(m), by.eval(m), currency.eval(m)
		if a.Kind == schemas.KindNull || b.Kind == schemas.KindNull || code.Kind == schemas.KindNull {
			return schemas.Null
		}
		digits, known := currencyDigits[string(code.Bytes)]
		if !known {
			return m.fail(at, fmt.Sprintf("there is no currency %s", display(code)), "correct it in the source; a currency is its code of ISO 4217, in capitals")
		}
		v, err := schemas.QuoDec(a, b, digits, mode)
		if err != nil {
			return m.failNumber(at, err, "round_currency", a, b)
		}
		return v
	})
}

// compileDividend compiles a / b as its two parts, and anything else as a part and 1.
func (c *compiler) compileDividend(n *node, one *schemas.Value) (x, by *code) {
	if isDivision(n) {
		return c.number(n.kids[0]), c.number(n.kids[1])
	}
	return c.number(n), &code{typ: intType, constant: one, eval: func(*machine) schemas.Value { return *one }}
}

// constantNumber is an argument that must be a number known before anything runs.
func (c *compiler) constantNumber(n *node, what string) (schemas.Value, bool) {
	k := c.compile(n)
	if k.bad {
		return schemas.Null, false
	}
	if k.constant == nil || k.constant.Kind != schemas.KindInt && k.constant.Kind != schemas.KindDecimal {
		c.bad(n, what+" must be a constant number", "write the number itself: the type of the field depends on it")
		return schemas.Null, false
	}
	return *k.constant, true
}

// compilePriceEnding moves a price to the nearest one that ends as wanted: ending + a whole number of steps. What ends so already stays, so that
// doing it twice is doing it once.
func compilePriceEnding(c *compiler, n *node) *code {
	x := c.number(n.kids[0])
	step, ok := c.constantNumber(n.kids[1], "the step")
	ending, fine := c.constantNumber(n.kids[2], "the ending")
	if x.bad || !ok || !fine {
		return badCode
	}
	if step.Sign() <= 0 || ending.Sign() < 0 || schemas.Compare(ending, step) >= 0 {
		return c.bad(n.kids[2], fmt.Sprintf("no price ends on %s in steps of %s", display(ending), display(step)), "write price_ending(x, 1, 0.90) for …,90, price_ending(x, 10, 9) for …9, price_ending(x, 0.05, 0) for cash")
	}
	e := endings{step: step, ending: ending, mode: "nearest"}
	if len(n.kids) > 3 {
		if e.mode, ok = c.constantText(n.kids[3], "the direction"); !ok {
			return badCode
		}
		if words := []string{"nearest", "up", "down"}; e.mode != "nearest" && e.mode != "up" && e.mode != "down" {
			return c.bad(n.kids[3], fmt.Sprintf("unknown direction '%s'", e.mode), didYouMean(e.mode, words, ""))
		}
	}
	floor := &code{eval: null}
	if len(n.kids) > 4 {
		if floor = c.number(n.kids[4]); floor.bad {
			return floor
		}
	}
	at := c.site(n)
	return c.made(n, decimalType(int(max(step.Scale, ending.Scale))), func(m *machine) schemas.Value {
		v, low := x.eval(m), floor.eval(m)
		if v.Kind == schemas.KindNull {
			return v
		}
		if v.Sign() <= 0 { // 0 is "ask" or free, and no ending makes a price of it
			return schemas.Int(0)
		}
		out, err := e.of(v, e.mode)
		if err == nil && low.Kind != schemas.KindNull && schemas.Compare(out, low) < 0 {
			out, err = e.of(low, "up")
		}
		if err != nil {
			return m.failNumber(at, err, "price_ending", v)
		}
		return out
	})
}

// endings is a grid of prices: ending, ending + step, ending + 2 × step, … without 0.
type endings struct {
	step, ending schemas.Value
	mode         string
}

func (e *endings) of(v schemas.Value, mode string) (schemas.Value, error) {
	sum := exactly{}
	over := sum.sub(v, e.ending)
	toward := schemas.Down
	if over.Sign() < 0 {
		toward = schemas.Up
	}
	below := sum.add(e.ending, sum.mul(e.step, sum.quo(over, e.step, 0, toward)))
	above := sum.add(below, e.step)
	twice := sum.sub(sum.add(v, v), sum.add(below, above)) // above 0: v is nearer to above
	switch {
	case sum.err != nil:
		return schemas.Null, sum.err
	case compareNumbers(below, v) == 0:
		return below, nil
	case mode == "up" || below.Sign() <= 0 || mode == "nearest" && twice.Sign() >= 0:
		return above, nil
	}
	return below, nil
}

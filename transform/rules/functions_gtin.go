package rules

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"shelfstream/schemas"
)

// compileGTIN reads EAN, UPC and ITF-14 numbers. Numbers that went through a spreadsheet come as 7.03801E+12 and have lost digits: that is
// refused, as a number with zeros in their place would be another product's.
func compileGTIN(c *compiler, n *node) *code {
	x := c.compile(n.kids[0])
	if x.bad {
		return x
	}
	if k := x.typ.Kind; !isText(x.typ) && k != schemas.KindInt && k != schemas.KindDecimal {
		return c.bad(n.kids[0], fmt.Sprintf("%s is %s, a text or number is wanted", c.snip(n.kids[0]), typeName(x.typ)), "use the column with the bar code")
	}
	at, digits := c.site(n), !isText(x.typ)
	return c.made(n, textType, func(m *machine) schemas.Value {
		v := x.eval(m)
		if v.Kind == schemas.KindNull {
			return v
		}
		start := len(m.bytes)
		if m.bytes = appendGTIN(m.bytes, v); len(m.bytes) == start {
			return schemas.Null
		}
		if digits {
			m.bytes = padGTIN(m.bytes, start)
		}
		if what, fix := gtinFault(m.bytes[start:]); what != "" {
			return m.fail(at, fmt.Sprintf("%s is no GTIN: %s", display(v), what), fix)
		}
		return m.made(start)
	})
}

// appendGTIN writes the characters of v without spaces and hyphens; a number written with an exponent is left as it is.
func appendGTIN(dst []byte, v schemas.Value) []byte {
	if v.Kind != schemas.KindText && v.Kind != schemas.KindEnum {
		return schemas.AppendCanonical(dst, v)
	}
	exponent := bytes.ContainsAny(v.Bytes, "eE")
	for _, b := range trimSpace(v.Bytes) {
		if b != ' ' && b != '-' || exponent {
			dst = append(dst, b)
		}
	}
	return dst
}

// padGTIN gives a number back the zeros that it had in front.
func padGTIN(b []byte, start int) []byte {
	have := len(b) - start
	want := 14
	for _, l := range []int{13, 12, 8} {
		if have <= l {
			want = l
		}
	}
	if have >= want || have < 6 {
		return b
	}
	digits := string(b[start:])
	return append(append(b[:start], strings.Repeat("0", want-have)...), digits...)
}

func gtinFault(b []byte) (what, fix string) {
	sum := 0
	for i, d := range b {
		if d < '0' || d > '9' {
			if bytes.ContainsAny(b, "eE") {
				return "a spreadsheet has cut its digits", "format the column as text in the spreadsheet, and enter the number again"
			}
			return fmt.Sprintf("it holds %q", d), "correct the number in the source; try(gtin(x), null) leaves out what is wrong"
		}
		weight := 1
		if (len(b)-i)%2 == 0 {
			weight = 3
		}
		if i < len(b)-1 {
			sum += weight * int(d-'0')
		}
	}
	switch len(b) {
	case 8, 12, 13, 14:
	default:
		return "it has " + strconv.Itoa(len(b)) + " digits, not 8, 12, 13 or 14", "correct the number in the source; try(gtin(x), null) leaves out what is wrong"
	}
	if want := (10 - sum%10) % 10; int(b[len(b)-1]-'0') != want {
		return fmt.Sprintf("its last digit would be %d", want), "correct the number in the source; try(gtin(x), null) leaves out what is wrong"
	}
	return "", ""
}

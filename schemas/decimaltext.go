package schemas

import (
	"fmt"
	"math/big"
	"strconv"
)

// ParseDecimal reads a decimal as databases print it: "-12.50", ".5", "1e-3", "NaN", "Infinity", "-Infinity" (any case, also
// "inf"). The result is a KindDecimal that keeps the digits after the point ("12.50" has scale 2), except that zeros at
// the end are dropped where only they keep it from 18 digits (NAV's 12.50000000000000000000 is 12.5). No spaces, no
// grouping, no decimal comma. It allocates only for texts beyond an int64.
func ParseDecimal[T ~string | ~[]byte](text T) (Value, error) { return parseDecimal(text, false) }

// ParseDecimalText is ParseDecimal that keeps every digit, also zeros at the end of any number of digits: AppendDecimal gives back the text that
// PostgreSQL prints for a numeric without a scale. It allocates for texts beyond an int64.
func ParseDecimalText[T ~string | ~[]byte](text T) (Value, error) { return parseDecimal(text, true) }

func parseDecimal[T ~string | ~[]byte](text T, keep bool) (Value, error) {
	i, negative := 0, false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		negative = text[0] == '-'
		i = 1
	}
	start := i
	var (
		n       uint64
		fits    = true
		digits  int
		scale   int
		inPoint bool
	)
	for ; i < len(text); i++ {
		c := text[i]
		if c-'0' <= 9 {
			if n > (1<<63-10)/10 {
				fits = false
			} else if fits {
				n = n*10 + uint64(c-'0')
			}
			digits++
			if inPoint {
				scale++
			}
			continue
		}
		if c == '.' && !inPoint {
			inPoint = true
			continue
		}
		break
	}
	if digits == 0 {
		return parseSpecial(string(text[start:]), negative, string(text))
	}
	end := i
	exponent := 0
	if i < len(text) {
		var err error
		if text[i]|0x20 != 'e' {
			return Null, notDecimal(string(text))
		}
		if exponent, err = strconv.Atoi(string(text[i+1:])); err != nil || exponent > maxDigits || exponent < -maxDigits {
			return Null, notDecimal(string(text))
		}
	}
	if digits > maxDigits {
		return Null, ErrDecimalRange
	}
	scale -= exponent
	if fits && scale >= 0 && scale <= maxScale {
		v, _ := signed(n, negative)
		return Dec(v, int16(scale)), nil
	}
	return parseLong(string(text[start:end]), scale, negative, keep)
}

// parseLong reads digits (with at most one point, whose place scale already tells) that are too many for an int64 or
// whose exponent moves the point out of them. Unless keep is set, zeros at the end are dropped where an int64 holds the rest.
func parseLong(mantissa string, scale int, negative, keep bool) (Value, error) {
	digits := make([]byte, 0, len(mantissa))
	for i := range len(mantissa) {
		if mantissa[i] != '.' {
			digits = append(digits, mantissa[i])
		}
	}
	if n, left := zeros(digits, scale); !keep && n <= maxInt64Digits {
		digits, scale = digits[:n], left
	}
	z, ok := new(big.Int).SetString(string(digits), 10)
	if !ok {
		return Null, notDecimal(mantissa)
	}
	if z.Sign() == 0 {
		scale = min(max(scale, 0), maxScale)
	}
	if scale > maxScale || -scale > maxDigits {
		return Null, ErrDecimalRange
	}
	if scale < 0 {
		z.Mul(z, bigPow10(-scale))
		scale = 0
	}
	if negative {
		z.Neg(z)
	}
	return DecBig(z, int16(scale)), nil
}

// maxInt64Digits is how many digits always fit an int64.
const maxInt64Digits = 18

// zeros gives how many of digits are left without the zeros at the end of the fraction, and the scale then.
func zeros(digits []byte, scale int) (n, left int) {
	n = len(digits)
	for scale > 0 && n > 1 && digits[n-1] == '0' {
		n--
		scale--
	}
	return n, scale
}

func parseSpecial(word string, negative bool, text string) (Value, error) {
	switch lowerASCII(word) {
	case "nan":
		if !negative {
			return DecSpecial(SpecialNaN), nil
		}
	case "infinity", "inf":
		if negative {
			return DecSpecial(SpecialNegInfinity), nil
		}
		return DecSpecial(SpecialInfinity), nil
	}
	return Null, notDecimal(text)
}

func lowerASCII(s string) string {
	if len(s) > len("infinity") {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

func notDecimal(text string) error {
	if len(text) > 40 {
		text = text[:40] + "…"
	}
	return fmt.Errorf("%q is no decimal number", text)
}

// AppendDecimal appends a KindInt or KindDecimal as plain text with all digits of its scale ("-12.50", never an exponent),
// or "NaN", "Infinity", "-Infinity". ParseDecimal reads it back.
func AppendDecimal(dst []byte, v Value) []byte {
	if v.IsSpecial() {
		switch v.Scale {
		case SpecialInfinity:
			return append(dst, "Infinity"...)
		case SpecialNegInfinity:
			return append(dst, "-Infinity"...)
		}
		return append(dst, "NaN"...)
	}
	scale := int(decScale(v))
	if v.Kind == KindDecimal && v.Bytes != nil {
		z := v.Coefficient()
		if z.Sign() < 0 {
			dst = append(dst, '-')
			z.Neg(z)
		}
		return pointed(dst, z.Append(make([]byte, 0, len(v.Bytes)*5/2+2), 10), scale)
	}
	if v.Int < 0 {
		dst = append(dst, '-')
	}
	var buf [20]byte
	return pointed(dst, strconv.AppendUint(buf[:0], magnitude(v.Int), 10), scale)
}

// pointed appends digits with the point before the last scale of them.
func pointed(dst, digits []byte, scale int) []byte {
	if scale == 0 {
		return append(dst, digits...)
	}
	if len(digits) <= scale {
		dst = append(dst, '0', '.')
		for range scale - len(digits) {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(dst, digits[:len(digits)-scale]...)
	dst = append(dst, '.')
	return append(dst, digits[len(digits)-scale:]...)
}

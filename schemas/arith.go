package schemas

import "math/big"

// RoundMode says what becomes of the digits that are cut.
type RoundMode uint8

// The rounding modes.
const (
	HalfUp   RoundMode = iota // to the nearest; a half goes away from zero: 0.125 -> 0.13, -0.125 -> -0.13 (tax and shop usage)
	HalfEven                  // to the nearest; a half goes to the even digit: 0.125 -> 0.12 (bankers)
	Down                      // towards zero
	Up                        // away from zero
)

// AddDec is a + b, exact. Two whole numbers give a KindInt where it fits an int64; all else is a KindDecimal with the
// larger of the two scales. Errors: ErrNotNumber, ErrSpecial.
func AddDec(a, b Value) (Value, error) {
	if err := numbers(a, b); err != nil {
		return Null, err
	}
	if a.Bytes == nil && b.Bytes == nil {
		as, bs := int(decScale(a)), int(decScale(b))
		scale := max(as, bs)
		x, okX := scaleUp(a.Int, scale-as)
		y, okY := scaleUp(b.Int, scale-bs)
		if okX && okY {
			if s, ok := addInt64(x, y); ok {
				return sameKind(a, b, s, int16(scale)), nil
			}
		}
	}
	x, y, scale := aligned(a, b)
	return DecBig(x.Add(x, y), scale), nil
}

// SubDec is a - b, exact; like AddDec.
func SubDec(a, b Value) (Value, error) {
	n, err := NegDec(b)
	if err != nil {
		return Null, err
	}
	// Only the smallest int64 changes its kind when negated; the difference of whole numbers stays whole where it fits.
	s, err := AddDec(a, n)
	if err == nil && a.Kind == KindInt && b.Kind == KindInt && s.Kind == KindDecimal && s.Bytes == nil {
		s.Kind = KindInt
	}
	return s, err
}

// NegDec is -a with a's scale.
func NegDec(a Value) (Value, error) {
	if err := numbers(a, a); err != nil {
		return Null, err
	}
	if a.Bytes == nil && a.Int != -1<<63 {
		a.Int = -a.Int
		return a, nil
	}
	z := a.Coefficient()
	return DecBig(z.Neg(z), decScale(a)), nil
}

// MulDec is a × b, exact. Two whole numbers give a KindInt where it fits an int64; all else is a KindDecimal whose scale is
// the sum of the two. Errors: ErrNotNumber, ErrSpecial, ErrDecimalRange.
func MulDec(a, b Value) (Value, error) {
	if err := numbers(a, b); err != nil {
		return Null, err
	}
	scale := int(decScale(a)) + int(decScale(b))
	if scale > maxScale {
		return Null, ErrDecimalRange
	}
	if a.Bytes == nil && b.Bytes == nil {
		if p, ok := mulInt64(a.Int, b.Int); ok {
			return sameKind(a, b, p, int16(scale)), nil
		}
	}
	x := a.Coefficient()
	return DecBig(x.Mul(x, b.Coefficient()), int16(scale)), nil
}

// QuoDec is a ÷ b as a KindDecimal with scale digits after the point, rounded once by mode; scale 0…32767.
// Errors: ErrDivisionByZero, ErrNotNumber, ErrSpecial, ErrDecimalRange.
func QuoDec(a, b Value, scale int, mode RoundMode) (Value, error) {
	if err := numbers(a, b); err != nil {
		return Null, err
	}
	if scale < 0 || scale > maxScale {
		return Null, ErrDecimalRange
	}
	if b.Sign() == 0 {
		return Null, ErrDivisionByZero
	}
	// a·10^-as ÷ b·10^-bs = (a·10^up ÷ b)·10^-scale
	up := scale + int(decScale(b)) - int(decScale(a))
	if a.Bytes == nil && b.Bytes == nil {
		var ok bool
		num, den := a.Int, b.Int
		if up >= 0 {
			num, ok = scaleUp(num, up)
		} else {
			den, ok = scaleUp(den, -up)
		}
		if ok {
			if q, ok := quoInt64(num, den, mode); ok {
				return Dec(q, int16(scale)), nil
			}
		}
	}
	num, den := a.Coefficient(), b.Coefficient()
	if up >= 0 {
		num.Mul(num, bigPow10(up))
	} else {
		den.Mul(den, bigPow10(-up))
	}
	return DecBig(quoBig(num, den, mode), int16(scale)), nil
}

// Round gives v as a KindDecimal with exactly scale digits after the point: cut by mode, or filled with zeros.
// A negative scale rounds to tens, hundreds … and gives scale 0. Errors: ErrNotNumber, ErrSpecial, ErrDecimalRange.
func Round(v Value, scale int, mode RoundMode) (Value, error) {
	if err := numbers(v, v); err != nil {
		return Null, err
	}
	if scale > maxScale || scale < -maxDigits {
		return Null, ErrDecimalRange
	}
	out := int16(max(scale, 0))
	cut := int(decScale(v)) - scale
	if v.Bytes == nil {
		if cut <= 0 {
			if n, ok := scaleUp(v.Int, -cut); ok {
				return Dec(n, out), nil
			}
		} else if cut < len(pow10)-1 {
			// The quotient fits; only scaling it back up for a negative scale may not.
			q, _ := quoInt64(v.Int, int64(pow10[cut]), mode)
			if n, ok := scaleUp(q, max(-scale, 0)); ok {
				return Dec(n, out), nil
			}
		}
	}
	z := v.Coefficient()
	if cut <= 0 {
		return DecBig(z.Mul(z, bigPow10(-cut)), out), nil
	}
	q := quoBig(z, bigPow10(cut), mode)
	if scale < 0 {
		q.Mul(q, bigPow10(-scale))
	}
	return DecBig(q, out), nil
}

// numbers checks that both can be calculated with.
func numbers(a, b Value) error {
	if a.IsNumber() && b.IsNumber() {
		return nil
	}
	if a.IsSpecial() || b.IsSpecial() {
		return ErrSpecial
	}
	return ErrNotNumber
}

// decScale is the scale of a number; a whole number has none, whatever its Scale field holds.
func decScale(v Value) int16 {
	if v.Kind == KindInt {
		return 0
	}
	return v.Scale
}

// sameKind keeps whole numbers whole.
func sameKind(a, b Value, n int64, scale int16) Value {
	if a.Kind == KindInt && b.Kind == KindInt {
		return Int(n)
	}
	return Dec(n, scale)
}

// aligned gives both coefficients at the larger scale.
func aligned(a, b Value) (x, y *big.Int, scale int16) {
	x, y = a.Coefficient(), b.Coefficient()
	as, bs := decScale(a), decScale(b)
	switch {
	case as < bs:
		x.Mul(x, bigPow10(int(bs)-int(as)))
		return x, y, bs
	case bs < as:
		y.Mul(y, bigPow10(int(as)-int(bs)))
	}
	return x, y, as
}

// quoInt64 is num ÷ den rounded by mode; not ok if it does not fit.
func quoInt64(num, den int64, mode RoundMode) (int64, bool) {
	n, d := magnitude(num), magnitude(den)
	q, r := n/d, n%d
	if r != 0 {
		half := 0
		switch rest := d - r; { // r against d-r, because 2r can overflow
		case r > rest:
			half = 1
		case r < rest:
			half = -1
		}
		if away(mode, half, q&1 != 0) {
			q++
		}
	}
	return signed(q, (num < 0) != (den < 0))
}

// quoBig is num ÷ den rounded by mode.
func quoBig(num, den *big.Int, mode RoundMode) *big.Int {
	negative := (num.Sign() < 0) != (den.Sign() < 0)
	n, d := new(big.Int).Abs(num), new(big.Int).Abs(den)
	q, r := n.QuoRem(n, d, new(big.Int))
	if r.Sign() != 0 {
		half := r.Lsh(r, 1).Cmp(d)
		if away(mode, half, q.Bit(0) != 0) {
			q.Add(q, big.NewInt(1))
		}
	}
	if negative {
		q.Neg(q)
	}
	return q
}

// away says whether a quotient with a remainder goes one away from zero. half compares the remainder with half of the divisor.
func away(mode RoundMode, half int, odd bool) bool {
	switch mode {
	case HalfUp:
		return half >= 0
	case HalfEven:
		return half > 0 || half == 0 && odd
	case Up:
		return true
	case Down:
	}
	return false
}

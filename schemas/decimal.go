package schemas

import (
	"math"
	"math/big"
	"math/bits"
)

// A KindDecimal's Scale is never negative, so the negative end of its range marks what is no number. Numeric columns
// of PostgreSQL can hold these; see doc.go for their published forms.
const (
	SpecialNaN         int16 = math.MinInt16
	SpecialInfinity    int16 = math.MinInt16 + 1
	SpecialNegInfinity int16 = math.MinInt16 + 2
)

const (
	maxScale = math.MaxInt16
	// maxDigits bounds what a hostile exponent can make us allocate; PostgreSQL's numeric ends at 131072 digits before the point.
	maxDigits = 131072 + maxScale
)

// DecSpecial makes NaN or an infinity; which is one of the Special constants.
func DecSpecial(which int16) Value { return Value{Kind: KindDecimal, Scale: which} }

// IsSpecial says whether v is a decimal NaN or infinity, or a date that is none.
func (v Value) IsSpecial() bool { return v.Kind == KindDecimal && v.Scale < 0 || v.isNoDate() }

// IsNumber says whether v is an exact number: a whole number or a decimal that is not special.
func (v Value) IsNumber() bool {
	return v.Kind == KindInt || v.Kind == KindDecimal && v.Scale >= 0
}

// DecBig makes the decimal coefficient × 10^-scale from a number of any size; scale must not be negative.
func DecBig(coefficient *big.Int, scale int16) Value {
	if coefficient.IsInt64() {
		return Value{Kind: KindDecimal, Int: coefficient.Int64(), Scale: scale}
	}
	return Value{Kind: KindDecimal, Bytes: twosComplement(coefficient), Scale: scale}
}

// Coefficient gives the unscaled number of a KindInt or KindDecimal.
func (v Value) Coefficient() *big.Int {
	if v.Kind != KindDecimal || v.Bytes == nil {
		return big.NewInt(v.Int)
	}
	z := new(big.Int).SetBytes(v.Bytes)
	if len(v.Bytes) > 0 && v.Bytes[0]&0x80 != 0 {
		z.Sub(z, new(big.Int).Lsh(big.NewInt(1), uint(len(v.Bytes))*8))
	}
	return z
}

// Sign is -1, 0 or 1 for a KindInt or KindDecimal; NaN counts as 0.
func (v Value) Sign() int {
	switch {
	case v.IsSpecial():
		switch v.Scale {
		case SpecialInfinity:
			return 1
		case SpecialNegInfinity:
			return -1
		}
		return 0
	case v.Kind == KindDecimal && v.Bytes != nil:
		return v.Coefficient().Sign()
	case v.Int < 0:
		return -1
	case v.Int > 0:
		return 1
	}
	return 0
}

// twosComplement is the shortest big-endian two's complement of z, at least one byte.
func twosComplement(z *big.Int) []byte {
	if z.Sign() >= 0 {
		b := make([]byte, z.BitLen()/8+1)
		return z.FillBytes(b)
	}
	// -2^(8n-1) still fits n bytes, hence the length of |z|-1.
	low := new(big.Int).Not(z)
	b := low.FillBytes(make([]byte, low.BitLen()/8+1))
	for i := range b {
		b[i] = ^b[i]
	}
	return b
}

// pow10 holds the powers of ten that fit an uint64.
var pow10 = [20]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// bigPow10 is 10^n.
func bigPow10(n int) *big.Int {
	if n < len(pow10) {
		return new(big.Int).SetUint64(pow10[n])
	}
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// scaleUp is n × 10^by if that fits an int64.
func scaleUp(n int64, by int) (int64, bool) {
	if by == 0 || n == 0 {
		return n, true
	}
	if by >= len(pow10)-1 {
		return 0, false
	}
	return mulInt64(n, int64(pow10[by]))
}

func addInt64(a, b int64) (int64, bool) {
	s := a + b
	return s, (a^s)&(b^s) >= 0
}

func mulInt64(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	if hi != 0 {
		return 0, false
	}
	return signed(lo, (a < 0) != (b < 0))
}

// magnitude is |n|, right for the smallest int64 too.
func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// signed is m with a sign, if it fits.
func signed(m uint64, negative bool) (int64, bool) {
	if negative {
		return -int64(m), m <= 1<<63
	}
	return int64(m), m < 1<<63
}

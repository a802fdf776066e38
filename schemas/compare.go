package schemas

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
)

// Compare orders any two values: -1, 0 or 1. Null comes first. Numbers compare exactly across KindInt, KindDecimal and
// KindFloat (42 = 42.00), with -Infinity below and Infinity, then NaN above all others, and NaN equal to itself. Text, enum
// symbols and JSON compare bytewise with each other. All else compares within its kind; values of kinds that have
// nothing in common are ordered by kind. Lists compare element by element, then by length.
func Compare(a, b Value) int {
	if a.Kind == KindInt && b.Kind == KindInt {
		return cmp.Compare(a.Int, b.Int)
	}
	ca, cb := compareClass(a.Kind), compareClass(b.Kind)
	if ca != cb {
		return cmp.Compare(ca, cb)
	}
	switch ca {
	case KindNull:
		return 0
	case KindInt:
		return compareNumbers(a, b)
	case KindText, KindBytes, KindUUID:
		return bytes.Compare(a.Bytes, b.Bytes)
	case KindArray:
		for i := range min(len(a.List), len(b.List)) {
			if c := Compare(a.List[i], b.List[i]); c != 0 {
				return c
			}
		}
		return cmp.Compare(len(a.List), len(b.List))
	case KindBool, KindDecimal, KindFloat, KindDate, KindTime, KindTimestamp, KindTimestampTZ, KindJSON, KindEnum, KindRecord:
	}
	return cmp.Compare(a.Int, b.Int)
}

// Equal says whether Compare finds no difference.
func Equal(a, b Value) bool { return Compare(a, b) == 0 }

// compareClass is the kind that stands for all kinds comparable with k.
func compareClass(k Kind) Kind {
	switch k {
	case KindDecimal, KindFloat:
		return KindInt
	case KindJSON, KindEnum:
		return KindText
	case KindRecord:
		return KindArray
	case KindNull, KindBool, KindInt, KindText, KindBytes, KindDate, KindTime, KindTimestamp, KindTimestampTZ, KindUUID, KindArray:
	}
	return k
}

func compareNumbers(a, b Value) int {
	ra, rb := numberRank(a), numberRank(b)
	if ra != rb || ra != finite {
		return cmp.Compare(ra, rb)
	}
	if a.Kind == KindFloat && b.Kind == KindFloat {
		return cmp.Compare(a.Float64(), b.Float64())
	}
	if a.Kind == KindFloat || b.Kind == KindFloat {
		return rat(a).Cmp(rat(b))
	}
	return compareDecimals(a, b)
}

const (
	belowAll = iota
	finite
	aboveAll
	notANumber
)

func numberRank(v Value) int {
	switch v.Kind {
	case KindFloat:
		f := v.Float64()
		switch {
		case math.IsNaN(f):
			return notANumber
		case math.IsInf(f, 1):
			return aboveAll
		case math.IsInf(f, -1):
			return belowAll
		}
	case KindDecimal:
		switch v.Scale {
		case SpecialNaN:
			return notANumber
		case SpecialInfinity:
			return aboveAll
		case SpecialNegInfinity:
			return belowAll
		}
	default: // the other kinds are not compared as numbers
	}
	return finite
}

func compareDecimals(a, b Value) int {
	if a.Bytes == nil && b.Bytes == nil {
		as, bs := int(decScale(a)), int(decScale(b))
		scale := max(as, bs)
		x, okX := scaleUp(a.Int, scale-as)
		y, okY := scaleUp(b.Int, scale-bs)
		if okX && okY {
			return cmp.Compare(x, y)
		}
	}
	if c := cmp.Compare(a.Sign(), b.Sign()); c != 0 {
		return c
	}
	x, y, _ := aligned(a, b)
	return x.Cmp(y)
}

// rat is a finite number exactly.
func rat(v Value) *big.Rat {
	if v.Kind == KindFloat {
		return new(big.Rat).SetFloat64(v.Float64())
	}
	return new(big.Rat).SetFrac(v.Coefficient(), bigPow10(int(decScale(v))))
}

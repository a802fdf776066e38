package schemas

import "math"

// Value is one value of a row. The zero Value is null. Which fields count depends on Kind (see the kinds).
//
// Bytes and List may alias a buffer of whoever made the value (a network buffer, a record): a Value is valid until
// its maker says otherwise; Clone what has to outlive that.
type Value struct {
	Kind Kind
	// Scale is the number of digits after the point of a KindDecimal.
	Scale int16
	// Int is the number itself or, for a KindDecimal with nil Bytes, its unscaled coefficient.
	Int int64
	// Bytes is text, bytes, JSON, an enum's symbol or a UUID; for a KindDecimal that does not fit Int it is the
	// coefficient as big-endian two's complement; for a date or timestamp that no calendar has its text (NoDate).
	Bytes []byte
	// List holds the elements of an array or the fields of a record.
	List []Value
}

// Null is the absent value.
var Null = Value{}

// IsNull says whether v is absent.
func (v Value) IsNull() bool { return v.Kind == KindNull }

// Bool makes a truth value.
func Bool(b bool) Value {
	if b {
		return Value{Kind: KindBool, Int: 1}
	}
	return Value{Kind: KindBool}
}

// Int makes a whole number.
func Int(n int64) Value { return Value{Kind: KindInt, Int: n} }

// Float makes a floating-point number.
func Float(f float64) Value { return Value{Kind: KindFloat, Int: int64(math.Float64bits(f))} }

// Float64 gives the number of a KindFloat.
func (v Value) Float64() float64 { return math.Float64frombits(uint64(v.Int)) }

// Text makes a text that aliases s's copy.
func Text(s string) Value { return Value{Kind: KindText, Bytes: []byte(s)} }

// Dec makes the decimal coefficient × 10^-scale.
func Dec(coefficient int64, scale int16) Value {
	return Value{Kind: KindDecimal, Int: coefficient, Scale: scale}
}

// Clone copies v with everything it refers to.
func (v Value) Clone() Value {
	if v.Bytes != nil {
		v.Bytes = append(make([]byte, 0, len(v.Bytes)), v.Bytes...)
	}
	if v.List != nil {
		l := make([]Value, len(v.List))
		for i := range v.List {
			l[i] = v.List[i].Clone()
		}
		v.List = l
	}
	return v
}

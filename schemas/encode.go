package schemas

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"unicode/utf8"
)

// uuidTextSize is the length of "00000000-0000-0000-0000-000000000000".
const uuidTextSize = 36

// appendLong appends n as Avro's int and long are written: zigzag, seven bits a byte, low ones first.
func appendLong(dst []byte, n int64) []byte {
	return binary.AppendVarint(dst, n)
}

// append appends one value. Its errors do not know the column yet.
func (o *op) append(dst []byte, v *Value) ([]byte, error) {
	if o.nullable {
		if v.Kind == KindNull {
			return append(dst, 0), nil
		}
		dst = append(dst, 2)
	} else if v.Kind == KindNull {
		return dst, &ColumnError{What: "null, and the column does not allow it"}
	}
	switch o.kind {
	case KindText, KindJSON, KindEnum:
		if v.Kind != KindText && v.Kind != KindJSON && v.Kind != KindEnum {
			return dst, o.mismatch(v)
		}
		if !utf8.Valid(v.Bytes) {
			return dst, columnFault("text that is not valid UTF-8", *v)
		}
		return append(appendLong(dst, int64(len(v.Bytes))), v.Bytes...), nil
	case KindInt:
		return o.appendInt(dst, v)
	case KindDecimal:
		return o.appendDecimal(dst, v)
	case KindBool:
		if v.Kind != KindBool {
			return dst, o.mismatch(v)
		}
		if v.Int != 0 {
			return append(dst, 1), nil
		}
		return append(dst, 0), nil
	case KindFloat:
		return o.appendFloat(dst, v)
	case KindBytes:
		if v.Kind != KindBytes {
			return dst, o.mismatch(v)
		}
		return append(appendLong(dst, int64(len(v.Bytes))), v.Bytes...), nil
	case KindDate:
		if v.Kind != KindDate {
			return dst, o.mismatch(v)
		}
		if v.Bytes != nil {
			return dst, columnFault("a date that no calendar has", *v)
		}
		if v.Int != int64(int32(v.Int)) {
			return dst, columnFault("a date out of range", *v)
		}
		return appendLong(dst, v.Int), nil
	case KindTime, KindTimestamp, KindTimestampTZ:
		if v.Kind != o.kind {
			return dst, o.mismatch(v)
		}
		if v.Bytes != nil {
			return dst, columnFault("a date that no calendar has", *v)
		}
		return appendLong(dst, v.Int), nil
	case KindUUID:
		return o.appendUUID(dst, v)
	case KindArray:
		return o.appendArray(dst, v)
	case KindRecord:
		return o.appendRecord(dst, v)
	case KindNull:
	}
	return dst, o.mismatch(v)
}

func (o *op) mismatch(v *Value) error {
	return columnFault(fmt.Sprintf("%s for a column of type %s", v.Kind, o.kind), *v)
}

func (o *op) appendInt(dst []byte, v *Value) ([]byte, error) {
	n := v.Int
	if v.Kind != KindInt {
		if v.Kind != KindDecimal {
			return dst, o.mismatch(v)
		}
		var err error
		if n, err = wholeNumber(v); err != nil {
			return dst, err
		}
	}
	if !fitsBits(n, o.bits) {
		return dst, columnFault(fmt.Sprintf("a whole number out of the range of %d bits", o.bits), *v)
	}
	return appendLong(dst, n), nil
}

func fitsBits(n int64, width uint8) bool {
	shift := 64 - width
	return n<<shift>>shift == n
}

// wholeNumber is a decimal without a fraction.
func wholeNumber(v *Value) (int64, error) {
	if v.Scale < 0 {
		return 0, columnFault("no number", *v)
	}
	if v.Bytes == nil && v.Scale == 0 {
		return v.Int, nil
	}
	cut, err := Round(*v, 0, Down)
	if err != nil {
		return 0, columnFault(err.Error(), *v)
	}
	if Compare(cut, *v) != 0 {
		return 0, columnFault("digits after the point for a column of whole numbers", *v)
	}
	if cut.Bytes != nil {
		return 0, columnFault("a whole number out of the range of 64 bits", *v)
	}
	return cut.Int, nil
}

func (o *op) appendFloat(dst []byte, v *Value) ([]byte, error) {
	var f float64
	switch v.Kind {
	case KindFloat:
		f = v.Float64()
	case KindInt:
		f = float64(v.Int)
		if f >= 1<<63 || int64(f) != v.Int {
			return dst, columnFault("a whole number that a float does not hold exactly", *v)
		}
	default:
		return dst, o.mismatch(v)
	}
	if o.bits == 64 {
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f)), nil
	}
	short := float32(f)
	if float64(short) != f && !math.IsNaN(f) {
		return dst, columnFault("a number that a 32-bit float does not hold exactly", *v)
	}
	return binary.LittleEndian.AppendUint32(dst, math.Float32bits(short)), nil
}

func (o *op) appendUUID(dst []byte, v *Value) ([]byte, error) {
	if v.Kind != KindUUID || len(v.Bytes) != 16 {
		return dst, o.mismatch(v)
	}
	return appendUUID(appendLong(dst, uuidTextSize), v.Bytes), nil
}

func (o *op) appendArray(dst []byte, v *Value) ([]byte, error) {
	if v.Kind != KindArray {
		return dst, o.mismatch(v)
	}
	if len(v.List) > 0 {
		dst = appendLong(dst, int64(len(v.List)))
		var err error
		for i := range v.List {
			if dst, err = o.elem.append(dst, &v.List[i]); err != nil {
				return dst, inElement(err, i)
			}
		}
	}
	return append(dst, 0), nil
}

func (o *op) appendRecord(dst []byte, v *Value) ([]byte, error) {
	if v.Kind != KindRecord {
		return dst, o.mismatch(v)
	}
	if len(v.List) != len(o.fields) {
		return dst, &ColumnError{What: fmt.Sprintf("a record of %d values for %d fields", len(v.List), len(o.fields))}
	}
	var err error
	for i := range o.fields {
		if dst, err = o.fields[i].append(dst, &v.List[i]); err != nil {
			return dst, inColumn(err, o.fields[i].name)
		}
	}
	return dst, nil
}

func (o *op) appendDecimal(dst []byte, v *Value) ([]byte, error) {
	if v.Kind != KindDecimal && v.Kind != KindInt {
		return dst, o.mismatch(v)
	}
	if o.precision == 0 {
		return appendDecimalText(dst, v), nil
	}
	if v.IsSpecial() {
		return dst, columnFault(fmt.Sprintf("decimal(%d,%d) in Avro holds numbers only", o.precision, o.scale), *v)
	}
	up := o.scale - int(decScale(*v))
	if v.Bytes == nil && o.precision < len(pow10) {
		if n, ok := scaleUp(v.Int, max(up, 0)); ok && up >= 0 {
			if magnitude(n) >= pow10[o.precision] {
				return dst, o.tooLong(v)
			}
			return appendSmall(dst, n), nil
		}
	}
	w, ok := wideOf(v.Int), true
	if v.Bytes != nil {
		w, ok = wideOfBytes(v.Bytes)
	}
	if !ok || o.precision > widePrecision {
		return o.appendBig(dst, v)
	}
	if up >= 0 {
		if w, ok = w.scaleUp(up); !ok || !w.below(o.limit) {
			return dst, o.tooLong(v)
		}
	} else {
		if w, ok = w.scaleDown(-up); !ok {
			return dst, o.tooFine(v)
		}
		if !w.below(o.limit) {
			return dst, o.tooLong(v)
		}
	}
	return appendWide(dst, w), nil
}

// appendBig is the way of numbers beyond 127 bits.
func (o *op) appendBig(dst []byte, v *Value) ([]byte, error) {
	z := v.Coefficient()
	if up := o.scale - int(decScale(*v)); up >= 0 {
		z.Mul(z, bigPow10(up))
	} else {
		var rest big.Int
		if z.QuoRem(z, bigPow10(-up), &rest); rest.Sign() != 0 {
			return dst, o.tooFine(v)
		}
	}
	if z.CmpAbs(bigPow10(o.precision)) >= 0 {
		return dst, o.tooLong(v)
	}
	b := twosComplement(z)
	return append(appendLong(dst, int64(len(b))), b...), nil
}

func (o *op) tooLong(v *Value) error {
	return columnFault(fmt.Sprintf("more digits before the point than decimal(%d,%d) holds", o.precision, o.scale), *v)
}

func (o *op) tooFine(v *Value) error {
	return columnFault(fmt.Sprintf("more digits after the point than decimal(%d,%d) keeps", o.precision, o.scale), *v)
}

// appendSmall appends Avro bytes: the shortest big-endian two's complement of n.
func appendSmall(dst []byte, n int64) []byte {
	size := bits.Len64(uint64(n^n>>63))/8 + 1
	dst = append(dst, byte(size<<1))
	for shift := (size - 1) * 8; shift >= 0; shift -= 8 {
		dst = append(dst, byte(n>>shift))
	}
	return dst
}

// appendWide is appendSmall for 127 bits.
func appendWide(dst []byte, w wide) []byte {
	if n, ok := w.int64(); ok {
		return appendSmall(dst, n)
	}
	if w.negative {
		var borrow uint64
		w.lo, borrow = bits.Sub64(0, w.lo, 0)
		w.hi, _ = bits.Sub64(0, w.hi, borrow)
	}
	var buf [16]byte
	binary.BigEndian.PutUint64(buf[:8], w.hi)
	binary.BigEndian.PutUint64(buf[8:], w.lo)
	b := trimSign(buf[:])
	return append(append(dst, byte(len(b)<<1)), b...)
}

// appendDecimalText appends a number as an Avro string.
func appendDecimalText(dst []byte, v *Value) []byte {
	// The text's length stands before it, and is known after it: nearly always it takes one byte.
	start := len(dst)
	dst = AppendDecimal(append(dst, 0), *v)
	size := len(dst) - start - 1
	if size < 64 {
		dst[start] = byte(size << 1)
		return dst
	}
	text := append([]byte(nil), dst[start+1:]...)
	return append(appendLong(dst[:start], int64(size)), text...)
}

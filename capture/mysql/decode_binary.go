package mysql

import (
	"encoding/binary"
	"math"

	"shelfstream/schemas"
)

// size gives how many bytes the value at the begin of b has.
func (f *field) size(b []byte) (int, error) {
	n := 0
	switch f.decoding {
	case asInt, asUnsigned64, asDecimal, asBool, asBit, asBit64, asEnum, asSet:
		n = f.width
	case asYear:
		n = 1
	case asDate, asOldTime:
		n = 3
	case asFloat32, asOldTimestamp:
		n = 4
	case asFloat64, asOldDateTime:
		n = 8
	case asTime:
		n = 3 + (f.digits+1)/2
	case asDateTime:
		n = 5 + (f.digits+1)/2
	case asTimestamp:
		n = 4 + (f.digits+1)/2
	case asChar, asText, asPadded, asBytes, asJSON, asUUID, asUUIDOld, asInet4, asInet6:
		if f.width < 1 || f.width > 4 || len(b) < f.width {
			return 0, errShort
		}
		n = f.width + int(little(b[:f.width]))
	case asUnknown:
		return 0, malformed("value of a known size", b)
	}
	if n > len(b) {
		return 0, errShort
	}
	return n, nil
}

// binary reads a value of a row image; b is as size says.
func (f *field) binary(b []byte, a *arena) (schemas.Value, error) {
	switch f.decoding {
	case asInt:
		n := little(b)
		if shift := 64 - 8*f.width; !f.unsigned {
			return schemas.Value{Kind: schemas.KindInt, Int: int64(n<<shift) >> shift}, nil
		}
		return schemas.Value{Kind: schemas.KindInt, Int: int64(n)}, nil
	case asUnsigned64:
		return a.unsigned(little(b)), nil
	case asDecimal:
		return f.binaryDecimal(b)
	case asFloat32:
		return schemas.Float(float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))), nil
	case asFloat64:
		return schemas.Float(math.Float64frombits(binary.LittleEndian.Uint64(b))), nil
	case asYear:
		n := int64(b[0])
		if n != 0 {
			n += 1900
		}
		return schemas.Int(n), nil
	case asDate, asTime, asDateTime, asTimestamp, asOldTime, asOldDateTime, asOldTimestamp:
		return f.binaryTime(b, a)
	case asBool:
		return schemas.Bool(b[0]&1 != 0), nil
	case asBit:
		return schemas.Value{Kind: schemas.KindInt, Int: int64(big(b))}, nil
	case asBit64:
		return a.unsigned(big(b)), nil
	case asEnum:
		n := little(b)
		if n > uint64(len(f.members)) {
			return schemas.Null, malformed("member of the enum", b)
		}
		if n == 0 { // what a server that is not strict stores for a value that is no member
			return schemas.Value{Kind: schemas.KindEnum, Bytes: []byte{}}, nil
		}
		return schemas.Value{Kind: schemas.KindEnum, Bytes: f.members[n-1]}, nil
	case asSet:
		return f.binarySet(little(b), a)
	case asJSON:
		text, err := a.keep(func(dst []byte) ([]byte, error) { return appendJSON(dst, b[f.width:]) })
		return schemas.Value{Kind: schemas.KindJSON, Bytes: text}, err
	case asChar, asText, asPadded, asBytes, asUUID, asUUIDOld, asInet4, asInet6:
		return f.characters(b[f.width:], a)
	case asUnknown:
	}
	return schemas.Null, malformed("value of a known type", b)
}

// characters reads what has a length before it.
func (f *field) characters(b []byte, a *arena) (schemas.Value, error) {
	switch f.decoding {
	case asText, asChar:
		if !f.set.same(b) {
			var err error
			if b, err = a.keep(func(dst []byte) ([]byte, error) { return f.set.append(dst, b) }); err != nil {
				return schemas.Null, err
			}
		}
		if f.decoding == asChar {
			b = trimBlanks(b)
		}
		return schemas.Value{Kind: schemas.KindText, Bytes: b}, nil
	case asBytes:
		return schemas.Value{Kind: schemas.KindBytes, Bytes: b}, nil
	default:
	}
	// The log leaves out the zeros at the end of what has a fixed length.
	if len(b) < f.digits {
		whole := a.grab(f.digits)
		clear(whole[copy(whole, b):])
		b = whole
	}
	switch f.decoding {
	case asUUID, asUUIDOld:
		return f.binaryUUID(b, a)
	case asInet4, asInet6:
		text, err := a.keep(func(dst []byte) ([]byte, error) { return appendInet(dst, b) })
		return schemas.Value{Kind: schemas.KindText, Bytes: text}, err
	default:
		return schemas.Value{Kind: schemas.KindBytes, Bytes: b}, nil
	}
}

func trimBlanks(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// binarySet writes the names as the server prints them: "a,b".
func (f *field) binarySet(n uint64, a *arena) (schemas.Value, error) {
	text, err := a.keep(func(dst []byte) ([]byte, error) {
		from := len(dst)
		for i := 0; n != 0; i, n = i+1, n>>1 {
			if n&1 == 0 {
				continue
			}
			if i >= len(f.members) {
				return dst, malformed("set of its members", []byte{byte(i)})
			}
			if len(dst) > from {
				dst = append(dst, ',')
			}
			dst = append(dst, f.members[i]...)
		}
		return dst, nil
	})
	return schemas.Value{Kind: schemas.KindText, Bytes: text}, err
}

// unsigned makes a decimal of a number of 64 bits without a sign.
func (a *arena) unsigned(n uint64) schemas.Value {
	if n <= math.MaxInt64 {
		return schemas.Dec(int64(n), 0)
	}
	b := a.grab(9)
	b[0] = 0
	binary.BigEndian.PutUint64(b[1:], n)
	return schemas.Value{Kind: schemas.KindDecimal, Bytes: b}
}

// binaryUUID turns MariaDB's order round: it keeps the node and the clock first, so that indexes grow at their end (sql_type_uuid.h: versions of 6 and more,
// and what is no RFC 4122 UUID, lie as they are).
func (f *field) binaryUUID(b []byte, a *arena) (schemas.Value, error) {
	if len(b) != 16 {
		return schemas.Null, malformed("uuid", b)
	}
	if f.decoding != asUUIDOld && (b[6]&0x80 == 0 || b[8] == 0 || b[8] >= 0x60) {
		return schemas.Value{Kind: schemas.KindUUID, Bytes: b}, nil
	}
	u := a.grab(16)
	copy(u[10:], b[0:6])
	copy(u[8:], b[6:8])
	copy(u[6:], b[8:10])
	copy(u[4:], b[10:12])
	copy(u, b[12:16])
	return schemas.Value{Kind: schemas.KindUUID, Bytes: u}, nil
}

// decimalSize is how many bytes so many digits take: nine in four bytes (strings/decimal.c).
func decimalSize(digits int) int { return digits/9*4 + restSize[digits%9] }

var restSize = [9]int{0, 1, 1, 2, 2, 3, 3, 4, 4}

var pow10 = [10]uint64{1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000}

// binaryDecimal reads groups of nine digits, the first of the whole and the last of the fraction shorter. The top bit is turned, and of negative numbers
// every bit, so that they sort as bytes.
func (f *field) binaryDecimal(b []byte) (schemas.Value, error) {
	if f.digits <= 18 {
		whole := f.digits - int(f.scale)
		g := groups{b: b}
		if b[0]&0x80 == 0 {
			g.flip = 0xff
		}
		n := g.next(whole % 9)
		for range whole / 9 {
			n = n*pow10[9] + g.next(9)
		}
		for range f.scale / 9 {
			n = n*pow10[9] + g.next(9)
		}
		n = n*pow10[f.scale%9] + g.next(int(f.scale%9))
		v := int64(n)
		if g.flip != 0 {
			v = -v
		}
		return schemas.Dec(v, f.scale), nil
	}
	// Longer ones by their text, as a snapshot reads them.
	text, err := f.decimalText(b)
	if err != nil {
		return schemas.Null, err
	}
	return f.textDecimal(text)
}

// decimalText gives a decimal as the server prints it.
func (f *field) decimalText(b []byte) ([]byte, error) {
	g := groups{b: b}
	if len(b) == 0 {
		return nil, errShort
	}
	if b[0]&0x80 == 0 {
		g.flip = 0xff
	}
	text := make([]byte, 0, 70)
	digits := func(n int) {
		v := g.next(n)
		for n--; n >= 0; n-- {
			text = append(text, byte('0'+v/pow10[n]%10))
		}
	}
	whole := f.digits - int(f.scale)
	digits(whole % 9)
	for range whole / 9 {
		digits(9)
	}
	zeros := 0
	for zeros < len(text) && text[zeros] == '0' {
		zeros++
	}
	text = append(text[:0], text[zeros:]...)
	if len(text) == 0 {
		text = append(text, '0')
	}
	if f.scale > 0 {
		text = append(text, '.')
		for range f.scale / 9 {
			digits(9)
		}
		digits(int(f.scale % 9))
	}
	if g.flip != 0 {
		text = append([]byte("-"), text...)
	}
	return text, nil
}

// groups reads the groups of digits of a decimal, one after the other.
type groups struct {
	b    []byte
	at   int
	flip byte
}

func (g *groups) next(digits int) uint64 {
	var n uint64
	for range decimalSize(digits) {
		c := g.b[g.at] ^ g.flip
		if g.at == 0 {
			c ^= 0x80
		}
		n = n<<8 | uint64(c)
		g.at++
	}
	return n
}

// textDecimal reads a decimal as the server prints it, with all digits of its scale.
func (f *field) textDecimal(b []byte) (schemas.Value, error) {
	return schemas.ParseDecimal(b)
}

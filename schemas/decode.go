package schemas

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
)

var (
	errShort    = errors.New("the record ends in the middle of a value")
	errVarint   = errors.New("a number longer than 64 bits")
	errUnion    = errors.New("a union branch other than null and the value")
	errUUID     = errors.New("text that is no UUID")
	errBool     = errors.New("a truth value other than 0 and 1")
	errElements = errors.New("a list with more elements than the record has bytes for")
)

// decodeRow reads one value for each op, and nothing may be left over.
func decodeRow(dst []Value, ops []op, body []byte) ([]Value, error) {
	dst = slices.Grow(dst[:0], len(ops))[:len(ops)]
	rest := body
	var err error
	for i := range ops {
		if rest, err = ops[i].decode(&dst[i], rest); err != nil {
			return dst, inColumn(err, ops[i].name)
		}
	}
	if len(rest) != 0 {
		return dst, &ColumnError{What: fmt.Sprintf("%d bytes are left over after the last column", len(rest))}
	}
	return dst, nil
}

// readLong reads a zigzag varint of at most 64 bits.
func readLong(b []byte) (int64, []byte, error) {
	if len(b) > 0 && b[0] < 0x80 {
		u := uint64(b[0])
		return int64(u>>1) ^ -int64(u&1), b[1:], nil
	}
	n, size := binary.Varint(b)
	if size > 0 {
		return n, b[size:], nil
	}
	if size == 0 {
		return 0, b, errShort
	}
	return 0, b, errVarint
}

// readBytes reads a length and as many bytes, which alias b and cannot grow into what follows.
func readBytes(b []byte) (data, rest []byte, err error) {
	n, b, err := readLong(b)
	if err != nil {
		return nil, b, err
	}
	if uint64(n) > uint64(len(b)) {
		return nil, b, errShort
	}
	return b[:n:n], b[n:], nil
}

// decode reads one value into v, all of whose fields it sets, and gives what follows it.
func (o *op) decode(v *Value, b []byte) ([]byte, error) {
	if o.nullable {
		if len(b) == 0 {
			return b, errShort
		}
		branch := b[0]
		b = b[1:]
		switch branch {
		case 0:
			*v = Value{}
			return b, nil
		case 2:
		default:
			return b, errUnion
		}
	}
	switch o.kind {
	case KindText, KindJSON, KindEnum, KindBytes:
		data, b, err := readBytes(b)
		*v = Value{Kind: o.kind, Bytes: data}
		return b, err
	case KindInt:
		n, b, err := readLong(b)
		if err == nil && !fitsBits(n, o.bits) {
			return b, columnFault(fmt.Sprintf("a whole number out of the range of %d bits", o.bits), Int(n))
		}
		*v = Value{Kind: KindInt, Int: n}
		return b, err
	case KindDecimal:
		return o.decodeDecimal(v, b)
	case KindTime, KindTimestamp, KindTimestampTZ:
		n, b, err := readLong(b)
		*v = Value{Kind: o.kind, Int: n}
		return b, err
	case KindDate:
		n, b, err := readLong(b)
		if err == nil && n != int64(int32(n)) {
			return b, columnFault("a date out of range", Int(n))
		}
		*v = Value{Kind: KindDate, Int: n}
		return b, err
	case KindBool:
		if len(b) == 0 {
			return b, errShort
		}
		if b[0] > 1 {
			return b, errBool
		}
		*v = Value{Kind: KindBool, Int: int64(b[0])}
		return b[1:], nil
	case KindFloat:
		return o.decodeFloat(v, b)
	case KindUUID:
		return decodeUUID(v, b)
	case KindArray:
		return o.decodeArray(v, b)
	case KindRecord:
		list := make([]Value, len(o.fields))
		b, err := o.decodeFields(list, b)
		*v = Value{Kind: KindRecord, List: list}
		return b, err
	case KindNull:
	}
	return b, fmt.Errorf("a column of kind %s", o.kind)
}

func (o *op) decodeFloat(v *Value, b []byte) ([]byte, error) {
	size := int(o.bits / 8)
	if len(b) < size {
		return b, errShort
	}
	if o.bits == 32 {
		*v = Float(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
	} else {
		*v = Value{Kind: KindFloat, Int: int64(binary.LittleEndian.Uint64(b))}
	}
	return b[size:], nil
}

func (o *op) decodeDecimal(v *Value, b []byte) ([]byte, error) {
	data, b, err := readBytes(b)
	if err != nil {
		return b, err
	}
	if o.precision == 0 {
		// We write no exponents; a hostile "1e99999" would be eight bytes that become many thousand.
		if bytes.ContainsAny(data, "eE") {
			return b, notDecimal(string(data))
		}
		*v, err = ParseDecimalText(data)
		return b, err
	}
	if len(data) <= 8 {
		var n int64
		if len(data) > 0 && data[0]&0x80 != 0 {
			n = -1
		}
		for _, c := range data {
			n = n<<8 | int64(c)
		}
		*v = Value{Kind: KindDecimal, Int: n, Scale: int16(o.scale)}
		return b, nil
	}
	data = trimSign(data)
	if len(data) > o.maxBytes {
		return b, fmt.Errorf("more digits than decimal(%d,%d) holds", o.precision, o.scale)
	}
	if w, ok := wideOfBytes(data); ok {
		if n, scale, ok := w.reduced(o.scale); ok {
			*v = Value{Kind: KindDecimal, Int: n, Scale: int16(scale)}
			return b, nil
		}
	}
	*v = Value{Kind: KindDecimal, Bytes: data, Scale: int16(o.scale)}
	return b, nil
}

func decodeUUID(v *Value, b []byte) ([]byte, error) {
	text, b, err := readBytes(b)
	if err != nil {
		return b, err
	}
	id := make([]byte, 16)
	if !parseUUID(id, text) {
		return b, errUUID
	}
	*v = Value{Kind: KindUUID, Bytes: id}
	return b, nil
}

// parseUUID reads 8-4-4-4-12 hexadecimal digits of either case into 16 bytes.
func parseUUID(dst, text []byte) bool {
	if len(text) != uuidTextSize || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return false
	}
	return decodeHex(dst[:4], text[:8]) && decodeHex(dst[4:6], text[9:13]) && decodeHex(dst[6:8], text[14:18]) &&
		decodeHex(dst[8:10], text[19:23]) && decodeHex(dst[10:], text[24:])
}

func decodeHex(dst, src []byte) bool {
	_, err := hex.Decode(dst, src)
	return err == nil
}

// decodeArray reads the blocks of a list.
func (o *op) decodeArray(v *Value, b []byte) ([]byte, error) {
	list := []Value{}
	for {
		count, rest, err := readBlock(b, o.elem.least)
		if err != nil {
			return rest, err
		}
		if count == 0 {
			*v = Value{Kind: KindArray, List: list}
			return rest, nil
		}
		if b, err = o.decodeBlock(&list, count, rest); err != nil {
			return b, err
		}
	}
}

func (o *op) decodeBlock(list *[]Value, count int, b []byte) ([]byte, error) {
	from := len(*list)
	*list = slices.Grow(*list, count)[:from+count]
	var err error
	if o.elem.kind == KindRecord && !o.elem.nullable {
		// The fields of all the records of a block are one allocation.
		width := len(o.elem.fields)
		fields := make([]Value, count*width)
		for i := range count {
			record := fields[i*width : (i+1)*width : (i+1)*width]
			if b, err = o.elem.decodeFields(record, b); err != nil {
				return b, inElement(err, from+i)
			}
			(*list)[from+i] = Value{Kind: KindRecord, List: record}
		}
		return b, nil
	}
	for i := range count {
		if b, err = o.elem.decode(&(*list)[from+i], b); err != nil {
			return b, inElement(err, from+i)
		}
	}
	return b, nil
}

// decodeFields reads a record's fields into list, which has as many places.
func (o *op) decodeFields(list []Value, b []byte) ([]byte, error) {
	var err error
	for i := range o.fields {
		if b, err = o.fields[i].decode(&list[i], b); err != nil {
			return b, inColumn(err, o.fields[i].name)
		}
	}
	return b, nil
}

package schemas

import (
	"errors"
	"fmt"
	"slices"
)

// Resolver reads rows written under an older (or newer) shape of a table as rows of the shape the reader has. It is compiled once
// and may be used by any number of goroutines at once.
//
// Columns meet by name. One that the writer did not have is null, one that the reader does not have is skipped, one of
// another type is converted where nothing is lost: between widths of numbers, whole numbers and decimals as long as the value
// fits, anything into text, a text that is a number into a number, a date into a timestamp at midnight.
type Resolver struct {
	writer *Codec
	reader *Table
	moves  []move
	same   bool
}

// move fills one column of the reader.
type move struct {
	from    int // the writer's column, or -1
	name    string
	convert converter // nil: as it is
}

// converter makes of a value of the writer's type one of the reader's.
type converter func(Value) (Value, error)

var errNoConversion = errors.New("no conversion without loss")

// CompileResolver compares two shapes. The error is a *ColumnError: a column whose types have no lossless conversion, or a key
// column that the writer does not have.
func CompileResolver(writer, reader *Table) (*Resolver, error) {
	codec, err := Compile(writer)
	if err != nil {
		return nil, err
	}
	// Compiled only to be checked: a reader's shape that is unsound is found here and not at some row.
	if _, err := Compile(reader); err != nil {
		return nil, err
	}
	r := &Resolver{writer: codec, reader: reader, same: len(writer.Columns) == len(reader.Columns)}
	r.moves = make([]move, len(reader.Columns))
	for i := range reader.Columns {
		to := &reader.Columns[i]
		m := move{from: writer.Column(to.Name), name: to.Name}
		if m.from >= 0 {
			from := &writer.Columns[m.from]
			if m.convert, err = converterFor(&from.Type, &to.Type); err != nil {
				what := fmt.Sprintf("written as %s, read as %s", from.Type, to.Type)
				return nil, &ColumnError{Table: reader.Name, Column: to.Name, What: what, Err: err}
			}
		} else if slices.Contains(reader.Key, i) {
			return nil, &ColumnError{Table: reader.Name, Column: to.Name, What: "a key column that the rows were written without"}
		}
		r.moves[i] = m
		r.same = r.same && m.from == i && m.convert == nil
	}
	return r, nil
}

// DecodeValue reads a row's Avro body, written under the writer's shape, into dst[:0] with one value for each of the reader's
// columns. It allocates as Codec.DecodeValue does if dst has room for the columns of both shapes, and for values converted to text.
// The error is a *ColumnError.
func (r *Resolver) DecodeValue(dst []Value, body []byte) ([]Value, error) {
	if r.same {
		return r.writer.DecodeValue(dst, body)
	}
	n := len(r.moves)
	dst = slices.Grow(dst[:0], n+len(r.writer.value))[:n]
	// The writer's columns are read into the room behind the reader's.
	row, err := r.writer.DecodeValue(dst[n:], body)
	if err != nil {
		return dst[:0], err
	}
	for i := range r.moves {
		m := &r.moves[i]
		switch {
		case m.from < 0:
			dst[i] = Value{}
		case m.convert == nil || row[m.from].Kind == KindNull:
			dst[i] = row[m.from]
		default:
			if dst[i], err = m.convert(row[m.from]); err != nil {
				return dst[:0], inTable(inColumn(err, m.name), r.reader.Name)
			}
		}
	}
	return dst, nil
}

// converterFor gives the conversion between two types, nil if values are the same in both.
func converterFor(from, to *Type) (converter, error) {
	switch {
	case to.Kind == KindArray && from.Kind == KindArray:
		return listConverter(from, to)
	case to.Kind == KindRecord && from.Kind == KindRecord:
		return recordConverter(from, to)
	case from.Kind == KindArray || from.Kind == KindRecord || to.Kind == KindArray || to.Kind == KindRecord:
		return nil, errNoConversion
	case sameType(from, to), widened(from, to):
		return nil, nil
	}
	switch to.Kind {
	case KindInt, KindFloat, KindDecimal:
		if from.Kind == KindText || from.Kind == KindEnum {
			if to.Kind == KindFloat {
				return nil, errNoConversion
			}
			return parsing(to), nil
		}
		if from.Kind == KindBool && to.Kind == KindInt {
			return func(v Value) (Value, error) { return Int(v.Int), nil }, nil
		}
		if from.Kind == KindInt || from.Kind == KindDecimal && to.Kind != KindFloat || from.Kind == to.Kind {
			return fitting(to), nil
		}
	case KindText:
		return func(v Value) (Value, error) { return Value{Kind: KindText, Bytes: appendText(v)}, nil }, nil
	case KindJSON, KindEnum:
		if from.Kind == KindText || from.Kind == KindJSON || from.Kind == KindEnum {
			kind := to.Kind
			return func(v Value) (Value, error) { v.Kind = kind; return v, nil }, nil
		}
	case KindUUID:
		if from.Kind == KindText {
			return textToUUID, nil
		}
	case KindTimestamp:
		if from.Kind == KindDate {
			return dateToTimestamp, nil
		}
	case KindNull, KindBool, KindBytes, KindDate, KindTime, KindTimestampTZ, KindArray, KindRecord:
	}
	return nil, errNoConversion
}

// widened says whether every value of from is one of to as it stands.
func widened(from, to *Type) bool {
	if from.Kind != to.Kind {
		return false
	}
	if from.Kind != KindDecimal {
		return from.Bits < to.Bits
	}
	if from.Precision == 0 || to.Precision == 0 {
		return to.Precision == 0
	}
	return to.Scale >= from.Scale && to.Precision-to.Scale >= from.Precision-from.Scale
}

// appendText is a value's text as the database would cast it: all digits of a decimal, else the canonical text.
func appendText(v Value) []byte {
	switch v.Kind {
	case KindText, KindJSON, KindEnum:
		return v.Bytes
	case KindDecimal:
		return AppendDecimal(nil, v)
	default:
		return AppendCanonical(make([]byte, 0, 24), v)
	}
}

// fitting converts between numbers, exactly or not at all, by the rules of writing: what could be written could be read.
func fitting(to *Type) converter {
	o := compileType(to)
	return func(v Value) (Value, error) {
		var buf [24]byte
		b, err := o.append(buf[:0], &v)
		if err != nil {
			return Value{}, err
		}
		var out Value
		_, err = o.decode(&out, b)
		return out, err
	}
}

// parsing converts text to numbers.
func parsing(to *Type) converter {
	fit := fitting(to)
	return func(v Value) (Value, error) {
		n, err := ParseDecimal(v.Bytes)
		if err != nil {
			return Value{}, err
		}
		return fit(n)
	}
}

func textToUUID(v Value) (Value, error) {
	id := make([]byte, 16)
	if !parseUUID(id, v.Bytes) {
		return Value{}, columnFault("text that is no UUID", v)
	}
	return Value{Kind: KindUUID, Bytes: id}, nil
}

func dateToTimestamp(v Value) (Value, error) {
	switch v.Int {
	case DateInfinity:
		return Timestamp(TimestampInfinity), nil
	case DateNegInfinity:
		return Timestamp(TimestampNegInfinity), nil
	}
	const limit = TimestampInfinity / microsPerDay
	if v.Int >= limit || v.Int <= -limit {
		return Value{}, columnFault("a date that no timestamp in microseconds reaches", v)
	}
	return Timestamp(v.Int * microsPerDay), nil
}

func listConverter(from, to *Type) (converter, error) {
	convert, err := converterFor(from.Elem, to.Elem)
	if convert == nil || err != nil {
		return nil, err
	}
	return func(v Value) (Value, error) {
		list := make([]Value, len(v.List))
		for i := range v.List {
			if v.List[i].Kind == KindNull {
				continue
			}
			var err error
			if list[i], err = convert(v.List[i]); err != nil {
				return Value{}, inElement(err, i)
			}
		}
		return Value{Kind: KindArray, List: list}, nil
	}, nil
}

func recordConverter(from, to *Type) (converter, error) {
	if sameType(from, to) {
		return nil, nil
	}
	writer := &Table{Columns: from.Fields}
	moves := make([]move, len(to.Fields))
	for i := range to.Fields {
		f := &to.Fields[i]
		moves[i] = move{from: writer.Column(f.Name), name: f.Name}
		if moves[i].from < 0 {
			continue
		}
		var err error
		if moves[i].convert, err = converterFor(&from.Fields[moves[i].from].Type, &f.Type); err != nil {
			return nil, inColumn(err, f.Name)
		}
	}
	return func(v Value) (Value, error) {
		list := make([]Value, len(moves))
		for i := range moves {
			m := &moves[i]
			if m.from < 0 {
				continue
			}
			list[i] = v.List[m.from]
			if m.convert != nil && list[i].Kind != KindNull {
				var err error
				if list[i], err = m.convert(v.List[m.from]); err != nil {
					return Value{}, inColumn(err, m.name)
				}
			}
		}
		return Value{Kind: KindRecord, List: list}, nil
	}, nil
}

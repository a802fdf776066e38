package schemas

import (
	"fmt"
)

// Codec turns the rows of one table into Avro and back. It is compiled once from the columns and may be used by any number of
// goroutines at once. What it writes is byte for byte what goavro writes for the same schema and values; what does not fit the
// column it refuses with a *ColumnError, where goavro cuts digits.
type Codec struct {
	table     Table
	keyJSON   string
	valueJSON string
	key       []op
	value     []op
}

// op is what is to be done for one column, field or element.
type op struct {
	name      string // the column's, for errors
	kind      Kind
	nullable  bool
	bits      uint8
	precision int
	scale     int
	limit     wide // 10^precision, if precision ≤ widePrecision
	maxBytes  int  // of a decimal of that precision
	elem      *op
	fields    []op
	// least is the least number of bytes the value takes: what is left of a body bounds how many elements may be allocated.
	least int
}

// Compile makes the codec of a table. The error is a *ColumnError that names the column whose type Avro cannot carry, or says
// what is wrong with the key.
func Compile(t *Table) (*Codec, error) {
	c, err := compile(t)
	if err != nil {
		return nil, inTable(err, t.Name)
	}
	return c, nil
}

func compile(t *Table) (*Codec, error) {
	if len(t.Key) == 0 {
		return nil, &ColumnError{What: "a table without a key"}
	}
	for _, list := range [...][]int{t.Key, t.PartitionBy} {
		seen := make(map[int]bool, len(list))
		for _, i := range list {
			if i < 0 || i >= len(t.Columns) {
				return nil, &ColumnError{What: fmt.Sprintf("the key or partition_by names column %d of %d", i, len(t.Columns))}
			}
			if seen[i] {
				return nil, &ColumnError{Column: t.Columns[i].Name, What: "the key or partition_by names it twice"}
			}
			seen[i] = true
		}
	}
	c := &Codec{table: *t}
	var err error
	if c.valueJSON, err = valueSchema(t); err != nil {
		return nil, err
	}
	if c.keyJSON, err = keySchema(t); err != nil {
		return nil, err
	}
	c.value = make([]op, len(t.Columns))
	for i := range t.Columns {
		c.value[i] = compileColumn(&t.Columns[i])
	}
	c.key = make([]op, len(t.Key))
	for i, col := range t.Key {
		c.key[i] = c.value[col]
	}
	return c, nil
}

// compileColumn compiles a column whose schema was written, so its type is sound.
func compileColumn(c *Column) op {
	o := compileType(&c.Type)
	o.name = c.Name
	if c.Nullable {
		o.nullable = true
		o.least = 1
	}
	return o
}

func compileType(t *Type) op {
	o := op{kind: t.Kind, bits: t.Bits, least: 1}
	switch t.Kind {
	case KindDecimal:
		if t.Precision == 0 {
			break
		}
		o.precision, o.scale, _ = avroDecimal(t)
		if o.precision <= widePrecision {
			o.limit = widePow10(o.precision)
		}
		o.maxBytes = len(twosComplement(bigPow10(o.precision)))
	case KindFloat:
		o.least = int(t.Bits / 8)
	case KindUUID:
		o.least = 1 + uuidTextSize
	case KindArray:
		elem := compileType(t.Elem)
		if nullableElements(t) {
			elem.nullable = true
			elem.least = 1
		}
		o.elem = &elem
	case KindRecord:
		o.least = 0
		o.fields = make([]op, len(t.Fields))
		for i := range t.Fields {
			o.fields[i] = compileColumn(&t.Fields[i])
			o.least += o.fields[i].least
		}
	case KindNull, KindBool, KindInt, KindText, KindBytes, KindDate, KindTime, KindTimestamp, KindTimestampTZ, KindJSON, KindEnum:
	}
	return o
}

// inTable names the table in an error from one of its columns.
func inTable(err error, table string) error {
	e, ok := err.(*ColumnError) //nolint:errorlint // made by this package, never wrapped
	if !ok {
		return &ColumnError{Table: table, What: err.Error(), Err: err}
	}
	e.Table = table
	return e
}

// Table is the table it was compiled from; not to be changed.
func (c *Codec) Table() *Table { return &c.table }

// KeySchema is the Avro schema of the key, as JSON.
func (c *Codec) KeySchema() string { return c.keyJSON }

// ValueSchema is the Avro schema of the row, as JSON.
func (c *Codec) ValueSchema() string { return c.valueJSON }

// AppendKey appends the Avro body of row's key, without the frame. row is a whole row, one value a column. After an error
// (*ColumnError) dst is returned as it was.
func (c *Codec) AppendKey(dst []byte, row []Value) ([]byte, error) {
	if len(row) != len(c.value) {
		return dst, c.wrongCount(len(row))
	}
	out := dst
	var err error
	for i, col := range c.table.Key {
		if out, err = c.key[i].append(out, &row[col]); err != nil {
			return dst, inTable(inColumn(err, c.key[i].name), c.table.Name)
		}
	}
	return out, nil
}

// AppendValue appends the Avro body of a row, one value a column, without the frame. Values are converted where nothing is lost:
// whole numbers and decimals into each other, whole numbers into floats, texts, enum symbols and JSON into each other.
// All else is an error (*ColumnError): a null where none is allowed, a number out of range, digits after the point
// that the column does not keep, text that is not UTF-8. After an error dst is returned as it was. An enum symbol that is
// not in Type.Symbols is written: databases add symbols while rows flow.
func (c *Codec) AppendValue(dst []byte, row []Value) ([]byte, error) {
	if len(row) != len(c.value) {
		return dst, c.wrongCount(len(row))
	}
	out := dst
	var err error
	for i := range c.value {
		if out, err = c.value[i].append(out, &row[i]); err != nil {
			return dst, inTable(inColumn(err, c.value[i].name), c.table.Name)
		}
	}
	return out, nil
}

func (c *Codec) wrongCount(n int) error {
	return &ColumnError{Table: c.table.Name, What: fmt.Sprintf("a row of %d values for %d columns", n, len(c.value))}
}

// DecodeKey reads a key's Avro body into dst[:0], one value for each of Table.Key; see DecodeValue.
func (c *Codec) DecodeKey(dst []Value, body []byte) ([]Value, error) {
	dst, err := decodeRow(dst, c.key, body)
	if err != nil {
		return dst[:0], inTable(err, c.table.Name)
	}
	return dst, nil
}

// DecodeValue reads a row's Avro body into dst[:0], one value a column. Texts, bytes and long decimals alias body: the row is
// valid until body is overwritten. If dst has room, only lists, UUIDs and unconstrained decimals beyond an int64
// allocate, and never more than a fixed multiple of len(body). The error is a *ColumnError.
func (c *Codec) DecodeValue(dst []Value, body []byte) ([]Value, error) {
	dst, err := decodeRow(dst, c.value, body)
	if err != nil {
		return dst[:0], inTable(err, c.table.Name)
	}
	return dst, nil
}

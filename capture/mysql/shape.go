package mysql

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"shelfstream/capture"
	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// shape is how the rows of one definition of a table are read. It never changes, so many goroutines may use it.
type shape struct {
	cols   []column
	fields []field // one for each of cols
	table  *schemas.Table
	from   []int // for each of the table's columns its index in cols
	// part holds the table's columns of the key and of partition_by, whose old values matter.
	part  []int
	where string
	again string // the resnapshot's command
}

// field is how one column is read.
type field struct {
	decoding
	width    int // bytes of a number or of a length, see decoding
	unsigned bool
	scale    int16
	digits   int // asDecimal: precision; the temporal ones: digits after the second
	set      *charset
	members  [][]byte
	to       int // place in the row, -1: read past
}

// shapeConfig is what a shape needs besides the columns.
type shapeConfig struct {
	table    capture.TableConfig
	charsets charsets
	// where and again are for people: the table, and the command that reads it anew.
	where, again string
}

// newShape picks the captured columns. The error is a *fault.Fault: a type that is refused by name, no key, a column that partition_by names and
// the table does not have.
func newShape(cols []column, cfg shapeConfig) (*shape, error) {
	s := &shape{cols: cols, fields: make([]field, len(cols)), table: &schemas.Table{}, where: cfg.where, again: cfg.again}
	keys := make([]int, 0, 4)
	for i := range cols {
		c := &cols[i]
		f, typ, err := fieldOf(c, cfg.charsets)
		s.fields[i] = f
		s.fields[i].to = -1
		wanted := !c.hidden() && (c.key > 0 || cfg.table.Columns == nil || named(cfg.table.Columns, c.name) || named(cfg.table.PartitionBy, c.name))
		if err != nil && (wanted || f.decoding == asUnknown) {
			return nil, s.refused(c, f.decoding != asUnknown, err)
		}
		if !wanted {
			continue
		}
		s.fields[i].to = len(s.table.Columns)
		if c.key > 0 {
			keys = append(keys, len(s.table.Columns))
		}
		s.table.Columns = append(s.table.Columns, schemas.Column{Name: c.name, Type: typ, Nullable: c.key == 0 && (c.nullable || f.mayBeNone())})
		s.from = append(s.from, i)
	}
	if len(keys) == 0 {
		return nil, &fault.Fault{
			Class: fault.Environment, Cause: fault.BinlogNoKey, Where: cfg.where, What: "the table has no primary key, so its rows cannot be told apart",
			Fix: "ALTER TABLE … ADD PRIMARY KEY (…); then " + cfg.again,
		}
	}
	slices.SortFunc(keys, func(a, b int) int { return cols[s.from[a]].key - cols[s.from[b]].key })
	s.table.Key, s.part = keys, slices.Clone(keys)
	for _, name := range cfg.table.PartitionBy {
		if cfg.table.Broadcast {
			break
		}
		i := slices.IndexFunc(s.table.Columns, func(c schemas.Column) bool { return strings.EqualFold(c.Name, name) })
		if i < 0 {
			return nil, &fault.Fault{
				Class: fault.Environment, Cause: fault.BinlogColumnMissing, Where: cfg.where, What: "the column " + name + ", which chooses the partition, is not in the table any more",
				Fix: "change partition_by, then " + cfg.again,
			}
		}
		if !slices.Contains(s.part, i) {
			s.part = append(s.part, i)
		}
	}
	return s, nil
}

// named looks a column's name up; MySQL's have no case.
func named(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// refused is the fault of a column that cannot be read. One whose size in the log is not known cannot be read past either, so leaving it out would not help.
func (s *shape) refused(c *column, passed bool, err error) error {
	fix := "give it another type (ALTER TABLE … MODIFY " + quoteName(c.name) + " …)"
	if passed {
		fix = "leave it out under columns, or " + fix
	}
	return &fault.Fault{Class: fault.Environment, Cause: fault.BinlogColumnType, Where: s.where, What: "the column " + c.name + " cannot be captured", Err: err, Fix: fix}
}

// equal says whether rows of cols are read by this shape.
func (s *shape) equal(cols []column) bool {
	return slices.EqualFunc(s.cols, cols, func(a, b column) bool { return a.equal(&b) })
}

// complete says whether an image with these columns has all that is captured.
func (s *shape) complete(present bitmap) bool {
	for _, i := range s.from {
		if !present.has(i) {
			return false
		}
	}
	return true
}

// image reads one row image of a ROWS event into dst, which has a place for each of the table's columns, and gives what follows it. present are the
// event's columns; captured ones that are not among them become null (see complete). The values are valid until data changes or a is reset.
func (s *shape) image(dst []schemas.Value, data []byte, present bitmap, a *arena) (rest []byte, err error) {
	n := 0
	for i := range s.fields {
		if present.has(i) {
			n++
		}
	}
	nulls := bitmap(data)
	if len(data) < (n+7)/8 {
		return nil, errShort
	}
	data = data[(n+7)/8:]
	clear(dst[:len(s.table.Columns)])
	at := 0
	for i := range s.fields {
		if !present.has(i) {
			continue
		}
		null := nulls.has(at)
		at++
		if null {
			continue
		}
		f := &s.fields[i]
		size, err := f.size(data)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", s.cols[i].name, err)
		}
		if f.to >= 0 {
			if dst[f.to], err = f.binary(data[:size], a); err != nil {
				return nil, s.unreadable(i, err)
			}
		}
		data = data[size:]
	}
	return data, nil
}

// text reads one row of a snapshot: the columns of s.table as the server prints them, nil for null. The values are valid as long as fields
// are and until a is reset.
func (s *shape) text(dst []schemas.Value, fields [][]byte, a *arena) ([]schemas.Value, error) {
	if len(fields) != len(s.from) {
		return dst, fmt.Errorf("%s: a row of %d columns, not %d", s.where, len(fields), len(s.from))
	}
	for k, b := range fields {
		if b == nil {
			dst = append(dst, schemas.Null)
			continue
		}
		v, err := s.fields[s.from[k]].text(b, a)
		if err != nil {
			return dst, s.unreadable(s.from[k], err)
		}
		dst = append(dst, v)
	}
	return dst, nil
}

// unreadable is a value that is not what the server's documents say of its type.
func (s *shape) unreadable(i int, err error) error {
	return &fault.Fault{
		Class: fault.Runtime, Cause: fault.BinlogValue, Where: s.where, What: "column " + s.cols[i].name + " of a row cannot be read", Err: err,
		Fix: "correct the value, or leave the column out under columns; then " + s.again,
	}
}

// quoteName is a name for statements.
func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// malformed is a value that is not what the server writes for the type.
func malformed(what string, b []byte) error {
	const shown = 60
	if len(b) > shown {
		return fmt.Errorf("%q… is no %s", b[:shown], what)
	}
	return fmt.Errorf("%q is no %s", b, what)
}

// little reads an unsigned number of len(b) bytes, at most 8, the low one first.
func little(b []byte) uint64 {
	if len(b) == 8 {
		return binary.LittleEndian.Uint64(b)
	}
	var n uint64
	for i, c := range b {
		n |= uint64(c) << (8 * i)
	}
	return n
}

// big is little with the high byte first.
func big(b []byte) uint64 {
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

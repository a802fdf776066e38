package schemas

// Kind is the logical type of a value, independent of any database.
type Kind uint8

// The kinds. KindNull is the kind of an absent value only; no column has it.
const (
	KindNull        Kind = iota
	KindBool             // Value.Int 0 or 1
	KindInt              // Value.Int; Type.Bits 16, 32 (Avro int) or 64 (Avro long)
	KindDecimal          // exact; Type.Precision and Type.Scale; Precision 0 = unconstrained, carried as text in Avro
	KindFloat            // Value.Int holds math.Float64bits; Type.Bits 32 or 64; NaN and infinities allowed
	KindText             // Value.Bytes, UTF-8
	KindBytes            // Value.Bytes
	KindDate             // Value.Int days since 1970-01-01, proleptic Gregorian
	KindTime             // Value.Int microseconds since midnight
	KindTimestamp        // Value.Int microseconds since 1970-01-01T00:00:00 on the wall clock (no zone)
	KindTimestampTZ      // Value.Int microseconds since the epoch, UTC
	KindUUID             // Value.Bytes, 16 bytes; Avro string with logicalType uuid
	KindJSON             // Value.Bytes, JSON text as the database gave it
	KindEnum             // Value.Bytes, the symbol's text; Avro string (symbols of ERPs are no Avro names) with the symbols as a property
	KindArray            // Value.List of Type.Elem
	KindRecord           // Value.List in the order of Type.Fields; only in views
)

// Type is a kind with what belongs to it. The zero Type is invalid.
type Type struct {
	Kind      Kind
	Bits      uint8    // KindInt 16, 32, 64; KindFloat 32, 64
	Precision int16    // KindDecimal, total digits; 0 unconstrained
	Scale     int16    // KindDecimal, digits after the point
	Elem      *Type    // KindArray; elements may be null
	Fields    []Column // KindRecord
	Symbols   []string // KindEnum
	Length    int32    // KindText: longest allowed number of characters, 0 unknown; informative
}

// Column is one named value of a row.
type Column struct {
	Name     string
	Type     Type
	Nullable bool
}

// Table is the shape of the rows of one table, or of the products of one view.
type Table struct {
	// Name is "<pipeline>.<source>.<table>" or "<pipeline>.<view>": the topic.
	Name    string
	Columns []Column
	// Key holds the indexes into Columns of the primary key, in the key's order. Never empty.
	Key []int
	// PartitionBy holds the indexes of the columns whose values choose the partition; nil means Key.
	PartitionBy []int
}

// Column finds a column's index by name, or -1.
func (t *Table) Column(name string) int {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

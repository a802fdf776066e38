package schemas

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Properties beside the standard ones, by which ParseTable gets back what Avro has no word for. Other readers ignore them.
const (
	propColumn      = "shelfstream.column"      // on a field: the column's name where Avro does not allow it
	propPartitionBy = "shelfstream.partitionBy" // on a value record: the names of Table.PartitionBy
	propKind        = "shelfstream.kind"        // on a string: kindDecimal or kindEnum
	propSymbols     = "shelfstream.symbols"     // on a string of kindEnum: Type.Symbols
	propLength      = "shelfstream.length"      // on a string: Type.Length
	propConnectType = "connect.type"            // on an int: connectInt16, Kafka Connect's own word
	propConnectName = "connect.name"            // on a string: connectJSON, Debezium's own word

	kindDecimal  = "decimal"
	kindEnum     = "enum"
	connectInt16 = "int16"
	connectJSON  = "io.debezium.data.Json"

	// maxPrecision is more than any database allows (PostgreSQL: 1000 digits, and a scale of -1000 beside them).
	maxPrecision = 2000
	// maxDepth of lists and records in each other; views nest three or four.
	maxDepth = 32
)

// schemaWriter writes the Avro schema of one record.
type schemaWriter struct {
	json  []byte
	names map[string]bool // of the records so far; Avro wants them unique in a schema
}

// valueSchema is the Avro schema of a table's rows.
func valueSchema(t *Table) (string, error) {
	partitionBy := make([]string, len(t.PartitionBy))
	for i, c := range t.PartitionBy {
		partitionBy[i] = t.Columns[c].Name
	}
	return recordSchema(t.Name, "", t.Columns, fieldNames(t.Columns), partitionBy)
}

// keySchema is the Avro schema of a table's keys, with the field names of its rows.
func keySchema(t *Table) (string, error) {
	all := fieldNames(t.Columns)
	columns, names := make([]Column, len(t.Key)), make([]string, len(t.Key))
	for i, c := range t.Key {
		columns[i], names[i] = t.Columns[c], all[c]
	}
	return recordSchema(t.Name, "Key", columns, names, nil)
}

func recordSchema(topic, suffix string, columns []Column, names, partitionBy []string) (string, error) {
	namespace, name := splitName(topic)
	name += suffix
	w := &schemaWriter{names: map[string]bool{name: true}}
	w.raw(`{"type":"record","name":`)
	w.text(name)
	if namespace != "" {
		w.raw(`,"namespace":`)
		w.text(namespace)
	}
	if len(partitionBy) > 0 {
		w.property(propPartitionBy, partitionBy)
	}
	if err := w.fields(name, columns, names, 0); err != nil {
		return "", err
	}
	w.raw("}")
	return string(w.json), nil
}

func (w *schemaWriter) fields(record string, columns []Column, names []string, depth int) error {
	if len(columns) == 0 {
		return &ColumnError{What: "a record without columns"}
	}
	seen := make(map[string]bool, len(columns))
	w.raw(`,"fields":[`)
	for i := range columns {
		c := &columns[i]
		if seen[c.Name] {
			return &ColumnError{Column: c.Name, What: "two columns have this name"}
		}
		seen[c.Name] = true
		if i > 0 {
			w.raw(",")
		}
		w.raw(`{"name":`)
		w.text(names[i])
		w.raw(`,"type":`)
		if c.Nullable {
			w.raw(`["null",`)
		}
		if err := w.typ(&c.Type, record+"_"+names[i], depth); err != nil {
			return inColumn(err, c.Name)
		}
		if c.Nullable {
			w.raw(`],"default":null`)
		}
		if names[i] != c.Name {
			w.property(propColumn, c.Name)
		}
		w.raw("}")
	}
	w.raw("]")
	return nil
}

// typ writes one type; record is the name for a record in it.
func (w *schemaWriter) typ(t *Type, record string, depth int) error {
	if depth > maxDepth {
		return &ColumnError{What: "lists and records are nested too deeply"}
	}
	switch t.Kind {
	case KindBool:
		w.raw(`"boolean"`)
	case KindInt:
		switch t.Bits {
		case 16:
			w.raw(`{"type":"int"`)
			w.property(propConnectType, connectInt16)
			w.raw("}")
		case 32:
			w.raw(`"int"`)
		case 64:
			w.raw(`"long"`)
		default:
			return &ColumnError{What: fmt.Sprintf("a whole number of %d bits (16, 32 and 64 exist)", t.Bits)}
		}
	case KindDecimal:
		return w.decimal(t)
	case KindFloat:
		switch t.Bits {
		case 32:
			w.raw(`"float"`)
		case 64:
			w.raw(`"double"`)
		default:
			return &ColumnError{What: fmt.Sprintf("a float of %d bits (32 and 64 exist)", t.Bits)}
		}
	case KindText:
		if t.Length > 0 {
			w.raw(`{"type":"string"`)
			w.property(propLength, t.Length)
			w.raw("}")
			return nil
		}
		w.raw(`"string"`)
	case KindBytes:
		w.raw(`"bytes"`)
	case KindDate:
		w.raw(`{"type":"int","logicalType":"date"}`)
	case KindTime:
		w.raw(`{"type":"long","logicalType":"time-micros"}`)
	case KindTimestamp:
		w.raw(`{"type":"long","logicalType":"local-timestamp-micros"}`)
	case KindTimestampTZ:
		w.raw(`{"type":"long","logicalType":"timestamp-micros"}`)
	case KindUUID:
		w.raw(`{"type":"string","logicalType":"uuid"}`)
	case KindJSON:
		w.raw(`{"type":"string"`)
		w.property(propConnectName, connectJSON)
		w.raw("}")
	case KindEnum:
		w.raw(`{"type":"string"`)
		w.property(propKind, kindEnum)
		if len(t.Symbols) > 0 {
			w.property(propSymbols, t.Symbols)
		}
		w.raw("}")
	case KindArray:
		return w.array(t, record, depth)
	case KindRecord:
		name := unique(record, w.names)
		w.raw(`{"type":"record","name":`)
		w.text(name)
		if err := w.fields(name, t.Fields, fieldNames(t.Fields), depth+1); err != nil {
			return err
		}
		w.raw("}")
	case KindNull:
		return &ColumnError{What: "a column without a type"}
	default:
		return &ColumnError{What: "a column of unknown kind " + strconv.Itoa(int(t.Kind))}
	}
	return nil
}

func (w *schemaWriter) decimal(t *Type) error {
	if t.Precision == 0 {
		w.raw(`{"type":"string"`)
		w.property(propKind, kindDecimal)
		w.raw("}")
		return nil
	}
	precision, scale, err := avroDecimal(t)
	if err != nil {
		return err
	}
	w.raw(fmt.Sprintf(`{"type":"bytes","logicalType":"decimal","precision":%d,"scale":%d}`, precision, scale))
	return nil
}

// avroDecimal fits a column's precision and scale to what Avro allows (0 ≤ scale ≤ precision). PostgreSQL 15 has
// numeric(3,-2), up to 99900, which becomes (5,0), and numeric(3,5), up to 0.00999, which becomes (5,5).
func avroDecimal(t *Type) (precision, scale int, err error) {
	precision, scale = int(t.Precision), int(t.Scale)
	if scale < 0 {
		precision, scale = precision-scale, 0
	}
	precision = max(precision, scale)
	if t.Precision < 0 || precision > maxPrecision {
		return 0, 0, &ColumnError{What: fmt.Sprintf("a decimal of precision %d and scale %d", t.Precision, t.Scale)}
	}
	return precision, scale, nil
}

func (w *schemaWriter) array(t *Type, record string, depth int) error {
	if t.Elem == nil {
		return &ColumnError{What: "a list without an element type"}
	}
	w.raw(`{"type":"array","items":`)
	if nullableElements(t) {
		w.raw(`["null",`)
	}
	if err := w.typ(t.Elem, record, depth+1); err != nil {
		return inColumn(err, "[]")
	}
	if nullableElements(t) {
		w.raw("]")
	}
	w.raw("}")
	return nil
}

// nullableElements: databases' arrays can hold nulls, a view's list of children cannot.
func nullableElements(t *Type) bool { return t.Elem.Kind != KindRecord }

func (w *schemaWriter) raw(s string) { w.json = append(w.json, s...) }

func (w *schemaWriter) text(s string) {
	// Marshal of a string cannot fail; bytes that are no UTF-8 become U+FFFD.
	b, _ := json.Marshal(s)
	w.json = append(w.json, b...)
}

// property writes one more member of an object; v is a string, a number or a list of strings, which Marshal cannot refuse.
func (w *schemaWriter) property(name string, v any) {
	w.raw(",")
	w.text(name)
	w.raw(":")
	b, _ := json.Marshal(v)
	w.json = append(w.json, b...)
}

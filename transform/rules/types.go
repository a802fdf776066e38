package rules

import (
	"fmt"
	"slices"
	"strings"

	"shelfstream/schemas"
)

const (
	// maxPrecision is what every target's decimal can hold, and so what a computed field gets.
	maxPrecision = 38
	maxScale     = 38
)

var (
	nullType = schemas.Type{}
	boolType = schemas.Type{Kind: schemas.KindBool}
	intType  = schemas.Type{Kind: schemas.KindInt, Bits: 64}
	textType = schemas.Type{Kind: schemas.KindText}
	dateType = schemas.Type{Kind: schemas.KindDate}
	// anyDecimal is a decimal whose scale is only known at run time.
	anyDecimal = schemas.Type{Kind: schemas.KindDecimal}
)

// decimalType is the type of a computed decimal. The scale is the largest one that a value can have.
func decimalType(scale int) schemas.Type {
	return schemas.Type{Kind: schemas.KindDecimal, Precision: maxPrecision, Scale: int16(scale)}
}

func boolValue(b bool) schemas.Value { return schemas.Bool(b) }

// isNumber says whether values of t can be calculated with; null can, and gives null.
func isNumber(t schemas.Type) bool {
	return t.Kind == schemas.KindInt || t.Kind == schemas.KindDecimal || t.Kind == schemas.KindNull
}

// isText says whether values of t are characters.
func isText(t schemas.Type) bool {
	return t.Kind == schemas.KindText || t.Kind == schemas.KindEnum || t.Kind == schemas.KindNull
}

// isWord says whether a value is text or a number, as codes of languages and taxes are.
func isWord(t schemas.Type) bool { return isText(t) || t.Kind == schemas.KindInt }

// hasOrder says whether values of t come one after the other.
func hasOrder(t schemas.Type) bool {
	return t.Kind != schemas.KindJSON && t.Kind != schemas.KindArray && t.Kind != schemas.KindRecord
}

// unconstrained says whether t is a decimal whose scale is unknown.
func unconstrained(t schemas.Type) bool { return t.Kind == schemas.KindDecimal && t.Precision == 0 }

// typeName is a type in a person's words.
func typeName(t schemas.Type) string {
	switch t.Kind {
	case schemas.KindNull:
		return "null"
	case schemas.KindBool:
		return "bool"
	case schemas.KindInt:
		return "int"
	case schemas.KindDecimal:
		if t.Precision == 0 {
			return "decimal"
		}
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	case schemas.KindFloat:
		return "float"
	case schemas.KindText:
		return "text"
	case schemas.KindBytes:
		return "bytes"
	case schemas.KindDate:
		return "date"
	case schemas.KindTime:
		return "time"
	case schemas.KindTimestamp:
		return "timestamp"
	case schemas.KindTimestampTZ:
		return "timestamptz"
	case schemas.KindUUID:
		return "uuid"
	case schemas.KindJSON:
		return "json"
	case schemas.KindEnum:
		return "enum"
	case schemas.KindArray:
		if t.Elem != nil && t.Elem.Kind == schemas.KindRecord {
			names := make([]string, len(t.Elem.Fields))
			for i, f := range t.Elem.Fields {
				names[i] = f.Name + " " + typeName(f.Type)
			}
			return "a list of {" + strings.Join(names, ", ") + "}"
		}
		return "array"
	case schemas.KindRecord:
		return "record"
	}
	return "unknown"
}

// unify is the type that holds both; false if there is none.
func unify(a, b schemas.Type) (schemas.Type, bool) {
	if a.Kind == schemas.KindNull {
		return b, true
	}
	if b.Kind == schemas.KindNull {
		return a, true
	}
	if a.Kind > b.Kind {
		a, b = b, a
	}
	switch {
	case a.Kind == schemas.KindInt && b.Kind == schemas.KindDecimal:
		if b.Precision == 0 {
			return b, true
		}
		return decimalType(int(b.Scale)), true
	case a.Kind == schemas.KindText && b.Kind == schemas.KindEnum:
		return textType, true
	case a.Kind != b.Kind:
		return nullType, false
	}
	switch a.Kind {
	case schemas.KindInt, schemas.KindFloat:
		a.Bits = max(a.Bits, b.Bits)
		return a, true
	case schemas.KindDecimal:
		if a.Precision == b.Precision && a.Scale == b.Scale {
			return a, true
		}
		if a.Precision == 0 || b.Precision == 0 {
			return anyDecimal, true
		}
		return decimalType(int(max(a.Scale, b.Scale))), true
	case schemas.KindText:
		return unifyText(a, b), true
	case schemas.KindEnum:
		if slices.Equal(a.Symbols, b.Symbols) {
			return a, true
		}
		return textType, true
	case schemas.KindArray, schemas.KindRecord:
		return a, sameType(a, b)
	default:
		return a, true
	}
}

// unifyText keeps a length only if both have one, and known words (of status rules) only if both do.
func unifyText(a, b schemas.Type) schemas.Type {
	out := textType
	if a.Length > 0 && b.Length > 0 {
		out.Length = max(a.Length, b.Length)
	}
	if a.Symbols != nil && b.Symbols != nil {
		out.Symbols = slices.Clone(a.Symbols)
		for _, s := range b.Symbols {
			if !slices.Contains(out.Symbols, s) {
				out.Symbols = append(out.Symbols, s)
			}
		}
	}
	return out
}

// sameType compares types with all that belongs to them.
func sameType(a, b schemas.Type) bool {
	if a.Kind != b.Kind || a.Bits != b.Bits || a.Precision != b.Precision || a.Scale != b.Scale ||
		len(a.Fields) != len(b.Fields) || (a.Elem == nil) != (b.Elem == nil) {
		return false
	}
	for i := range a.Fields {
		if a.Fields[i].Name != b.Fields[i].Name || !sameType(a.Fields[i].Type, b.Fields[i].Type) {
			return false
		}
	}
	return a.Elem == nil || sameType(*a.Elem, *b.Elem)
}

// published is a type as the view's table declares it: what only the checker needs is left out.
func published(t schemas.Type) schemas.Type {
	if t.Kind == schemas.KindText {
		t.Symbols = nil
	}
	return t
}

// describeType writes a type with all that belongs to it, for Program.Hash.
func describeType(b *strings.Builder, t schemas.Type) {
	fmt.Fprintf(b, "%d/%d/%d/%d/%d%q", t.Kind, t.Bits, t.Precision, t.Scale, t.Length, t.Symbols)
	if t.Elem != nil {
		b.WriteByte('[')
		describeType(b, *t.Elem)
		b.WriteByte(']')
	}
	describeColumns(b, t.Fields)
}

func describeColumns(b *strings.Builder, columns []schemas.Column) {
	for _, c := range columns {
		fmt.Fprintf(b, "{%q %t ", c.Name, c.Nullable)
		describeType(b, c.Type)
		b.WriteByte('}')
	}
}

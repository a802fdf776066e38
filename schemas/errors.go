package schemas

import (
	"errors"
	"strconv"
	"strings"
)

// ErrNotNumber is returned by arithmetic on a value that is neither KindInt nor KindDecimal (null included).
var ErrNotNumber = errors.New("not a number")

// ErrSpecial is returned by arithmetic on NaN or an infinity.
var ErrSpecial = errors.New("NaN and infinity cannot be calculated with")

// ErrDivisionByZero is returned by QuoDec.
var ErrDivisionByZero = errors.New("division by zero")

// ErrDecimalRange is returned where a decimal would have more than 32767 digits after the point or an exponent beyond any database's.
var ErrDecimalRange = errors.New("decimal out of range")

// ColumnError says which column of a row could not be written, read or described, and why. This package knows no
// topics and no remedies: whoever gets one turns it into a fault with the place and the fix.
type ColumnError struct {
	// Table is the table's name; empty where only columns are known.
	Table string
	// Column is the path to the value: "price", or "prices[3].price" inside a list.
	Column string
	// What is wrong, in a sentence without a full stop.
	What string
	// Value is the offending value as a person reads it, shortened; empty if there is none.
	Value string
	// Err is the cause, if there is one.
	Err error
}

// Error gives table, column, what and the value on one line.
func (e *ColumnError) Error() string {
	var b strings.Builder
	if e.Table != "" {
		b.WriteString(e.Table)
		b.WriteString(": ")
	}
	if e.Column != "" {
		b.WriteString("column ")
		b.WriteString(e.Column)
		b.WriteString(": ")
	}
	b.WriteString(e.What)
	if e.Value != "" {
		b.WriteString(" (value ")
		b.WriteString(e.Value)
		b.WriteString(")")
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *ColumnError) Unwrap() error { return e.Err }

// columnFault makes the error for one value that does not fit.
func columnFault(what string, v Value) *ColumnError {
	return &ColumnError{What: what, Value: shortened(v)}
}

// inColumn puts a column's name (or an element's "[3]") in front of the path of an error from further inside.
func inColumn(err error, name string) error {
	var e *ColumnError
	if !errors.As(err, &e) {
		return &ColumnError{Column: name, What: err.Error(), Err: err}
	}
	switch {
	case e.Column == "":
		e.Column = name
	case e.Column[0] == '[':
		e.Column = name + e.Column
	default:
		e.Column = name + "." + e.Column
	}
	return e
}

func inElement(err error, i int) error { return inColumn(err, "["+strconv.Itoa(i)+"]") }

// shortened is v for an error message: quoted where it is text, at most 60 characters.
func shortened(v Value) string {
	s := v.String()
	if v.Kind == KindText || v.Kind == KindEnum || v.Kind == KindJSON {
		s = strconv.Quote(s)
	}
	const limit = 60
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}

package table

import (
	"slices"
	"strings"

	"shelfstream/internal/fault"
)

// Class groups a database's data types by how a value is written into them.
type Class uint8

// The classes. ClassOther are types of which the server judges each value: enum, set, geometry, domains.
const (
	ClassOther Class = iota
	ClassBool
	ClassInt
	ClassDecimal
	ClassFloat
	ClassText
	ClassBytes
	ClassDate
	ClassDatetime
	ClassTime
	ClassJSON
	ClassUUID
	ClassBinUUID // 16 bytes
)

// ColumnInfo is a column of an existing table.
type ColumnInfo struct {
	Table     string
	Name      string
	DataType  string // "varchar"
	Type      string // "varchar(40)"
	Class     Class
	Nullable  bool
	Fed       bool // needs no value from us: has a default, takes null, is counted up or generated
	Generated bool
	Auto      bool // counted up by the server
	Unsigned  bool
	Zone      bool   // a datetime with a time zone
	Padded    bool   // blanks at the end mean nothing where texts are compared
	Folds     bool   // different letters may count as equal
	Single    bool   // a float of 32 bits
	Length    int    // characters of a text; 0 no limit in characters
	Octets    int    // bytes of a text or binary type; 0 no limit worth checking
	Precision int    // digits of a decimal or whole number
	Scale     int    // of those after the point
	Unbounded bool   // a decimal of any size
	FSP       int    // digits of the second
	Min       int64  // of a whole number
	Max       uint64 // of a whole number
	Collation string
	Narrow    func(rune) bool // whether the character set has a character; nil: it has all of them, or we do not know
}

// Info is an existing table of the database.
type Info struct {
	Name    string
	Columns map[string]ColumnInfo
	Order   []string // the columns' names as the table has them
	Uniques []UniqueIndex
	Refers  []string // tables that it refers to by foreign keys
	Rows    int64    // an estimate
	// Unfit is what keeps the table as a whole from being written: each with cause, what and fix.
	Unfit fault.List
	// Exact says that the database's names of columns have case.
	Exact bool
}

// UniqueIndex is an index whose values no two rows may share.
type UniqueIndex struct {
	Name    string
	Columns []string
	// Partial says that it is not over whole columns or not over all rows: a prefix, an expression, a condition; and Later that it is looked at when the transaction ends.
	Partial, Later bool
}

func (t *Info) column(name string) (ColumnInfo, bool) {
	if c, ok := t.Columns[name]; ok {
		return c, true
	}
	if !t.Exact {
		for n, c := range t.Columns {
			if strings.EqualFold(n, name) {
				return c, true
			}
		}
	}
	return ColumnInfo{}, false
}

// sameColumns says whether an index covers exactly these columns, in any order.
func (u UniqueIndex) sameColumns(names []string) bool {
	if len(u.Columns) != len(names) || u.Partial || u.Later {
		return false
	}
	for _, n := range names {
		if !containsFold(u.Columns, n) {
			return false
		}
	}
	return true
}

// secondary lists the unique indexes besides the one on key, through which two products could meet.
func (t *Info) secondary(key []string) []UniqueIndex {
	var out []UniqueIndex
	seenKey := false
	for _, u := range t.Uniques {
		if !seenKey && u.sameColumns(key) {
			seenKey = true
			continue
		}
		if len(u.Columns) == 1 {
			if c, ok := t.column(u.Columns[0]); ok && c.Auto {
				continue // numbers that the server gives are never given twice
			}
		}
		out = append(out, u)
	}
	return out
}

func containsFold(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// exactText says whether the column tells all different texts apart: a binary collation that does not pad with spaces.
func (c *ColumnInfo) exactText() bool { return !c.Folds && !c.Padded }

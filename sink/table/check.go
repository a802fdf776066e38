package table

import (
	"fmt"
	"slices"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// check compares a plan with the existing table. Every fault names the statement that mends it.
func (p *tablePlan) check(t *Info) fault.List {
	var l fault.List
	d := p.d
	fail := func(cause fault.Cause, what, fix string) {
		l.Add(&fault.Fault{Class: fault.Environment, Cause: cause, Where: p.where(), What: what, Fix: fix})
	}
	// A column is a place of its own: what is wrong with two of them are two troubles.
	in := func(column string) func(cause fault.Cause, what, fix string) {
		return func(cause fault.Cause, what, fix string) {
			l.Add(&fault.Fault{Class: fault.Environment, Cause: cause, Where: p.where() + ": column " + column, What: what, Fix: fix})
		}
	}
	if t == nil {
		fix := "set create: true, or run: " + oneLine(p.createTable())
		if p.updates() {
			fix = "correct its name, or let those make it whose rows it holds"
		}
		fail(d.Causes.TableMissing, "does not exist", fix)
		return l
	}
	for _, f := range t.Unfit {
		fail(f.Cause, f.What, f.Fix)
	}
	for i := range p.columns {
		c := &p.columns[i]
		info, ok := t.column(c.name)
		switch {
		case !ok:
			in(c.name)(d.Causes.ColumnMissing, "does not exist, and the field "+c.field+" wants it", p.addColumn(c))
			continue
		case info.Generated:
			in(c.name)(d.Causes.ColumnUnfit, "is computed by the server and cannot be written", "leave it out of 'columns'")
			continue
		}
		if what, fix := p.checkType(c, &info); what != "" {
			in(c.name)(d.Causes.ColumnUnfit, what, fix)
		}
		if c.key {
			p.checkKeyColumn(&info, in(c.name))
		}
	}
	for _, name := range SortedNames(t.Columns) {
		info := t.Columns[name]
		if !info.Fed && !p.updates() && !slices.ContainsFunc(p.columns, func(c columnPlan) bool { return strings.EqualFold(c.name, name) }) {
			in(name)(d.Causes.ColumnUnfed, "takes no null, has no default, and nothing is written to it",
				"map a field to it under 'columns', or run: "+d.Alter(&info, info.Type, "NULL"))
		}
	}
	for _, name := range p.never {
		if _, ok := t.column(name); !ok && p.view.Table.Column(name) < 0 {
			in(name)(d.Causes.ColumnMissing, "does not exist, and 'columns' leaves it to others", "correct the name, or remove it from 'columns'")
		}
	}
	names := p.names(p.key)
	if !slices.ContainsFunc(t.Uniques, func(u UniqueIndex) bool { return u.sameColumns(names) }) {
		what := "a second write would make a second row"
		if p.updates() {
			what = "a product could change several rows"
		}
		fail(d.Causes.Key, fmt.Sprintf("has no primary key or unique index on its key (%s), so %s", strings.Join(names, ", "), what),
			d.AlterKey(p.name, p.names(p.keyParentFirst())))
	}
	return l
}

func (p *tablePlan) checkKeyColumn(info *ColumnInfo, fail func(cause fault.Cause, what, fix string)) {
	if info.Nullable && !p.updates() {
		fail(p.d.Causes.Key, "belongs to the key and takes null", p.d.Alter(info, info.Type, "NOT NULL"))
	}
	if what, fix := p.d.KeyUnfit(info); what != "" {
		fail(p.d.Causes.Key, what, fix)
	}
}

// checkType says why a column is not fit for its field, "" if it is. With unfit: park, columns that are only too small pass.
func (p *tablePlan) checkType(c *columnPlan, info *ColumnInfo) (what, fix string) {
	d := p.d
	wrong := func() (string, string) {
		return fmt.Sprintf("is %s, and cannot take the field %s (%s)", info.Type, c.field, describe(c.typ)),
			"let a rule convert the field, or run: " + d.Alter(info, d.ColumnType(c.typ, c.key), "")
	}
	small := func(wider string) (string, string) {
		if p.cfg.Unfit == unfitPark {
			return "", ""
		}
		return fmt.Sprintf("is %s, and is too small for some values of the field %s (%s)", info.Type, c.field, describe(c.typ)),
			d.Alter(info, wider, "") + " or set unfit: park, to hold back only the products that do not fit"
	}
	if c.origin == fromLiving {
		if info.Class != ClassInt && info.Class != ClassBool && (info.Class != ClassDatetime && info.Class != ClassDate || !info.Nullable) {
			return "marks deleted rows and is " + info.Type, "make it a whole number (1 = deleted), or a datetime that takes null (when)"
		}
		return "", ""
	}
	if info.Class == ClassOther { // enum, set, bit, year: the server judges each value
		return "", ""
	}
	wide := d.ColumnType(c.typ, c.key)
	switch c.typ.Kind {
	case schemas.KindBool:
		if info.Class != ClassBool && info.Class != ClassInt && info.Class != ClassText {
			return wrong()
		}
	case schemas.KindInt:
		return p.checkInt(c, info, wrong, small)
	case schemas.KindDecimal:
		return p.checkDecimal(c, info, wrong, small)
	case schemas.KindFloat:
		switch {
		case info.Class == ClassText:
		case p.cfg.rounds(c.name) && (info.Class == ClassDecimal || info.Class == ClassInt || info.Class == ClassFloat):
		case info.Class != ClassFloat:
			return wrong()
		case c.typ.Bits == 64 && info.Single:
			return small(d.ColumnType(schemas.Type{Kind: schemas.KindFloat, Bits: 64}, false))
		}
	case schemas.KindText, schemas.KindEnum:
		switch {
		case info.Class == ClassJSON:
		case info.Class != ClassText:
			return wrong()
		case c.typ.Length > 0 && (info.Length > 0 && int(c.typ.Length) > info.Length || info.Octets > 0 && int(c.typ.Length) > info.Octets):
			return small(wide)
		}
		if longest := longestSymbol(c.typ); info.Length > 0 && longest > info.Length {
			return small(wide)
		}
	case schemas.KindBytes:
		if info.Class != ClassBytes {
			return wrong()
		}
	case schemas.KindDate:
		if info.Class != ClassDate && info.Class != ClassDatetime && info.Class != ClassText {
			return wrong()
		}
	case schemas.KindTime:
		if info.Class != ClassTime && info.Class != ClassText {
			return wrong()
		}
		if info.Class == ClassTime && info.FSP < 6 && !p.cfg.rounds(c.name) {
			return small(d.Precise(info))
		}
	case schemas.KindTimestamp, schemas.KindTimestampTZ:
		if info.Class != ClassDatetime && info.Class != ClassText {
			return wrong()
		}
		if info.Class == ClassDatetime && info.FSP < 6 && !p.cfg.rounds(c.name) {
			what, fix = small(d.Precise(info))
			if what != "" {
				fix += ", or list the column under 'round'"
			}
			return what, fix
		}
	case schemas.KindUUID:
		if !(info.Class == ClassUUID || info.Class == ClassText && (info.Length == 0 || info.Length >= 36) || info.Class == ClassBytes && info.Octets == 16) {
			return wrong()
		}
	case schemas.KindJSON, schemas.KindArray, schemas.KindRecord:
		if info.Class != ClassJSON && info.Class != ClassText {
			return wrong()
		}
	case schemas.KindNull:
	}
	return "", ""
}

func (p *tablePlan) checkInt(c *columnPlan, info *ColumnInfo, wrong func() (string, string), small func(string) (string, string)) (string, string) {
	d := p.d
	digits := map[uint8]int{16: 5, 32: 10}[c.typ.Bits]
	if digits == 0 {
		digits = 19
	}
	switch info.Class {
	case ClassInt:
		bits := max(int(c.typ.Bits), 16)
		if c.typ.Bits == 0 {
			bits = 64
		}
		if c.origin != fromPosition && (info.Min > -1<<(bits-1) || info.Max < 1<<(bits-1)-1) {
			return small(d.ColumnType(c.typ, c.key))
		}
	case ClassDecimal:
		if !info.Unbounded && (info.Unsigned || info.Precision-info.Scale < digits) {
			return small(fmt.Sprintf("decimal(%d,%d)", digits+info.Scale, info.Scale))
		}
	case ClassText:
		if info.Length > 0 && info.Length < digits+1 {
			return small(fmt.Sprintf("varchar(%d)", digits+1))
		}
	case ClassFloat:
		if digits > 10 || info.Single {
			return small(d.ColumnType(schemas.Type{Kind: schemas.KindInt, Bits: 64}, false))
		}
	case ClassOther, ClassBool, ClassBytes, ClassDate, ClassDatetime, ClassTime, ClassJSON, ClassUUID, ClassBinUUID:
		return wrong()
	}
	return "", ""
}

func (p *tablePlan) checkDecimal(c *columnPlan, info *ColumnInfo, wrong func() (string, string), small func(string) (string, string)) (string, string) {
	d := p.d
	whole, scale := int(c.typ.Precision-c.typ.Scale), int(c.typ.Scale)
	round := p.cfg.rounds(c.name)
	switch info.Class {
	case ClassDecimal, ClassInt:
		if c.typ.Precision == 0 || info.Unbounded {
			return "", "" // of no known size: each value is checked
		}
		if info.Unsigned || whole > info.Precision-info.Scale || scale > info.Scale && !round {
			what, fix := small(fmt.Sprintf("decimal(%d,%d)", min(65, max(whole, info.Precision-info.Scale)+max(scale, info.Scale)), max(scale, info.Scale)))
			if what != "" && scale > info.Scale {
				fix += ", or list the column under 'round'"
			}
			return what, fix
		}
	case ClassText:
	case ClassFloat:
		if !round {
			what, _ := wrong()
			return what + " exactly", "list the column under 'round', or run: " + d.Alter(info, d.ColumnType(c.typ, c.key), "")
		}
	case ClassOther, ClassBool, ClassBytes, ClassDate, ClassDatetime, ClassTime, ClassJSON, ClassUUID, ClassBinUUID:
		return wrong()
	}
	return "", ""
}

func longestSymbol(t schemas.Type) int {
	n := 0
	for _, s := range t.Symbols {
		n = max(n, len([]rune(s)))
	}
	return n
}

// describe names a type for people.
func describe(t schemas.Type) string {
	switch t.Kind {
	case schemas.KindBool:
		return "truth value"
	case schemas.KindInt:
		return fmt.Sprintf("whole number, %d bits", t.Bits)
	case schemas.KindDecimal:
		if t.Precision == 0 {
			return "decimal of any size"
		}
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	case schemas.KindFloat:
		return fmt.Sprintf("floating-point number, %d bits", t.Bits)
	case schemas.KindText:
		if t.Length > 0 {
			return fmt.Sprintf("text of up to %d characters", t.Length)
		}
		return "text"
	case schemas.KindBytes:
		return "bytes"
	case schemas.KindDate:
		return "date"
	case schemas.KindTime:
		return "time of day in microseconds"
	case schemas.KindTimestamp, schemas.KindTimestampTZ:
		return "date and time in microseconds"
	case schemas.KindUUID:
		return "uuid"
	case schemas.KindJSON:
		return "JSON"
	case schemas.KindEnum:
		return "one of " + strings.Join(t.Symbols, ", ")
	case schemas.KindArray:
		return "list"
	case schemas.KindRecord:
		return "record"
	case schemas.KindNull:
	}
	return "unknown"
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

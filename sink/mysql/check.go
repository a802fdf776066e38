package mysql

import (
	"fmt"
	"slices"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// check compares a plan with the existing table. Every fault names the statement that mends it.
func (p *tablePlan) check(t *tableInfo, d dialect) fault.List {
	var l fault.List
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
		fail(fault.MySQLTableMissing, "does not exist", "set create: true, or run: "+oneLine(p.createTable(d)))
		return l
	}
	if !strings.EqualFold(t.engine, "InnoDB") {
		fail(fault.MySQLEngine, "is kept by the engine "+t.engine+", which has no transactions", fmt.Sprintf("ALTER TABLE %s ENGINE=InnoDB;", quoteName(p.name)))
	}
	for i := range p.columns {
		c := &p.columns[i]
		info, ok := t.column(c.name)
		switch {
		case !ok:
			in(c.name)(fault.MySQLColumnMissing, "does not exist, and the field "+c.field+" wants it", p.addColumn(c, d))
			continue
		case info.generated:
			in(c.name)(fault.MySQLColumnUnfit, "is computed by the server and cannot be written", "leave it out of 'columns'")
			continue
		}
		if what, fix := p.checkType(c, &info, d); what != "" {
			in(c.name)(fault.MySQLColumnUnfit, what, fix)
		}
		if c.key {
			p.checkKeyColumn(c, &info, d, in(c.name))
		}
	}
	for _, name := range sortedNames(t.columns) {
		info := t.columns[name]
		if !info.fed && !slices.ContainsFunc(p.columns, func(c columnPlan) bool { return strings.EqualFold(c.name, name) }) {
			in(name)(fault.MySQLColumnUnfed, "takes no null, has no default, and nothing is written to it",
				fmt.Sprintf("map a field to it under 'columns', or run: %s", info.alter(info.columnType, "NULL")))
		}
	}
	for _, name := range p.never {
		if _, ok := t.column(name); !ok && p.view.Table.Column(name) < 0 {
			in(name)(fault.MySQLColumnMissing, "does not exist, and 'columns' leaves it to others", "correct the name, or remove it from 'columns'")
		}
	}
	names := p.names(p.key)
	if !slices.ContainsFunc(t.uniques, func(u uniqueIndex) bool { return u.sameColumns(names) }) {
		fail(fault.MySQLKey, fmt.Sprintf("has no primary key or unique index on its key (%s), so a second write would make a second row", strings.Join(names, ", ")),
			fmt.Sprintf("ALTER TABLE %s ADD UNIQUE INDEX shelfstream_key (%s);", quoteName(p.name), quoteNames(p.names(p.keyParentFirst()))))
	}
	return l
}

func (p *tablePlan) checkKeyColumn(c *columnPlan, info *columnInfo, d dialect, fail func(cause fault.Cause, what, fix string)) {
	if info.nullable {
		fail(fault.MySQLKey, "belongs to the key and takes null", info.alter(info.columnType, "NOT NULL"))
	}
	if info.foldsText() {
		exact := *info
		exact.collation = d.exact()
		fail(fault.MySQLKey, fmt.Sprintf("belongs to the key, and its collation %s takes different keys for the same ('A' and 'a', 'å' and 'a')", info.collation),
			exact.alter(info.columnType, ""))
	}
}

// checkType says why a column is not fit for its field, "" if it is. With unfit: park, columns that are only too small pass.
func (p *tablePlan) checkType(c *columnPlan, info *columnInfo, d dialect) (what, fix string) {
	wrong := func() (string, string) {
		return fmt.Sprintf("is %s, and cannot take the field %s (%s)", info.columnType, c.field, describe(c.typ)),
			"let a rule convert the field, or run: " + info.alter(columnType(c.typ, c.key), "")
	}
	small := func(wider string) (string, string) {
		if p.cfg.Unfit == unfitPark {
			return "", ""
		}
		return fmt.Sprintf("is %s, and is too small for some values of the field %s (%s)", info.columnType, c.field, describe(c.typ)),
			info.alter(wider, "") + " or set unfit: park, to hold back only the products that do not fit"
	}
	if c.origin == fromLiving {
		if info.class != classInt && (info.class != classDatetime && info.class != classDate || !info.nullable) {
			return "marks deleted rows and is " + info.columnType, "make it a whole number (1 = deleted), or a datetime that takes null (when)"
		}
		return "", ""
	}
	if info.class == classOther { // enum, set, bit, year: the server judges each value
		return "", ""
	}
	wide := columnType(c.typ, c.key)
	switch c.typ.Kind {
	case schemas.KindBool:
		if info.class != classInt && info.class != classText {
			return wrong()
		}
	case schemas.KindInt:
		return p.checkInt(c, info, wrong, small)
	case schemas.KindDecimal:
		return p.checkDecimal(c, info, wrong, small)
	case schemas.KindFloat:
		switch {
		case info.class == classText:
		case p.cfg.rounds(c.name) && (info.class == classDecimal || info.class == classInt || info.class == classFloat):
		case info.class != classFloat:
			return wrong()
		case c.typ.Bits == 64 && info.dataType == "float":
			return small("double")
		}
	case schemas.KindText, schemas.KindEnum:
		switch {
		case info.class == classJSON:
		case info.class != classText:
			return wrong()
		case c.typ.Length > 0 && (info.length > 0 && int(c.typ.Length) > info.length || info.octets > 0 && int(c.typ.Length) > info.octets):
			return small(wide)
		}
		if longest := longestSymbol(c.typ); info.length > 0 && longest > info.length {
			return small(wide)
		}
	case schemas.KindBytes:
		if info.class != classBytes {
			return wrong()
		}
	case schemas.KindDate:
		if info.class != classDate && info.class != classDatetime && info.class != classText {
			return wrong()
		}
	case schemas.KindTime:
		if info.class != classTime && info.class != classText {
			return wrong()
		}
		if info.class == classTime && info.fsp < 6 && !p.cfg.rounds(c.name) {
			return small("time(6)")
		}
	case schemas.KindTimestamp, schemas.KindTimestampTZ:
		if info.class != classDatetime && info.class != classText {
			return wrong()
		}
		if info.class == classDatetime && info.fsp < 6 && !p.cfg.rounds(c.name) {
			what, fix = small(info.dataType + "(6)")
			if what != "" {
				fix += ", or list the column under 'round'"
			}
			return what, fix
		}
	case schemas.KindUUID:
		if !(info.class == classUUID || info.class == classText && (info.length == 0 || info.length >= 36) || info.class == classBytes && info.octets == 16) {
			return wrong()
		}
	case schemas.KindJSON, schemas.KindArray, schemas.KindRecord:
		if info.class != classJSON && info.class != classText {
			return wrong()
		}
	case schemas.KindNull:
	}
	return "", ""
}

func (p *tablePlan) checkInt(c *columnPlan, info *columnInfo, wrong func() (string, string), small func(string) (string, string)) (string, string) {
	digits := map[uint8]int{16: 5, 32: 10}[c.typ.Bits]
	if digits == 0 {
		digits = 19
	}
	switch info.class {
	case classInt:
		if c.origin != fromPosition && (info.unsigned || intBits[info.dataType] < int(c.typ.Bits)) {
			return small(columnType(c.typ, c.key))
		}
	case classDecimal:
		if info.unsigned || info.precision-info.scale < digits {
			return small(fmt.Sprintf("decimal(%d,%d)", digits+info.scale, info.scale))
		}
	case classText:
		if info.length > 0 && info.length < digits+1 {
			return small(fmt.Sprintf("varchar(%d)", digits+1))
		}
	case classFloat:
		if digits > 10 || info.dataType == "float" {
			return small("bigint")
		}
	case classOther, classBytes, classDate, classDatetime, classTime, classJSON, classUUID, classBinUUID:
		return wrong()
	}
	return "", ""
}

func (p *tablePlan) checkDecimal(c *columnPlan, info *columnInfo, wrong func() (string, string), small func(string) (string, string)) (string, string) {
	whole, scale := int(c.typ.Precision-c.typ.Scale), int(c.typ.Scale)
	round := p.cfg.rounds(c.name)
	switch info.class {
	case classDecimal, classInt:
		if c.typ.Precision == 0 {
			return "", "" // of no known size: each value is checked
		}
		if info.unsigned || whole > info.precision-info.scale || scale > info.scale && !round {
			what, fix := small(fmt.Sprintf("decimal(%d,%d)", min(65, max(whole, info.precision-info.scale)+max(scale, info.scale)), max(scale, info.scale)))
			if what != "" && scale > info.scale {
				fix += ", or list the column under 'round'"
			}
			return what, fix
		}
	case classText:
	case classFloat:
		if !round {
			what, _ := wrong()
			return what + " exactly", "list the column under 'round', or run: " + info.alter(columnType(c.typ, c.key), "")
		}
	case classOther, classBytes, classDate, classDatetime, classTime, classJSON, classUUID, classBinUUID:
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

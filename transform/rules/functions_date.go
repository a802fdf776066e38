package rules

import (
	"fmt"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

func dateOf(day int64) schemas.Value { return schemas.Value{Kind: schemas.KindDate, Int: day} }

func compileToday(c *compiler, n *node) *code {
	return c.made(n, dateType, func(m *machine) schemas.Value {
		day := m.day()
		m.wakeAtDay(day + 1)
		v := dateOf(day)
		if m.trace != nil {
			m.trace.use("today", 0, "today()", v)
		}
		return v
	})
}

func compileDate(c *compiler, n *node) *code {
	x := c.compile(n.kids[0])
	if x.bad {
		return x
	}
	at := c.site(n)
	var convert func(m *machine, v schemas.Value) (int64, bool)
	switch x.typ.Kind {
	case schemas.KindDate, schemas.KindNull:
		return c.made(n, dateType, x.eval)
	case schemas.KindTimestamp:
		convert = func(_ *machine, v schemas.Value) (int64, bool) { return floorDiv(v.Int, dayUS), true }
	case schemas.KindTimestampTZ:
		convert = func(m *machine, v schemas.Value) (int64, bool) {
			return localDay(time.UnixMicro(v.Int), m.prog.zone), true
		}
	case schemas.KindInt:
		convert = func(_ *machine, v schemas.Value) (int64, bool) {
			return checkedDay(int(v.Int/10000), int(v.Int/100%100), int(v.Int%100))
		}
	case schemas.KindText, schemas.KindEnum:
		convert = func(_ *machine, v schemas.Value) (int64, bool) { return parseDate(string(trimSpace(v.Bytes))) }
	default:
		return c.bad(n.kids[0], fmt.Sprintf("%s is %s and has no date", c.snip(n.kids[0]), typeName(x.typ)), "use a timestamp, a text '2026-01-31' or a whole number 20260131")
	}
	number := x.typ.Kind == schemas.KindInt
	return c.made(n, dateType, func(m *machine) schemas.Value {
		v := x.eval(m)
		if v.Kind == schemas.KindNull || number && v.Int == 0 {
			return schemas.Null
		}
		if day, ok := convert(m, v); ok {
			return dateOf(day)
		}
		return m.fail(at, display(v)+" is no date", "correct it in the source; a date is a number 20260131 or a text '2026-01-31'")
	})
}

func compileYear(c *compiler, n *node) *code {
	return c.datePart(n, func(t time.Time) int { return t.Year() })
}

func compileMonth(c *compiler, n *node) *code {
	return c.datePart(n, func(t time.Time) int { return int(t.Month()) })
}

func compileDay(c *compiler, n *node) *code {
	return c.datePart(n, func(t time.Time) int { return t.Day() })
}

func (c *compiler) datePart(n *node, part func(t time.Time) int) *code {
	x := c.compile(n.kids[0])
	if x.bad {
		return x
	}
	if x.typ.Kind != schemas.KindDate && x.typ.Kind != schemas.KindNull {
		return c.bad(n.kids[0], fmt.Sprintf("%s is %s, a date is wanted", c.snip(n.kids[0]), typeName(x.typ)), fmt.Sprintf("write date(%s)", c.snip(n.kids[0])))
	}
	at := c.site(n)
	return c.made(n, intType, func(m *machine) schemas.Value {
		v := x.eval(m)
		if v.Kind == schemas.KindNull {
			return v
		}
		if future, past := openEnd(v); future || past {
			return m.failAs(fault.RulesArithmetic, at, fmt.Sprintf("date %s is without end and has no %s", display(v), n.name), "guard it with nullif(…)")
		}
		return schemas.Int(int64(part(time.Unix(v.Int*86400, 0).UTC())))
	})
}

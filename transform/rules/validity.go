package rules

import (
	"fmt"
	"time"

	"shelfstream/schemas"
)

// validity is a span in which a row counts: days with both ends included, instants and wall-clock times without the end. null is open.
type validity struct {
	from, to *code
}

// validity compiles `valid: [from, to]`; the row's scope is open.
func (c *compiler) validity(bounds []*expression) *validity {
	if bounds == nil {
		return nil
	}
	return &validity{from: c.bound(bounds[0], bounds[0].node), to: c.bound(bounds[1], bounds[1].node)}
}

// validityOf compiles `valid [from, to]` of an aggregate; the row's scope is open.
func (c *compiler) validityOf(bounds []*node) *validity {
	return &validity{from: c.bound(c.expr, bounds[0]), to: c.bound(c.expr, bounds[1])}
}

func (c *compiler) bound(e *expression, n *node) *code {
	defer func(old *expression) { c.expr = old }(c.expr)
	c.expr = e
	k := c.compile(n)
	if k.bad {
		return k
	}
	switch k.typ.Kind {
	case schemas.KindDate, schemas.KindTimestamp, schemas.KindTimestampTZ, schemas.KindNull:
		return k
	default:
	}
	snip := c.snip(n)
	fix := "use a date or timestamp"
	if k.typ.Kind == schemas.KindInt || k.typ.Kind == schemas.KindText {
		fix = fmt.Sprintf("write date(%s): it reads 20260131 (0 is null) and '2026-01-31'", snip)
	}
	return c.bad(n, fmt.Sprintf("%s is %s, a date or timestamp is wanted", snip, typeName(k.typ)), fix)
}

// holds says whether the row at hand counts now, and asks to be woken at its next boundary.
func (v *validity) holds(m *machine) bool {
	if !v.begun(m, v.from.eval(m)) {
		return false
	}
	return !v.over(m, v.to.eval(m))
}

func (v *validity) begun(m *machine, from schemas.Value) bool {
	if from.Kind == schemas.KindNull {
		return true
	}
	if from.Kind != schemas.KindTimestampTZ {
		if future, past := openEnd(from); future || past {
			return past
		}
	}
	if from.Kind == schemas.KindDate {
		m.wakeAtDay(from.Int)
		return from.Int <= m.day()
	}
	at := m.instant(from)
	m.wakeAt(at)
	return !at.After(m.in.Now)
}

func (v *validity) over(m *machine, to schemas.Value) bool {
	if to.Kind == schemas.KindNull {
		return false
	}
	if to.Kind != schemas.KindTimestampTZ {
		if future, past := openEnd(to); future || past {
			return past
		}
	}
	if to.Kind == schemas.KindDate {
		m.wakeAtDay(to.Int + 1)
		return to.Int < m.day()
	}
	at := m.instant(to)
	m.wakeAt(at)
	return !at.After(m.in.Now)
}

// instant is the instant of a timestamp; one without a zone is read in the pipeline's.
func (m *machine) instant(v schemas.Value) time.Time {
	if v.Kind == schemas.KindTimestampTZ {
		return time.UnixMicro(v.Int)
	}
	return wallInstant(v.Int, m.prog.zone)
}

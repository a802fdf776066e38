package rules

import (
	"fmt"
	"strings"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// maxScopes is how deep rows may stand inside rows: an aggregate inside a list is two.
const maxScopes = 6

// tri is a truth value of three.
type tri int8

const (
	no      tri = 0
	yes     tri = 1
	unknown tri = -1
)

func triOf(b bool) tri {
	if b {
		return yes
	}
	return no
}

// frame is the row at hand in one scope.
type frame struct {
	row []schemas.Value
	// index of the row in its source, for explain.
	index int
	// number is the row's place in a list that is being made, from 1.
	number int64
}

// machine runs a program over one input at a time. Its buffers are kept from one Eval to the next, so that the usual product allocates nothing.
type machine struct {
	prog   *Program
	in     *Input
	fields []schemas.Value
	frames [maxScopes]frame

	bytes  []byte          // made texts; earlier ones stay valid when it grows, as they keep the array they were made in
	values []schemas.Value // made records and lists, likewise
	// scratch is for one step of one function.
	scratch []byte
	temp    []schemas.Value // sort keys and values between evaluating and setting them; used as a stack
	index   []int           // row numbers being sorted; used as a stack

	today    int64
	hasToday bool
	wake     time.Time
	include  bool
	stays    bool // by a final rule
	rule     *rule
	fault    *fault.Fault
	trace    *tracer
}

func (m *machine) reset(in *Input) {
	m.in = in
	clear(m.fields)
	m.bytes, m.values, m.temp, m.index = m.bytes[:0], m.values[:0], m.temp[:0], m.index[:0]
	m.hasToday, m.wake, m.include, m.stays, m.rule, m.fault = false, time.Time{}, true, false, nil, nil
}

// day is today's date in the pipeline's zone. Reading it does not make the result depend on it: see wakeAtMidnight.
func (m *machine) day() int64 {
	if !m.hasToday {
		m.today, m.hasToday = localDay(m.in.Now, m.prog.zone), true
	}
	return m.today
}

// wakeAt asks for an evaluation at an instant, if that lies ahead.
func (m *machine) wakeAt(at time.Time) {
	if at.After(m.in.Now) && (m.wake.IsZero() || at.Before(m.wake)) {
		m.wake = at
	}
}

func (m *machine) wakeAtDay(day int64) {
	if day > m.day() && day < maxDay {
		m.wakeAt(startOfDay(day, m.prog.zone))
	}
}

// site is where in a rule file something can go wrong at run time.
type site struct {
	origin *origin
	pos    int
}

// fail stops the product with a reason. The first reason counts; what is computed after it is thrown away.
func (m *machine) fail(at site, what, fix string) schemas.Value {
	return m.failAs(fault.RulesValue, at, what, fix)
}

// failAs is fail with another cause than a bad value.
func (m *machine) failAs(cause fault.Cause, at site, what, fix string) schemas.Value {
	if m.fault == nil {
		name := ""
		if m.rule != nil {
			name = " rule " + m.rule.name
		}
		m.fault = &fault.Fault{Class: fault.Runtime, Cause: cause, Where: at.origin.where(at.pos) + name, What: what + " (" + m.product() + ")", Fix: fix}
	}
	return schemas.Null
}

// product names the product that is being evaluated: "product_no 4711".
func (m *machine) product() string {
	var parts []string
	for _, c := range m.prog.keyColumns {
		parts = append(parts, m.prog.env.Root.Columns[c].Name+" "+display(m.in.Root[c]))
	}
	return strings.Join(parts, ", ")
}

// display is a value as messages show it: text in quotes, at most 60 characters.
func display(v schemas.Value) string {
	s := v.String()
	if v.Kind == schemas.KindText || v.Kind == schemas.KindEnum {
		s = "'" + s + "'"
	}
	if r := []rune(s); len(r) > 60 {
		s = string(r[:59]) + "…"
	}
	return s
}

// failNumber is fail for an error of schemas' arithmetic on the given values.
func (m *machine) failNumber(at site, err error, op string, values ...schemas.Value) schemas.Value {
	shown := make([]string, len(values))
	for i, v := range values {
		shown[i] = display(v)
	}
	return m.failAs(fault.RulesArithmetic, at, fmt.Sprintf("%s: %s of %s", err, op, strings.Join(shown, " and ")), "correct the value in the source, or guard against it with if(…) or nullif(…)")
}

// made is the text that stands in the buffer from start to its end.
func (m *machine) made(start int) schemas.Value {
	return schemas.Value{Kind: schemas.KindText, Bytes: m.bytes[start:len(m.bytes):len(m.bytes)]}
}

// assign is a field and the expression that it is set to.
type assign struct {
	slot int
	code *code
	expr *expression
}

// assignAll evaluates all of a rule's expressions and then sets the fields, so that none sees another's new value.
func (m *machine) assignAll(as []assign) {
	base := len(m.temp)
	for i := range as {
		mark := m.trace.mark()
		v := as[i].code.eval(m)
		m.temp = append(m.temp, v)
		m.trace.step(m, as[i].slot, v, as[i].expr.origin.at(as[i].code.pos).line, mark)
	}
	for i := range as {
		m.fields[as[i].slot] = m.temp[base+i]
	}
	m.temp = m.temp[:base]
}

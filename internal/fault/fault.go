// Package fault holds the one form in which Shelfstream tells a person that something is wrong: what, where, and what to do about it.
package fault

import (
	"errors"
	"strings"
)

// Class sorts faults by who has to act and decides the exit code.
type Class uint8

const (
	// Runtime is a fault of the work itself: a bad row, a broken topic (exit code 1).
	Runtime Class = iota
	// Config is a fault in a file the user wrote (exit code 2).
	Config
	// Environment is a fault of a system outside: unreachable, missing privilege, wrong setting (exit code 3).
	Environment
)

// Fault is one thing that is wrong. It is an error; wrap it with %w and find it again with errors.As.
type Fault struct {
	Class Class
	// Cause is the entry of the catalogue; may be empty.
	Cause Cause
	// Where is the exact place: "moestue.yaml:12:7", "erp.product: table public.product", "moestue.product/3@1042", "sink shop: product 4711".
	Where string
	// What says what is wrong, in one sentence without a full stop.
	What string
	// Fix says what to do, ready to copy where it is a statement or a command. Empty only if nothing can be done.
	Fix string
	// Err is the cause, if there is one.
	Err error
}

// Error gives the fault on one line: "where: what (fix: …)".
func (f *Fault) Error() string {
	var b strings.Builder
	if f.Where != "" {
		b.WriteString(f.Where)
		b.WriteString(": ")
	}
	b.WriteString(f.What)
	if f.Err != nil {
		b.WriteString(": ")
		b.WriteString(f.Err.Error())
	}
	if f.Fix != "" {
		b.WriteString(" (fix: ")
		b.WriteString(f.Fix)
		b.WriteString(")")
	}
	return b.String()
}

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.Err }

// List is every fault found by one check; an empty list is no error.
type List []*Fault

// Add appends a fault.
func (l *List) Add(f *Fault) { *l = append(*l, f) }

// Error gives one fault a line.
func (l List) Error() string {
	s := make([]string, len(l))
	for i, f := range l {
		s[i] = f.Error()
	}
	return strings.Join(s, "\n")
}

// Err is nil for an empty list, and the list otherwise.
func (l List) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// Unwrap lets errors.As find the faults inside.
func (l List) Unwrap() []error {
	e := make([]error, len(l))
	for i, f := range l {
		e[i] = f
	}
	return e
}

// ExitCode is the process exit code for err: 0 none, 2 if any fault in it is Config, 3 if any is Environment, else 1.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	code := 1
	for _, f := range All(err) {
		switch f.Class {
		case Config:
			return 2
		case Environment:
			code = 3
		case Runtime:
		}
	}
	return code
}

// All lists the faults inside err, in order; none if err holds no fault.
func All(err error) List {
	var l List
	if errors.As(err, &l) {
		return l
	}
	var f *Fault
	if errors.As(err, &f) {
		return List{f}
	}
	return nil
}

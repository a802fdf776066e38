package main

import (
	"errors"

	"shelfstream/internal/fault"
)

// allFaults lists every fault in err, also those of errors that were joined, and what in it is no fault.
func allFaults(err error) (faults fault.List, others []error) {
	if err == nil {
		return nil, nil
	}
	switch e := err.(type) { //nolint:errorlint // each level is looked at by itself
	case *fault.Fault:
		return fault.List{e}, nil
	case fault.List:
		return e, nil
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			f, o := allFaults(inner)
			faults, others = append(faults, f...), append(others, o...)
		}
		return faults, others
	}
	if inner := errors.Unwrap(err); inner != nil {
		if f, _ := allFaults(inner); len(f) > 0 {
			return f, nil
		}
	}
	return nil, []error{err}
}

// asList makes one list of everything in errs; what is no fault becomes one of the environment at where.
func asList(where string, errs ...error) fault.List {
	faults, others := allFaults(errors.Join(errs...))
	for _, err := range others {
		faults.Add(&fault.Fault{Class: fault.Environment, Where: where, What: "cannot be looked at", Err: err})
	}
	return faults
}

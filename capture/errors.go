package capture

import (
	"errors"
	"fmt"

	"shelfstream/internal/fault"
)

// ErrPositionLost is what a Source's Run (or a fault of its Preflight) wraps when the place at which to go on is gone
// or belongs to another history: the slot was dropped or invalidated, the log was removed, the server is another one or
// went to another timeline. The runner then waits, in a state of that name, for a resnapshot request: changes may be
// missing, so it never goes on by itself.
var ErrPositionLost = errors.New("the position in the source's log is lost")

var (
	// errSignalled ends a session because an operator asked for something.
	errSignalled = errors.New("an operator's request came in")
	// errEnded is a Source that returned without an error though nobody ended it.
	errEnded = errors.New("the source ended by itself")
)

// protocolError is a Source that breaks the order of calls which Log demands: a fault of its program.
func protocolError(format string, args ...any) error {
	return fmt.Errorf("capture: source breaks its contract: "+format, args...)
}

// lostFault makes the fault that Status shows while the position is lost.
func lostFault(pipeline, source string, err error) *fault.Fault {
	var f *fault.Fault
	if errors.As(err, &f) && f.Fix != "" {
		return f
	}
	what := "the position in the source's log is lost; changes may be missing, so nothing is captured until every table is read again"
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.SourcePositionLost, Where: pipeline + "." + source, What: what,
		Fix: "shelfstream capture resnapshot -source " + source, Err: err,
	}
}

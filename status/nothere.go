package status

import "shelfstream/internal/fault"

// AdminPort is where faults of the admin port's own stand; who asked knows its address.
const AdminPort = "admin port"

// NotHere is the error of a question about a stage that another process runs: a *fault.Fault, and ErrNotFound too. kind is one of the Kind constants;
// name may be empty.
func NotHere(kind, name string) error {
	stage := kind
	if name != "" {
		stage += " " + name
	}
	return &notHere{&fault.Fault{
		Class: fault.Environment, Where: AdminPort, What: "this process does not run " + stage,
		Fix: "ask the process that runs " + stage + ": name its admin port with -admin host:port",
	}}
}

type notHere struct{ *fault.Fault }

// Is makes errors.Is(err, ErrNotFound) true.
func (n *notHere) Is(target error) bool { return target == ErrNotFound }

// Unwrap finds the fault.
func (n *notHere) Unwrap() error { return n.Fault }

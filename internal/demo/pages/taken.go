package pages

import "shelfstream/internal/fault"

// taken is the fault of an address that cannot be opened.
func taken(what, addr, flag string, err error) error {
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.AddressTaken, Where: "demo " + flag, What: what + "'s address " + addr + " cannot be opened", Err: err,
		Fix: "end the program that has it, or name another address; " + flag + " 127.0.0.1:0 takes any free port",
	}
}

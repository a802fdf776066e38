// Command testsum runs `go test` and says at the end what ran. The Makefile uses it:
//
//	testsum run -name unit -into FILE -- ./...     runs go test with the arguments after --, adds its counts to FILE
//	testsum show [-need A,B] FILE                  prints the counts of all runs in FILE, and which servers they used; fails if no
//	                                               test ran with a server whose name begins with A, or with B
//	testsum cover OUT PROFILE...                   merges coverage profiles into OUT, prints each package's share
//
// A test that is skipped counts as failed: in this project a missing server is a failure.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("say run, show or cover")
	}
	switch args[0] {
	case "run":
		f := flag.NewFlagSet("run", flag.ContinueOnError)
		name := f.String("name", "", "name of this run in the summary")
		into := f.String("into", "", "file that collects the counts of all runs")
		if err := f.Parse(args[1:]); err != nil {
			return err
		}
		if *name == "" || *into == "" {
			return errors.New("run: -name and -into are needed")
		}
		return runTests(*name, *into, f.Args())
	case "show":
		f := flag.NewFlagSet("show", flag.ContinueOnError)
		need := f.String("need", "", "comma-separated beginnings of the names of servers that must have been used")
		if err := f.Parse(args[1:]); err != nil {
			return err
		}
		if f.NArg() != 1 {
			return errors.New("show: say which file")
		}
		return show(os.Stdout, f.Arg(0), strings.FieldsFunc(*need, func(r rune) bool { return r == ',' }))
	case "cover":
		if len(args) < 3 {
			return errors.New("cover: say the output and at least one profile")
		}
		return mergeCover(os.Stdout, args[1], args[2:])
	default:
		return fmt.Errorf("unknown command %q", args[0])
	}
}

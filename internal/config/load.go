package config

import (
	"errors"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"shelfstream/internal/fault"
)

func valueOf(pointer any) reflect.Value { return reflect.ValueOf(pointer) }

// Load reads a configuration: defaults, then the file, then Validate. env looks up environment variables (os.LookupEnv).
//
// The error is a fault.List with every fault found. If the file is YAML at all the pipeline comes back beside the error,
// filled as far as it goes, so that a caller can check the connectors' sections too and report everything at once.
func Load(path string, env func(string) (string, bool)) (*Pipeline, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.List{unreadable(path, err)}
	}
	return Parse(path, data, env)
}

func unreadable(path string, err error) *fault.Fault {
	if errors.Is(err, fs.ErrNotExist) {
		return &fault.Fault{Class: fault.Config, Where: path, What: "there is no such configuration file", Fix: "name the file with -config, or in $SHELFSTREAM_CONFIG"}
	}
	return &fault.Fault{Class: fault.Config, Where: path, What: "the configuration cannot be read", Err: err, Fix: "name a file with -config, readable for the user that runs shelfstream"}
}

// Parse is Load for data that was read already; file names it in messages and is where relative paths start.
func Parse(file string, data []byte, env func(string) (string, bool)) (*Pipeline, error) {
	tree, f := parse(file, data)
	if f == nil {
		tree, f = unalias(file, tree)
	}
	if f != nil {
		return nil, fault.List{f}
	}
	e := &expander{file: file, env: env, originals: map[string]string{}}
	e.walk(tree, "")

	p := &Pipeline{File: file, root: tree, originals: e.originals}
	p.SetDefaults()
	p.collectSecrets(e.secrets)
	d := &decoder{file: file, faults: e.faults}
	d.value(tree, "", valueOf(p).Elem())
	faults := append(d.faults, p.Validate()...)
	p.finish(faults)
	return p, faults.Err()
}

// finish puts faults into the file's order, each place and sentence once, and hides secrets in them.
func (p *Pipeline) finish(faults fault.List) {
	for _, f := range faults {
		f.What, f.Fix = p.Redact(f.What), p.Redact(f.Fix)
	}
	SortFaults(faults)
}

// SortFaults sorts faults by file, line and column where they have them, keeping the order of the others.
func SortFaults(l fault.List) {
	slices.SortStableFunc(l, func(a, b *fault.Fault) int {
		fileA, lineA, columnA := splitPlace(a.Where)
		fileB, lineB, columnB := splitPlace(b.Where)
		if fileA != fileB {
			return strings.Compare(fileA, fileB)
		}
		if lineA != lineB {
			return lineA - lineB
		}
		return columnA - columnB
	})
}

func splitPlace(where string) (file string, line, column int) {
	parts := strings.Split(where, ":")
	if len(parts) < 3 {
		return where, 0, 0
	}
	line, errLine := strconv.Atoi(parts[len(parts)-2])
	column, errColumn := strconv.Atoi(parts[len(parts)-1])
	if errLine != nil || errColumn != nil {
		return where, 0, 0
	}
	return strings.Join(parts[:len(parts)-2], ":"), line, column
}

// loadZone finds a time zone by its IANA name; "Local" is refused, as it means another zone on each machine.
func loadZone(name string) (*time.Location, bool) {
	if name == "" || name == "Local" {
		return nil, false
	}
	zone, err := time.LoadLocation(name)
	return zone, err == nil
}

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

func appendResult(path string, r result) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	return errors.Join(err, f.Close())
}

// show prints a line for each run, then what the integration runs used, then the totals alone on a line. A server of need with which no
// test passed is an error.
func show(w io.Writer, path string, need []string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var total result
	servers := map[string]int{}
	in := bufio.NewScanner(f)
	for in.Scan() {
		var r result
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		fmt.Fprintf(w, "%s: %d passed\n", r.Name, r.Passed)
		total.Passed += r.Passed
		total.Failed += r.Failed
		total.Skipped += r.Skipped
		for s, n := range r.Servers {
			servers[s] += n
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	if len(servers) > 0 {
		var parts []string
		for _, s := range slices.SortedFunc(maps.Keys(servers), byKind) {
			parts = append(parts, fmt.Sprintf("%s: %d passed", s, servers[s]))
		}
		fmt.Fprintln(w, "integration ran with "+strings.Join(parts, "; "))
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", total.Passed, total.Failed, total.Skipped)
	for _, n := range need {
		tests := 0
		for s, count := range servers {
			if strings.HasPrefix(s, n) {
				tests += count
			}
		}
		if tests == 0 {
			return fmt.Errorf("no test passed with %s", n)
		}
	}
	return nil
}

// byKind puts the brokers before the databases.
func byKind(a, b string) int {
	ka, kb := 1, 1
	if brokerWord(a) != "" {
		ka = 0
	}
	if brokerWord(b) != "" {
		kb = 0
	}
	if ka != kb {
		return ka - kb
	}
	return -strings.Compare(a, b)
}

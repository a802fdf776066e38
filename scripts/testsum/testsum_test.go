package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const events = `{"Action":"run","Package":"shelfstream/a","Test":"TestOne"}
{"Action":"output","Package":"shelfstream/a","Test":"TestOne/kafka","Output":"fine\n"}
{"Action":"pass","Package":"shelfstream/a","Test":"TestOne/kafka"}
{"Action":"pass","Package":"shelfstream/a","Test":"TestOne/embedded"}
{"Action":"pass","Package":"shelfstream/a","Test":"TestOne"}
{"Action":"output","Package":"shelfstream/a","Test":"TestTwo","Output":"broken here\n"}
{"Action":"fail","Package":"shelfstream/a","Test":"TestTwo"}
{"Action":"output","Package":"shelfstream/a","Output":"FAIL\tshelfstream/a\t0.1s\n"}
{"Action":"fail","Package":"shelfstream/a"}
{"Action":"output","Package":"shelfstream/b","Test":"TestHangs","Output":"panic: timed out\n"}
{"Action":"output","Package":"shelfstream/b","Output":"PASS\n"}
{"Action":"fail","Package":"shelfstream/b"}
{"Action":"skip","Package":"shelfstream/c","Test":"TestSkipped"}
{"Action":"pass","Package":"shelfstream/c","Test":"TestDatabase"}
not json
`

func TestCountsLeavesAndShowsWhatFailed(t *testing.T) {
	var out bytes.Buffer
	ta := &tally{out: &out, output: map[test][]string{}, ended: map[test]string{}, printed: map[test]bool{}}
	if err := ta.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	r := ta.result("x", map[string][]string{
		"shelfstream/a": {"Apache Kafka 4.3.1", "embedded log", "PostgreSQL 15.18"},
		"shelfstream/c": {"PostgreSQL 15.18", "embedded log"},
	})
	if r.Passed != 3 || r.Failed != 1 || r.Skipped != 1 {
		t.Errorf("counts %+v", r)
	}
	if r.Servers["Apache Kafka 4.3.1"] != 1 || r.Servers["embedded log"] != 2 || r.Servers["PostgreSQL 15.18"] != 3 {
		t.Errorf("servers %v", r.Servers)
	}
	for _, want := range []string{"broken here", "FAIL\tshelfstream/a", "panic: timed out", "not json"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, &out)
		}
	}
	for _, no := range []string{"fine", "PASS"} {
		if strings.Contains(out.String(), no) {
			t.Errorf("output has %q:\n%s", no, &out)
		}
	}
}

func TestShowAddsUpTheRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sum")
	for _, r := range []result{
		{Name: "unit", Passed: 10},
		{Name: "integration on the embedded log", Passed: 4, Servers: map[string]int{"embedded log": 4, "MariaDB 10.11.19": 2}},
		{Name: "integration on Apache Kafka", Passed: 3, Servers: map[string]int{"Apache Kafka 4.3.1": 3, "MariaDB 10.11.19": 1}},
	} {
		if err := appendResult(path, r); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := show(&out, path, []string{"embedded log", "Apache Kafka"}); err != nil {
		t.Fatal(err)
	}
	if err := show(io.Discard, path, []string{"PostgreSQL"}); err == nil {
		t.Error("a needed server was not used, and show says nothing")
	}
	want := `unit: 10 passed
integration on the embedded log: 4 passed
integration on Apache Kafka: 3 passed
integration ran with embedded log: 4 passed; Apache Kafka 4.3.1: 3 passed; MariaDB 10.11.19: 3 passed
17 passed, 0 failed, 0 skipped
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestMergeCoverTakesTheBestOfEach(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	a := write("a", "mode: set\nx/a.go:1.2,3.4 2 0\nx/a.go:5.2,6.4 1 0\nshelfstream/scripts/b/b.go:1.1,2.2 1 0\n")
	b := write("b", "mode: count\nx/a.go:1.2,3.4 2 7\n")
	out := filepath.Join(dir, "out")
	var table bytes.Buffer
	if err := mergeCover(&table, out, []string{a, b}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if want := "mode: set\nshelfstream/scripts/b/b.go:1.1,2.2 1 0\nx/a.go:1.2,3.4 2 1\nx/a.go:5.2,6.4 1 0\n"; string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if want := "  66.7%  x\ncoverage: 66.7% of 3 statements\n"; table.String() != want {
		t.Errorf("got %q, want %q", &table, want)
	}
}

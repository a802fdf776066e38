package rules

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const rulesDoc = "../RULES.md"

// kindFile is one of testdata/kinds: a rule kind of an integration with its cases.
type kindFile struct {
	number                             int
	file, title, belongs, reason, text string
	syntax                             string
	// notBuilt says what of a whole kind is missing; empty where it is there.
	notBuilt string
	// elsewhere are the edge cases that no rule can decide, with who does; notYet those that nothing decides yet, with what there is.
	elsewhere, notYet [][2]string
	cases             []kindCase
}

// kindCase is one `== case` or `== edge`.
type kindCase struct {
	name, text string
	edge       bool
	// example is the case up to its first result.
	example string
}

var kindHeader = regexp.MustCompile(`^# kind (\d+): (.+)$`)

func readKind(t *testing.T, name string) kindFile {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	k := kindFile{file: filepath.Base(name)}
	head, rest, _ := strings.Cut(string(b), "\n== ")
	var prose []string
	for i, line := range strings.Split(strings.TrimSpace(head), "\n") {
		key, value, _ := strings.Cut(strings.TrimPrefix(line, "# "), ": ")
		m := kindHeader.FindStringSubmatch(line)
		switch {
		case i == 0 && m != nil:
			k.number, _ = strconv.Atoi(m[1])
			k.title = m[2]
		case !strings.HasPrefix(line, "#"):
			prose = append(prose, line)
		case key == "belongs to":
			k.belongs = value
		case key == "syntax":
			k.syntax = value
		case key == "reason":
			k.reason = value
		case key == "not built":
			k.notBuilt = value
		case key == "elsewhere", key == "not yet":
			// An edge's name may hold ": " itself; EDGES says where it ends.
			edge, why, ok := cutEdge(t, k.number, value)
			if !ok {
				t.Errorf("%s: %q is none of its edge cases, or has no reason", k.file, value)
			}
			if key == "not yet" {
				k.notYet = append(k.notYet, [2]string{edge, why})
			} else {
				k.elsewhere = append(k.elsewhere, [2]string{edge, why})
			}
		default:
			t.Errorf("%s: unknown line %q", k.file, line)
		}
	}
	k.text = strings.Join(prose, "\n")
	k.cases = readCases(rest)
	return k
}

func readCases(text string) []kindCase {
	if text == "" {
		return nil
	}
	var out []kindCase
	done := false
	for s := range strings.SplitSeq(text, "\n== ") {
		header, body, _ := strings.Cut(s, "\n")
		word, name, _ := strings.Cut(header, " ")
		if word == "case" || word == "edge" {
			out = append(out, kindCase{name: name, edge: word == "edge", text: strings.TrimSpace(body)})
			done = false
			continue
		}
		if c := &out[len(out)-1]; !done {
			c.example += "== " + header + "\n" + strings.TrimRight(body, "\n") + "\n"
			done = word == "at"
		}
	}
	return out
}

// edges are the edge cases of a kind as DOMAIN.md 3.3 names them, in testdata/kinds/EDGES.
func edges(t *testing.T) map[int][]string {
	t.Helper()
	b, err := os.ReadFile("testdata/kinds/EDGES")
	if err != nil {
		t.Fatal(err)
	}
	out := map[int][]string{}
	for line := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n") {
		number, list, _ := strings.Cut(line, ": ")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		out[n] = strings.Split(list, " | ")
	}
	return out
}

func cutEdge(t *testing.T, number int, s string) (edge, why string, ok bool) {
	t.Helper()
	for _, e := range edges(t)[number] {
		if rest, found := strings.CutPrefix(s, e+": "); found && rest != "" {
			return e, rest, true
		}
	}
	return "", "", false
}

func readKinds(t *testing.T) []kindFile {
	t.Helper()
	files, err := filepath.Glob("testdata/kinds/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []kindFile
	for _, f := range files {
		out = append(out, readKind(t, f))
	}
	return out
}

// TestEveryKindAndEdgeHasACase: 42 kinds, each edge case with a golden case, with the place that decides it, or named as not there yet.
func TestEveryKindAndEdgeHasACase(t *testing.T) {
	kinds, wanted := readKinds(t), edges(t)
	if len(kinds) != 42 || len(wanted) != 42 {
		t.Fatalf("%d files and %d lines of EDGES, want 42", len(kinds), len(wanted))
	}
	for i, k := range kinds {
		if k.number != i+1 || !strings.HasPrefix(k.file, fmt.Sprintf("%02d_", k.number)) {
			t.Errorf("%s holds kind %d, want %d", k.file, k.number, i+1)
		}
		if !slices.Contains([]string{"rules", "engine", "source", "sink"}, k.belongs) || (k.belongs == "rules") != (k.reason == "") || (k.belongs == "rules") != (k.syntax != "") {
			t.Errorf("%s belongs to %q; rules have a syntax, the others a reason", k.file, k.belongs)
		}
		var have []string
		for _, c := range k.cases {
			if c.edge {
				have = append(have, c.name)
			}
		}
		for _, e := range slices.Concat(k.elsewhere, k.notYet) {
			have = append(have, e[0])
		}
		want := slices.Clone(wanted[k.number])
		slices.Sort(have)
		slices.Sort(want)
		if !slices.Equal(have, want) {
			t.Errorf("%s:\nhas  %q\nwant %q", k.file, have, want)
		}
	}
}

// TestRulesDocIsCurrent compares transform/RULES.md with what the cases and tables give.
func TestRulesDocIsCurrent(t *testing.T) {
	want := []byte(rulesDocument(readKinds(t)))
	if *update {
		if err := os.WriteFile(rulesDoc, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(rulesDoc)
	if err != nil || !bytes.Equal(have, want) {
		t.Errorf("%s is not what the cases give (%v): run go test ./transform/rules -update", rulesDoc, err)
	}
}

func rulesDocument(kinds []kindFile) string {
	var b strings.Builder
	b.WriteString("# Rules\n\n" +
		"Made by `go test ./transform/rules -update` from the cases in `transform/rules/testdata/kinds` and the tables of kinds and functions; do not edit it.\n" +
		"The language itself is described in `transform/rules/doc.go`; editors find its JSON Schema in `transform/rules/" + schemaFile + "`.\n\n" +
		"1. [What an integration needs](#what-an-integration-needs): " + census(kinds) + "\n" +
		"2. [What a rule can do](#what-a-rule-can-do): the words of rule files\n" +
		"3. [Functions](#functions)\n\n## What an integration needs\n\n" +
		"| | kind | belongs to | edge cases |\n|---|---|---|---|\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "| %d | [%s](#%s) | %s | %s |\n", k.number, k.title, anchor(k), k.owner(), k.count())
	}
	for _, k := range kinds {
		k.write(&b)
	}
	b.WriteString("\n## What a rule can do\n\n" + KindDoc() + "\n## Functions\n\n" + Doc())
	return b.String()
}

// census says how many kinds there are, and whose.
func census(kinds []kindFile) string {
	n := map[string]int{}
	for i := range kinds {
		n[kinds[i].owner()]++
	}
	var parts []string
	for _, o := range []struct{ owner, words string }{
		{"rules", "%d are written as rules"},
		{"engine", "%d belong to the engine"},
		{"source", "%d to a source"},
		{"sink", "%d to a sink"},
		{"sink, not built", "%d to a sink that is not built"},
		{"source, not built", "%d to a source that is not built"},
	} {
		if n[o.owner] > 0 {
			parts = append(parts, fmt.Sprintf(o.words, n[o.owner]))
		}
	}
	return fmt.Sprintf("%d kinds, with examples and edge cases. %s. What is not there yet is named as such.", len(kinds), strings.Join(parts, ", "))
}

// owner is whose the kind is.
func (k *kindFile) owner() string {
	if k.notBuilt != "" {
		return k.belongs + ", not built"
	}
	return k.belongs
}

// count says where its edge cases are decided.
func (k *kindFile) count() string {
	s := fmt.Sprintf("%d in rules, %d elsewhere", k.edges(), len(k.elsewhere))
	if len(k.notYet) > 0 {
		s += fmt.Sprintf(", %d not yet", len(k.notYet))
	}
	return s
}

func (k *kindFile) edges() int {
	n := 0
	for _, c := range k.cases {
		if c.edge {
			n++
		}
	}
	return n
}

// anchor is how GitHub links to a heading.
func anchor(k kindFile) string {
	s := regexp.MustCompile(`[^\p{L}\p{N} -]`).ReplaceAllString(strings.ToLower(fmt.Sprintf("%d. %s", k.number, k.title)), "")
	return strings.ReplaceAll(s, " ", "-")
}

func (k *kindFile) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %d. %s\n\n", k.number, k.title)
	if k.text != "" {
		b.WriteString(k.text + "\n\n")
	}
	if k.belongs == "rules" {
		fmt.Fprintf(b, "Syntax: `%s`\n", strings.ReplaceAll(k.syntax, "`", "'"))
	} else {
		fmt.Fprintf(b, "It belongs to the %s: %s.\n", k.belongs, k.reason)
	}
	if k.notBuilt != "" {
		fmt.Fprintf(b, "\n**Not built yet**: %s.\n", k.notBuilt)
	}
	if len(k.cases) > 0 {
		fmt.Fprintf(b, "\n%s (`%s`):\n\n```\n%s```\n", upperFirst(k.cases[0].name), k.file, k.cases[0].example)
	}
	b.WriteString("\nEdge cases:\n\n")
	for _, c := range k.cases {
		if !c.edge {
			continue
		}
		b.WriteString("- **" + c.name + "**")
		if c.text != "" {
			b.WriteString(": " + strings.ReplaceAll(c.text, "\n", " "))
		}
		b.WriteByte('\n')
	}
	for _, e := range k.elsewhere {
		fmt.Fprintf(b, "- **%s** (elsewhere): %s.\n", e[0], e[1])
	}
	for _, e := range k.notYet {
		fmt.Fprintf(b, "- **%s** (not yet): %s.\n", e[0], e[1])
	}
}

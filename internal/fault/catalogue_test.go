package fault

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write CAUSES.md")

var severities = []string{Critical, Error, Warning}

var causeForm = regexp.MustCompile(`^[a-z]+\.[a-z_]+$`)

func TestEntriesAreWhole(t *testing.T) {
	seen := map[Cause]bool{}
	for _, e := range known() {
		if seen[e.Cause] {
			t.Errorf("%s is there twice", e.Cause)
		}
		seen[e.Cause] = true
		if !causeForm.MatchString(string(e.Cause)) || len(e.Cause) > 64 || e.System == "" || e.Title == "" || e.Cure == "" || e.Kind == "" || !slices.Contains(severities, e.Severity) {
			t.Errorf("%+v is not whole", e)
		}
	}
	for _, c := range unplayed {
		if !seen[c] {
			t.Errorf("%s is unplayed, and no entry", c)
		}
	}
}

const dialogues = "../../cmd/shelfstream/testdata/faults/systems/*.txt"

var printedCause = regexp.MustCompile(`(?m)^ +cause: (.*)$`)

// played finds the causes that a dialogue prints, and of them those that are gone at a later step.
func played(dialogue string) (printed, cured map[string]bool) {
	printed, cured = map[string]bool{}, map[string]bool{}
	_, steps, _ := strings.Cut(dialogue, "-- dialogue --\n")
	// A step is a line without indentation and what it prints.
	for _, step := range regexp.MustCompile(`(?m)^\S.*\n(?:(?: .*)?\n)*`).FindAllString(steps, -1) {
		now := map[string]bool{}
		for _, m := range printedCause.FindAllStringSubmatch(step, -1) {
			for c := range strings.SplitSeq(m[1], ", ") {
				now[c], printed[c] = true, true
				delete(cured, c)
			}
		}
		_, shown, _ := strings.Cut(step, "\n")
		looks := regexp.MustCompile(`^(faults|shop|ready)\?|^\$\? parked|^\$\?? alerts test`).MatchString(step)
		for c := range printed {
			if looks && !now[c] && strings.TrimSpace(shown) != "" {
				cured[c] = true
			}
		}
	}
	return printed, cured
}

func TestEveryEntryHasADialogue(t *testing.T) {
	paths, err := filepath.Glob(dialogues)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	in := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		printed, cured := played(string(text))
		for c := range printed {
			if _, ok := Lookup(Cause(c)); !ok {
				t.Errorf("%s prints %s, which is no entry", filepath.Base(path), c)
			}
			if cured[c] {
				in[c] = filepath.Base(path)
			}
		}
	}
	for _, e := range Catalogue() {
		if in[string(e.Cause)] == "" {
			t.Errorf("no dialogue prints %s and shows the cure after it", e.Cause)
		}
	}
	for _, c := range unplayed {
		if by := in[string(c)]; by != "" {
			t.Errorf("%s is played by %s: it is unplayed no more", c, by)
		}
	}
}

// TestACureIsSeen shows what counts as one.
func TestACureIsSeen(t *testing.T) {
	fault := "-- dialogue --\nfaults? sink shop\n    retrying\n        cause: mysql.login\n"
	for after, want := range map[string]bool{
		"":                              false,
		"$ stop\n":                      false,
		"shop> ALTER USER x\n":          false,
		"faults? sink shop\n    live\n": true,
		"shop? SELECT 1\n    1\n":       true,
		"$ alerts test -to x\n    x\n":  true,
		"faults? sink shop\n    retrying\n        cause: mysql.login\n": false,
	} {
		if _, cured := played(fault + after); cured["mysql.login"] != want {
			t.Errorf("%q: cured %v", after, !want)
		}
	}
}

// TestCausesFile holds CAUSES.md against the catalogue; -update writes it.
func TestCausesFile(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Causes\n\nMade from the catalogue by `go test ./internal/fault -update`. Each was produced in the real system, and its text followed to the cure, by a dialogue in `cmd/shelfstream/testdata/faults/systems`.\n\n")
	b.WriteString("| cause | what | kind | severity | cure | command |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, e := range Catalogue() {
		command := ""
		if e.Command != "" {
			command = "`" + e.Command + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", e.Cause, e.Title, e.Kind, e.Severity, strings.ReplaceAll(e.Cure, "|", `\|`), strings.ReplaceAll(command, "|", `\|`))
	}
	if *update {
		if err := os.WriteFile("CAUSES.md", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("CAUSES.md")
	if err != nil || string(have) != b.String() {
		t.Errorf("CAUSES.md is stale: go test ./internal/fault -update (%v)", err)
	}
}

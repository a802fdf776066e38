package standard_test

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"shelfstream/transform/casefile"
)

var update = flag.Bool("update", false, "rewrite what the cases expect")

func caseFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("cases/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	return files
}

// TestCases runs the standard layers' cases: each must hold, and each rule of each layer must be covered.
func TestCases(t *testing.T) {
	report, err := casefile.Run(caseFiles(t), casefile.Options{Update: *update})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := report.Write(&b); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + b.String())
	if len(report.Failures) > 0 && !*update || report.Percent() < 100 {
		t.Error("cases fail, or rules are not covered")
	}
}

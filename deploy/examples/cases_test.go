package examples_test

import (
	"path/filepath"
	"testing"

	"shelfstream/transform/casefile"
)

// TestCases runs the golden cases of the examples' rules, as `shelfstream test` does.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("*/*.cases.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no case files: %v", err)
	}
	report, err := casefile.Run(files, casefile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range report.Failures {
		t.Error(report.Failures[i].String())
	}
	if report.Cases < 3 {
		t.Errorf("only %d cases ran", report.Cases)
	}
}

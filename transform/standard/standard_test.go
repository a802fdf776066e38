package standard_test

import (
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/transform/casefile"
	"shelfstream/transform/standard"
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

// TestFiles: every layer has the example of a configuration and the shapes of its tables, and what is not there is told with what is.
func TestFiles(t *testing.T) {
	names := standard.List()
	for _, want := range []string{"navision", "navision/most_specific", "order", "sap", "visma_business", "visma_business/most_specific", "visma_global"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not in %v", want, names)
		}
	}
	for _, name := range names {
		s, err := standard.Layer(name)
		if err != nil || s.Name != "standard:"+name || s.Layer != "standard" || len(s.Data) == 0 {
			t.Errorf("%s: %v %v", name, s, err)
		}
		if strings.Contains(name, "/") {
			continue
		}
		conf, err := standard.Pipeline(name)
		if err != nil || !strings.Contains(string(conf), "- standard:"+name+"\n") {
			t.Errorf("%s: the example of a configuration: %v", name, err)
		}
		if _, err := standard.Tables(name); err != nil {
			t.Error(err)
		}
	}
	_, err := standard.Layer("visma")
	if l := fault.All(err); len(l) != 1 || l[0].Class != fault.Config || !strings.Contains(l[0].Fix, "standard:visma_business, ") {
		t.Error(err)
	}
}

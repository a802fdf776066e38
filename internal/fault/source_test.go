package fault

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// answers are files whose faults answer somebody's command or are the tests' own: nothing groups them.
var answers = []string{
	"internal/testenv/", "internal/demo/", "internal/e2e/", "internal/config/", "capture/capturetest/", "sink/sinktest/",
	"transform/casefile/", "transform/standard/", "transform/explain.go", "transform/explainstate.go", "transform/nearkeys.go", "transform/inspect.go",
	"transform/plan.go", "transform/planrules.go", "transform/parkedops.go", "sink/rewind.go", "status/nothere.go", "status/report.go", "status/web/", "sink/mysql/parked.go", "sink/mysql/listparked.go",
	"cmd/shelfstream/adminclient.go", "cmd/shelfstream/parkedask.go", "cmd/shelfstream/parkedread.go", "cmd/shelfstream/missing.go", "cmd/shelfstream/faults.go",
	"cmd/shelfstream/plan.go", "cmd/shelfstream/planrequest.go", "cmd/shelfstream/demoworld.go",
}

// TestRunTimeFaultsHaveACause reads the source: a fault of the class Environment or Runtime (which is also the class of one that names none) is made with a
// cause.
func TestRunTimeFaultsHaveACause(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata" || d.Name() == "bin" || d.Name() == "scratch") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		for _, a := range answers {
			if strings.HasPrefix(name, a) {
				return nil
			}
		}
		found, without, err := faultsIn(path, nil)
		seen += found
		for _, at := range without {
			t.Errorf("%s makes a fault of the run time without a Cause", at)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 80 {
		t.Errorf("%d faults were found: the search is broken", seen)
	}
}

// TestTheSearchFindsOne holds the search itself.
func TestTheSearchFindsOne(t *testing.T) {
	const src = `package x
import "shelfstream/internal/fault"
var a = &fault.Fault{Class: fault.Environment, What: "x"}
var b = fault.List{{What: "x"}}
var c = &fault.Fault{Class: fault.Runtime, Cause: "", What: "x"}
var d = &fault.Fault{Class: fault.Config, What: "x"}
var e = &fault.Fault{Cause: fault.DiskFull, What: "x"}
`
	found, without, err := faultsIn("x.go", []byte(src))
	if err != nil || found != 4 || len(without) != 3 {
		t.Errorf("%d found, %v without, %v", found, without, err)
	}
}

// faultsIn counts the literals of run-time faults in a file, and gives the places of those without a cause.
func faultsIn(path string, src []byte) (found int, without []string, err error) {
	fset := token.NewFileSet()
	var from any
	if src != nil {
		from = src
	}
	file, err := parser.ParseFile(fset, path, from, parser.SkipObjectResolution)
	if err != nil {
		return 0, nil, err
	}
	look := func(l *ast.CompositeLit) {
		class, cause := "Runtime", ""
		for _, e := range l.Elts {
			kv, ok := e.(*ast.KeyValueExpr)
			if !ok {
				continue
			}
			switch key, _ := kv.Key.(*ast.Ident); {
			case key == nil:
			case key.Name == "Class":
				class = "unknown"
				if s, ok := kv.Value.(*ast.SelectorExpr); ok {
					class = s.Sel.Name
				}
			case key.Name == "Cause":
				cause = "given"
				if b, ok := kv.Value.(*ast.BasicLit); ok && b.Value == `""` {
					cause = ""
				}
			}
		}
		if class == "Config" {
			return
		}
		found++
		if cause == "" {
			without = append(without, fset.Position(l.Pos()).String())
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		l, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		switch s, _ := l.Type.(*ast.SelectorExpr); {
		case s == nil:
		case s.Sel.Name == "Fault":
			look(l)
		case s.Sel.Name == "List":
			for _, e := range l.Elts {
				if inner, ok := e.(*ast.CompositeLit); ok && inner.Type == nil {
					look(inner)
				}
			}
		}
		return true
	})
	return found, without, nil
}

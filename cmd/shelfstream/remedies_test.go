package main

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	commandLine = regexp.MustCompile("shelfstream ([^`'\";,)]+)")
	verb        = regexp.MustCompile(`%[-+#0-9.]*[a-z]`)
	// prose are words that follow the program's name where it is no command line.
	prose = []string{"is", "uses", "pipeline", "rules", "itself", "keeps", "writes", "that", "and", "to", "or", "runs", "has", "test", "stops", "had", "have", "wrote", "started", "ended", "ended:"}
)

// TestEveryCommandLineInATextParses: what a remedy, or any other text of the program, tells people to type must be there: the command, and each flag.
func TestEveryCommandLineInATextParses(t *testing.T) {
	lines := commandLinesOfTheTree(t)
	if len(lines) < 20 {
		t.Fatalf("only %d command lines were found", len(lines))
	}
	for _, l := range lines {
		if why := unparsable(l.text); why != "" {
			t.Errorf("%s: shelfstream %s: %s", l.where, l.text, why)
		}
	}
	for text, wrong := range map[string]bool{
		"replay shop -to beginning -prune, which":    false,
		"replay shop -from beginning":                true,
		"replay of the view writes all of them anew": true,
		"resnapshot": true,
		"capture resnapshot -source erp -table x":          false,
		"capture resnapshot -tables x":                     true,
		"held apply product removals -why …":               false,
		"held apply product removals":                      true,
		"held list product":                                false,
		"parked skip product 17":                           true,
		"replay view/product -view product -to 1h -prune":  false,
		"check -connect, which names the statement; it":    false,
		"keeps a webshop equal to the ERP":                 false,
		"explain product 4711":                             false,
		"config schema > shelfstream.schema.json":          false,
		"rules print standard:visma_business, or so":       false,
		"config print":                                     true,
		"status shows whether the view has caught up, and": false,
	} {
		if got := unparsable(text); (got != "") != wrong {
			t.Errorf("%q: %q", text, got)
		}
	}
}

type textLine struct{ where, text string }

func commandLinesOfTheTree(t *testing.T) []textLine {
	t.Helper()
	var out []textLine
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			if d != nil && d.IsDir() && err == nil {
				return filepath.SkipDir
			}
			return err
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range commandLine.FindAllStringSubmatch(text, -1) {
				line, _, _ := strings.Cut(m[1], "\n")
				out = append(out, textLine{files.Position(lit.Pos()).String(), line})
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// unparsable says what is wrong with a command line in a text; the text may go on in prose behind it.
func unparsable(text string) string {
	text, _, _ = strings.Cut(text, ",")
	words := strings.Fields(verb.ReplaceAllString(text, "1"))
	if len(words) == 0 || slices.Contains(prose, words[0]) && !strings.HasPrefix(text, "rules print") || !regexp.MustCompile(`^[a-z]`).MatchString(words[0]) {
		return ""
	}
	if words[0] == "help" {
		return ""
	}
	c, rest, err := find(words)
	if err != nil {
		return err.Error()
	}
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	c.setup(newShell(nil).program, flags)
	given := map[string]bool{}
	for i := 0; i < len(rest); i++ {
		name, ok := strings.CutPrefix(strings.TrimRight(rest[i], "."), "-")
		if !ok {
			continue
		}
		f := flags.Lookup(name)
		if f == nil {
			return "there is no flag -" + name
		}
		given[name] = true
		if b, ok := f.Value.(interface{ IsBoolFlag() bool }); !ok || !b.IsBoolFlag() {
			i++ // its value, or what the program puts there
		}
	}
	for name, wanted := range map[string]string{"replay": "to", "held apply": "why", "parked skip": "why"} {
		if c.name == name && !given[wanted] {
			return name + " wants -" + wanted
		}
	}
	return ""
}

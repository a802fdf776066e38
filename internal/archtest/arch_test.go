package archtest

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "shelfstream"

// source is one Go file's head.
type goFile struct {
	path    string // slash-separated, from the repository's root
	folder  string
	pkg     string
	test    bool
	imports []string
}

func root(t *testing.T) string {
	t.Helper()
	d, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(d, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return d
}

// walk calls fn with every file of the repository that is the project's own.
func walk(t *testing.T, fn func(rel string)) {
	t.Helper()
	top := root(t)
	err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if slices.Contains([]string{".git", "bin", "dist", "data", "run", "node_modules"}, rel) {
				return filepath.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() && rel != ".git" { // a file in a worktree
			fn(rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func goFiles(t *testing.T) []goFile {
	t.Helper()
	var out []goFile
	top := root(t)
	walk(t, func(rel string) {
		if !strings.HasSuffix(rel, ".go") || strings.Contains(rel, "/testdata/") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(top, filepath.FromSlash(rel)), nil, parser.ImportsOnly)
		if err != nil {
			t.Errorf("%s: %v", rel, err)
			return
		}
		g := goFile{path: rel, folder: path.Dir(rel), pkg: f.Name.Name, test: strings.HasSuffix(rel, "_test.go")}
		for _, i := range f.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			g.imports = append(g.imports, name)
		}
		out = append(out, g)
	})
	return out
}

// entry is the table's line for a folder: the longest path that is the folder or above it.
func entry(dir string) (folder, bool) {
	var best folder
	for _, f := range table {
		if below(dir, f.path) && len(f.path) > len(best.path) {
			best = f
		}
	}
	return best, best.path != ""
}

func below(dir, top string) bool { return dir == top || strings.HasPrefix(dir, top+"/") }

// importFaults lists what is wrong with the imports of one file.
func importFaults(g goFile) []string {
	var out []string
	self, ok := entry(g.folder)
	if !ok {
		return []string{"the folder " + g.folder + " is not in the import table of internal/archtest"}
	}
	for _, name := range g.imports {
		if own, ok := strings.CutPrefix(name, module+"/"); ok {
			allowed := self.own
			if g.test {
				allowed = slices.Concat(self.own, self.tests)
			}
			target, _ := entry(own)
			same := target.path == self.path
			if !same && !slices.Contains(allowed, "*") && !slices.Contains(allowed, own) {
				out = append(out, self.path+" may not import "+own)
			}
			continue
		}
		if g.test {
			continue
		}
		for _, r := range reserved {
			if slices.ContainsFunc(r.modules, func(m string) bool { return strings.HasPrefix(name, m) }) && !slices.ContainsFunc(r.folders, func(f string) bool {
				if top, only := strings.CutSuffix(f, "/"); only {
					return strings.HasPrefix(g.folder, f) && g.folder != top
				}
				return below(g.folder, f)
			}) {
				out = append(out, g.folder+" may not import "+name+": "+r.why)
			}
		}
	}
	return out
}

func TestImportsFollowTheTable(t *testing.T) {
	files := goFiles(t)
	if len(files) < 10 {
		t.Fatalf("only %d Go files found; is the walk right?", len(files))
	}
	for _, g := range files {
		for _, f := range importFaults(g) {
			t.Errorf("%s: %s", g.path, f)
		}
	}
}

func TestTheTableRefusesWhatItShould(t *testing.T) {
	for _, tc := range []struct {
		g       goFile
		refused bool
	}{
		{goFile{folder: "capture", imports: []string{"shelfstream/sink"}}, true},
		{goFile{folder: "transform", imports: []string{"shelfstream/capture"}}, true},
		{goFile{folder: "transform", test: true, imports: []string{"shelfstream/capture"}}, true},
		{goFile{folder: "schemas", imports: []string{"shelfstream/internal/fault"}}, true},
		{goFile{folder: "capture/postgres", imports: []string{"shelfstream/capture/mysql"}}, true},
		{goFile{folder: "sink/mysql", imports: []string{"shelfstream/internal/kafka"}}, true},
		{goFile{folder: "sink", imports: []string{"github.com/go-sql-driver/mysql"}}, true},
		{goFile{folder: "transform", imports: []string{"database/sql"}}, true},
		{goFile{folder: "capture", imports: []string{"github.com/segmentio/kafka-go"}}, true},
		{goFile{folder: "sink", imports: []string{"github.com/cockroachdb/pebble/v2"}}, true},
		{goFile{folder: "sink/mysql", imports: []string{"shelfstream/sink/table/tabletest"}}, true},
		{goFile{folder: "sink/table", imports: []string{"shelfstream/sink/table/tabletest"}}, true},
		{goFile{folder: "internal/new", imports: nil}, true},
		{goFile{folder: "capture/postgres", imports: []string{"shelfstream/capture", "github.com/jackc/pglogrepl"}}, false},
		{goFile{folder: "sink/mysql", test: true, imports: []string{"shelfstream/sink/table/tabletest"}}, false},
		{goFile{folder: "capture", test: true, imports: []string{"shelfstream/internal/testenv", "github.com/jackc/pgx/v5"}}, false},
		{goFile{folder: "transform/rules/inner", imports: []string{"shelfstream/transform/rules"}}, false},
		{goFile{folder: "cmd/shelfstream", imports: []string{"shelfstream/sink/mysql", "shelfstream/capture"}}, false},
	} {
		if got := importFaults(tc.g); (len(got) > 0) != tc.refused {
			t.Errorf("%s importing %v: %v, want refused: %v", tc.g.folder, tc.g.imports, got, tc.refused)
		}
	}
}

func TestNamesSayWhatIsInside(t *testing.T) {
	for _, g := range goFiles(t) {
		for _, n := range append(strings.Split(g.folder, "/"), g.pkg) {
			if slices.Contains(noNames, n) {
				t.Errorf("%s: %q says nothing of what is inside", g.path, n)
			}
		}
	}
}

func TestFilesAreOfOneIdea(t *testing.T) {
	top := root(t)
	for _, g := range goFiles(t) {
		b, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(g.path)))
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(b, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, more than %d: split it", g.path, n, maxLines)
		}
	}
}

// places are directories that exist on somebody's machine only. The parts are joined here so that this file does not match itself.
var places = regexp.MustCompile(`(^|[\s"'=:(` + "`" + `])(/ro` + `ot/|/ho` + `me/\w|/wo` + `rk/|/Us` + `ers/\w|/t` + `mp/\w|/mnt/c/|[A-Z]:\\\\?Us` + `ers)`)

func TestNoMachinePaths(t *testing.T) {
	top := root(t)
	walk(t, func(rel string) {
		b, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(rel)))
		if err != nil {
			if os.IsNotExist(err) {
				return // somebody's temporary file
			}
			t.Fatal(err)
		}
		if bytes.IndexByte(b[:min(len(b), 8000)], 0) >= 0 {
			return // not text
		}
		for i, line := range strings.Split(string(b), "\n") {
			if m := places.FindString(line); m != "" {
				t.Errorf("%s:%d: a path of one machine: %s", rel, i+1, strings.TrimSpace(line))
			}
		}
	})
}

func TestMachinePathsAreSeen(t *testing.T) {
	for line, want := range map[string]bool{
		`dir = "/ho` + `me/kari/x"`:      true,
		`cd /wo` + `rk/main`:             true,
		`FROM /t` + `mp/a`:               true,
		`/usr/lib/postgresql/*/bin`:      false,
		`https://example.com/wo` + `rk/`: false,
	} {
		if places.MatchString(line) != want {
			t.Errorf("%q: want %v", line, want)
		}
	}
}

package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
)

var update = flag.Bool("update", false, "rewrite the golden cases")

// goldenCase is one file: a title, then sections "-- name --".
type goldenCase struct {
	title    string
	sections map[string]string
}

func readCase(t *testing.T, path string) goldenCase {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, name := goldenCase{sections: map[string]string{}}, ""
	for line := range strings.Lines(string(data)) {
		if s, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok && strings.HasSuffix(s, " --") {
			name = strings.TrimSuffix(s, " --")
			continue
		}
		if name == "" {
			c.title += line
		} else {
			c.sections[name] += line
		}
	}
	return c
}

func (c goldenCase) write(t *testing.T, path, got string) {
	t.Helper()
	text := c.title + "-- pipeline.yaml --\n" + c.sections["pipeline.yaml"] + "-- env --\n" + c.sections["env"] + "-- want --\n" + got
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// load parses the case in a folder with the files that it may name.
func (c goldenCase) load(t *testing.T) (p *Pipeline, dir string, err error) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{"standard.rules.yaml": "", "ca.pem": "", "secret.txt": "from-a-file\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err = Parse(filepath.Join(dir, "pipeline.yaml"), []byte(c.sections["pipeline.yaml"]), c.env)
	return p, dir, err
}

// env looks a variable up in the case.
func (c goldenCase) env(name string) (string, bool) {
	for line := range strings.Lines(c.sections["env"]) {
		if value, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), name+"="); ok {
			return value, true
		}
	}
	return "", false
}

func eachCase(t *testing.T, pattern string, run func(t *testing.T, c goldenCase) string) {
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases at %s: %v", pattern, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			c := readCase(t, path)
			got := run(t, c)
			if *update {
				c.write(t, path, got)
				return
			}
			if want := c.sections["want"]; got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestBad(t *testing.T) {
	eachCase(t, "testdata/bad/*.txt", func(t *testing.T, c goldenCase) string {
		_, dir, err := c.load(t)
		if err == nil {
			t.Fatal("no fault was found")
		}
		if code := fault.ExitCode(err); code != 2 {
			t.Errorf("exit code %d, want 2", code)
		}
		var b strings.Builder
		for _, f := range fault.All(err) {
			b.WriteString(f.Where + "\n    " + f.What)
			if f.Err != nil {
				b.WriteString(": " + f.Err.Error())
			}
			b.WriteString("\n    fix: " + f.Fix + "\n")
		}
		return strings.ReplaceAll(b.String(), dir+"/", "")
	})
}

func TestGood(t *testing.T) {
	eachCase(t, "testdata/good/*.txt", func(t *testing.T, c goldenCase) string {
		p, dir, err := c.load(t)
		if err != nil {
			t.Fatal(err)
		}
		text := p.String()
		for _, secret := range []string{"s3cr3t", "geheim", "kafkapw", "from-a-file", "literal-pw", "tok-12345", "pa ss"} {
			if strings.Contains(text, secret) {
				t.Errorf("the secret %q is printed", secret)
			}
			used := strings.Contains(c.sections["pipeline.yaml"]+resolved(p), secret)
			if got := p.Redact("dial " + secret + "!"); used && strings.Contains(got, secret) && len(secret) > 3 {
				t.Errorf("the secret %q is left in %q", secret, got)
			}
		}
		again, err := Parse(p.File, []byte(text), c.env)
		if err != nil {
			t.Errorf("what is printed cannot be read: %v", err)
		} else if again.String() != text {
			t.Errorf("printing is not stable:\n%s\nthen:\n%s", text, again)
		}
		return strings.ReplaceAll(text, dir+"/", "")
	})
}

// resolved gives the values that the connectors see.
func resolved(p *Pipeline) string {
	text, err := yaml.Marshal(p.root)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

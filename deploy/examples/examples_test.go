// Package examples_test runs the examples of this folder as their READMEs say.
package examples_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shelfstream/internal/testenv"
)

// values are what the examples' variables may be set to; none of it is connected to here.
func values(t *testing.T) map[string]string {
	return map[string]string{
		"ERP_DSN": "postgres://capture:x@127.0.0.1:5432/erp", "SHOP_DSN": "shop:x@tcp(127.0.0.1:3306)/shop",
		"KAFKA_BROKER": "127.0.0.1:9092", "REGISTRY_URL": "http://127.0.0.1:8081", "STATE_DIR": t.TempDir(),
		"DATA_DIR": t.TempDir(), "LOG_LISTEN": "127.0.0.1:9092", "REGISTRY_LISTEN": "127.0.0.1:8081", "ADMIN_LISTEN": "127.0.0.1:8480", "ORDER_DIR": t.TempDir(),
		"ERP_URL": "https://erp.example.com/api", "ERP_TOKEN": "x",
	}
}

var variable = regexp.MustCompile(`\$\{([A-Z_]+)\}`)

// shelfstreamCheck runs 'check' on a configuration with exactly the variables that it names; it gives what was printed and the exit code.
func shelfstreamCheck(t *testing.T, bin *testenv.Binary, config string) (string, int) {
	t.Helper()
	text, err := os.ReadFile(config)
	check(t, err)
	cmd := exec.CommandContext(t.Context(), bin.Path, "check", "-config", config)
	cmd.Env = []string{"HOME=" + t.TempDir()}
	known := values(t)
	for _, m := range variable.FindAllStringSubmatch(uncommented(string(text)), -1) {
		value, ok := known[m[1]]
		if !ok {
			t.Fatalf("%s: the test knows no value for %s", config, m[1])
		}
		cmd.Env = append(cmd.Env, m[1]+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func uncommented(text string) string {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), "#") })
	return strings.Join(lines, "\n")
}

func TestEveryExampleIsInOrder(t *testing.T) {
	bin, err := testenv.BuildBinary(t.Context(), t.TempDir(), false)
	check(t, err)
	configs, err := filepath.Glob("*/pipeline.yaml")
	check(t, err)
	folders, err := filepath.Glob("*/")
	check(t, err)
	for _, f := range folders {
		if info, err := os.Stat(f); err == nil && info.IsDir() && !slices.Contains(configs, filepath.Join(f, "pipeline.yaml")) {
			t.Errorf("%s has no pipeline.yaml", f)
		}
	}
	if len(configs) < 2 {
		t.Fatalf("found only %v", configs)
	}
	for _, config := range configs {
		t.Run(filepath.Dir(config), func(t *testing.T) {
			if out, code := shelfstreamCheck(t, bin, config); code != 0 || !strings.Contains(out, "ok ") {
				t.Errorf("exit %d\n%s", code, out)
			}
			rules, err := filepath.Glob(filepath.Join(filepath.Dir(config), "*.rules.yaml"))
			check(t, err)
			text, err := os.ReadFile(config)
			check(t, err)
			for _, r := range rules {
				if !strings.Contains(uncommented(string(text)), filepath.Base(r)) {
					t.Errorf("%s is in no view", r)
				}
				brokenRules(t, bin, config, r)
			}
		})
	}
}

// uncovered is a rule of an example's own file that no case covers; the standard layers have cases of their own.
var uncovered = regexp.MustCompile(`(?m)^ +[a-z]+\.rules\.yaml:\d+: `)

// TestCasesOfTheExamples runs the examples' case files as their heads say: each case holds, and each rule of the example is covered.
func TestCasesOfTheExamples(t *testing.T) {
	bin, err := testenv.BuildBinary(t.Context(), t.TempDir(), false)
	check(t, err)
	files, err := filepath.Glob("*/*.cases.yaml")
	check(t, err)
	if len(files) < 2 {
		t.Fatalf("found only %v", files)
	}
	for _, file := range files {
		out, err := exec.CommandContext(t.Context(), bin.Path, "test", file).CombinedOutput()
		if err != nil || !strings.Contains(string(out), " 0 failed") || uncovered.Match(out) {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// brokenRules adds a rule with a broken expression to a copy of an example; check must say where, though it asks no database.
func brokenRules(t *testing.T, bin *testenv.Binary, config, rules string) {
	t.Helper()
	dir := t.TempDir()
	check(t, os.CopyFS(dir, os.DirFS(filepath.Dir(config))))
	file := filepath.Join(dir, filepath.Base(rules))
	text, err := os.ReadFile(file)
	check(t, err)
	text = append(bytes.TrimRight(text, "\n"), '\n')
	where := filepath.Base(rules) + ":" + strconv.Itoa(bytes.Count(text, []byte("\n"))+2) + ":"
	check(t, os.WriteFile(file, append(text, "  - name: broken\n    set: { x: 1 + * }\n"...), 0o600))
	if out, code := shelfstreamCheck(t, bin, filepath.Join(dir, filepath.Base(config))); code != 2 || !strings.Contains(out, where) {
		t.Errorf("exit %d, want 2, and a fault at %s\n%s", code, where, out)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

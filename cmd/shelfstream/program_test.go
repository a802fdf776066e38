package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"shelfstream/internal/fault"
)

var update = flag.Bool("update", false, "rewrite golden files and the schemas in deploy")

// lockedBuffer is a buffer that a running program writes to while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// shell runs command lines as a test's own program.
type shell struct {
	stdout, stderr lockedBuffer
	program        *program
}

func newShell(env map[string]string) *shell {
	s := &shell{}
	s.program = &program{stdout: &s.stdout, screen: newScreen(&s.stderr, false), version: "v1.2.3", env: func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}}
	return s
}

type outcome struct {
	code           int
	stdout, stderr string
}

func execute(t *testing.T, env map[string]string, args ...string) outcome {
	t.Helper()
	s := newShell(env)
	code := s.program.run(t.Context(), args)
	return outcome{code, s.stdout.String(), s.stderr.String()}
}

// writeConfig puts a configuration and its rules into a folder of its own.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"pipeline.yaml": text, "standard.rules.yaml": "rules:\n  - name: name\n    set: { name: name }\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "pipeline.yaml")
}

const goodConfig = `pipeline: moestue
log: { listen: "127.0.0.1:0", registry: { listen: "127.0.0.1:0" } }
admin: { listen: "127.0.0.1:0" }
sources:
  erp:
    postgres:
      dsn: ${ERP_DSN}
      tables:
        product: {}
        price: { partition_by: [product_no] }
views:
  product:
    from: erp.product
    children:
      prices: { from: erp.price, on: product_no }
    rules: [standard.rules.yaml]
sinks:
  shop:
    mysql:
      dsn: ${SHOP_DSN}
      tables:
        product: { from: product }
`

var goodEnv = map[string]string{"ERP_DSN": "postgres://erp:geheim@127.0.0.1:1/erp", "SHOP_DSN": "shop:geheim@tcp(127.0.0.1:1)/shop"}

func TestExitCodesAndMessages(t *testing.T) {
	good := writeConfig(t, goodConfig)
	for _, c := range []struct {
		name   string
		args   []string
		code   int
		stdout string // parts that must be there
		stderr string
	}{
		{"nothing", nil, 2, "", "name a command"},
		{"help", []string{"help"}, 0, "  run    ", ""},
		{"-h", []string{"-h"}, 0, "Exit codes: 0 ok, 1 runtime, 2 configuration, 3 environment", ""},
		{"help of a command", []string{"help", "replay"}, 0, "Usage: shelfstream replay [flags] <sink or view>", ""},
		{"-h of a command", []string{"replay", "-h"}, 0, "-prune", ""},
		{"help of two words", []string{"help", "capture", "resnapshot"}, 0, "-table name", ""},
		{"unknown command", []string{"capturr"}, 2, "", `there is no command "capturr", did you mean "capture"?`},
		{"unlike any command", []string{"xyzzy"}, 2, "", "shelfstream help lists the commands"},
		{"half of two words", []string{"config"}, 2, "", "fix: shelfstream config schema"},
		{"unknown flag", []string{"check", "-conect"}, 2, "", "check has no flag -conect, did you mean -connect?"},
		{"flag without value", []string{"check", "-config"}, 2, "", "flag needs an argument"},
		{"argument too much", []string{"run", "shop"}, 2, "", "run takes no argument"},
		{"version", []string{"version"}, 0, "shelfstream v1.2.3", ""},
		{"-version", []string{"--version"}, 0, "shelfstream v1.2.3", ""},
		{"missing file", []string{"check", "-config", "nowhere.yaml"}, 2, "", "nowhere.yaml: there is no such configuration file"},
		{"check", []string{"check", "-config", good}, 0, "ok      configuration", ""},
		{"print", []string{"check", "-print", "-config", good}, 0, "dsn: ${ERP_DSN}", ""},
		{"log form", []string{"check", "-log", "xml", "-config", good}, 2, "", "write text or json"},
		{"log level", []string{"check", "-log-level", "loud", "-config", good}, 2, "", "write debug, info, warn or error"},
		{"capture alone", []string{"capture", "-config", good}, 2, "", "the embedded log lives in 'shelfstream run'"},
		{"transform alone", []string{"transform", "-config", good}, 2, "", "log.registry.url"},
		{"sink alone", []string{"sink", "-config", good}, 2, "", "2 faults"},
		{"status of nothing", []string{"status", "-config", good}, 3, "", "the pipeline does not answer on its admin port"},
		{"rules", []string{"rules", "print"}, 0, "standard:visma_business/most_specific\n", ""},
		{"rules of an ERP", []string{"rules", "print", "standard:visma_business/most_specific"}, 0, "rules:\n", ""},
		{"rules without the prefix", []string{"rules", "print", "-pipeline", "visma_business/most_specific"}, 0, "- standard:visma_business\n", ""},
		{"tables of an ERP", []string{"rules", "print", "-tables", "navision"}, 0, "tables:", ""},
		{"unknown rules", []string{"rules", "print", "standard:visma_globl"}, 2, "", `did you mean "standard:visma_global"?`},
		{
			"unknown rules in a view",
			[]string{"check", "-config", writeConfig(t, strings.Replace(goodConfig, "[standard.rules", "[standard:visma, standard.rules", 1))},
			2, "",
			`pipeline.yaml:16:13: views.product.rules: there is no standard file standard:visma, did you mean "standard:visma_business"?`,
		},
		{"rules that are shipped", []string{"check", "-config", writeConfig(t, strings.Replace(goodConfig, "[standard.rules", "[standard:visma_business, standard.rules", 1))}, 0, "ok      configuration", ""},
		{"test of nothing", []string{"test"}, 2, "", "test wants case files"},
		{"test of a file that is not there", []string{"test", "none.cases.yaml"}, 2, "", "none.cases.yaml: the file cannot be read"},
		{"explain without key", []string{"explain", "product", "-config", good}, 2, "", "explain wants a view and a key"},
		{"explain unknown view", []string{"explain", "prodct", "1", "-config", good}, 2, "", `did you mean "product"?`},
		{"replay without place", []string{"replay", "shop", "-config", good}, 2, "", "-to is missing"},
		{"replay to nowhere", []string{"replay", "shop", "-to", "soon", "-config", good}, 2, "", `-to "soon" is no place`},
		{"replay to an offset of all", []string{"replay", "shop", "-to", "7", "-config", good}, 2, "", "add -partition with a number from 0 to 3"},
		{"replay of an unknown sink", []string{"replay", "shup", "-to", "7", "-config", good}, 2, "", `did you mean "shop"?`},
		{"resnapshot of an unknown table", []string{"capture", "resnapshot", "-table", "prize", "-config", good}, 2, "", `did you mean "price"?`},
		{"parked of an unknown sink", []string{"parked", "shup", "-config", good}, 2, "", `did you mean "shop"?`},
		{"held of an unknown view", []string{"held", "list", "prodct", "-config", good}, 2, "", `did you mean "product"?`},
		{"half of held", []string{"held"}, 2, "", "fix: shelfstream held list"},
		{"apply of nothing", []string{"held", "apply", "-config", good}, 2, "", "held apply wants a view"},
		{"apply without reason", []string{"held", "apply", "product", "-config", good}, 2, "", "-why is missing"},
		{"apply for no time", []string{"held", "apply", "product", "-why", "x", "-for", "soon", "-config", good}, 2, "", `-for "soon" is no duration`},
		{"retry of nothing", []string{"parked", "retry", "product", "-config", good}, 2, "", "keys or -all"},
		{"retry of keys and all", []string{"parked", "retry", "product", "7", "-all", "-config", good}, 2, "", "keys or -all"},
		{"skip without reason", []string{"parked", "skip", "product", "7", "-config", good}, 2, "", "-why is missing"},
		{"skip of an unknown view", []string{"parked", "skip", "prodct", "7", "-why", "x", "-config", good}, 2, "", `did you mean "product"?`},
		{
			"guard that says nothing",
			[]string{"check", "-config", writeConfig(t, strings.Replace(goodConfig, "    rules: [standard.rules", "    guards: [{ name: removals, removed: true }]\n    rules: [standard.rules", 1))},
			2, "",
			"views.product.guards[0]: it does not say how many changes may go out",
		},
		{"only an unknown sink", []string{"sink", "-only", "shup", "-config", writeConfig(t, strings.Replace(goodConfig, "log: {", `log: { brokers: ["127.0.0.1:1"],`, 1))}, 2, "", "log.registry.url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := execute(t, goodEnv, c.args...)
			if got.code != c.code || !strings.Contains(got.stdout, c.stdout) || !strings.Contains(got.stderr, c.stderr) {
				t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", got.code, c.code, got.stdout, got.stderr)
			}
			if strings.Contains(got.stdout+got.stderr, "geheim") {
				t.Error("a secret is printed")
			}
			if c.code == 0 && got.stderr != "" {
				t.Errorf("stderr: %s", got.stderr)
			}
		})
	}
}

// TestEveryCommandHelps: each has a summary, a help that prints, and flags that say what they take.
func TestEveryCommandHelps(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range commands() {
		if seen[c.name] || c.summary == "" || strings.HasSuffix(c.summary, ".") {
			t.Errorf("%s: twice, or its summary is %q", c.name, c.summary)
		}
		seen[c.name] = true
		got := execute(t, nil, append([]string{"help"}, strings.Fields(c.name)...)...)
		if got.code != 0 || !strings.Contains(got.stdout, "Usage: shelfstream "+c.name) {
			t.Errorf("help %s: %d %s", c.name, got.code, got.stdout)
		}
		fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
		c.setup(newShell(nil).program, fs)
		fs.VisitAll(func(f *flag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s -%s does not say what it is", c.name, f.Name)
			}
		})
	}
}

// TestHelp compares what is printed to whoever asks for help, or makes a slip on the command line, with testdata/help.txt.
func TestHelp(t *testing.T) {
	lines := []string{"", "frobnicate", "chek", "config", "run -conf x", "replay shop -partition one", "check -config nowhere.yaml", "help"}
	for _, c := range commands() {
		lines = append(lines, c.name+" --help")
	}
	var b strings.Builder
	for _, line := range lines {
		got := execute(t, nil, strings.Fields(line)...)
		fmt.Fprintf(&b, "$ shelfstream %s\n%s%sexit code %d\n\n", line, got.stdout, got.stderr, got.code)
	}
	path := filepath.Join("testdata", "help.txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}

// TestFaultsOfConnectors: unknown connectors and faults in their sections come with the others, at their places.
func TestFaultsOfConnectors(t *testing.T) {
	bad := strings.NewReplacer("mysql:\n      dsn: ${SHOP_DSN}", "mysql:\n      dns: ${SHOP_DSN}\n      max_rows: many", "timezone", "timezone", "pipeline: moestue", "pipeline: moestue\ntimezone: Mars/Base").Replace(goodConfig)
	bad = strings.Replace(bad, "sources:\n", "sources:\n  crm:\n    postgress: { dsn: x, tables: { a: {} } }\n", 1)
	file := writeConfig(t, bad)
	got := execute(t, goodEnv, "check", "-config", file)
	text := strings.ReplaceAll(got.stderr, filepath.Dir(file)+"/", "")
	for _, want := range []string{
		`pipeline.yaml:2:11: timezone: there is no time zone "Mars/Base"`,
		`pipeline.yaml:7:5: sources.crm.postgress: there is no source connector "postgress", did you mean "postgres"?`,
		`unknown key "dns", did you mean "dsn"?`,
		`max_rows: wants a whole number, and there is the text "many"`,
		`dsn: is missing`,
		"5 faults\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if got.code != 2 {
		t.Errorf("exit code %d", got.code)
	}

	file = writeConfig(t, strings.Replace(goodConfig, "product: { from: product }", "product: { from: product, delete: soft, soft_delete_column: '' }\n        shelfstream_x: { from: product.a.b }", 1))
	got = execute(t, goodEnv, "check", "-config", file)
	if text := strings.ReplaceAll(got.stderr, filepath.Dir(file)+"/", ""); got.code != 2 || !strings.Contains(text, "pipeline.yaml:23:32: sinks.shop.mysql.tables.shelfstream_x.from") {
		t.Errorf("the connector's own checks: %d %s", got.code, text)
	}
}

func TestAllFaults(t *testing.T) {
	one := &fault.Fault{Class: fault.Environment, What: "one"}
	list := fault.List{{What: "two"}, {Class: fault.Config, What: "three"}}
	plain := errors.New("plain")
	faults, others := allFaults(errors.Join(fmt.Errorf("wrapped: %w", one), list, plain, nil))
	if len(faults) != 3 || len(others) != 1 || !errors.Is(others[0], plain) {
		t.Errorf("got %v and %v", faults, others)
	}
	s := newShell(nil)
	s.program.complain(errors.Join(one, plain))
	if got := s.stderr.String(); got != "one\nerror: plain\n" {
		t.Errorf("got %q", got)
	}
	if l := asList("here", plain); len(l) != 1 || l[0].Where != "here" || l[0].Class != fault.Environment {
		t.Errorf("got %v", l)
	}
	if l := asList("here", nil, fault.List(nil).Err()); len(l) != 0 {
		t.Errorf("got %v", l)
	}
}

func TestParseFlags(t *testing.T) {
	fs := flag.NewFlagSet("x", flag.ContinueOnError)
	json := fs.Bool("json", false, "")
	to := fs.String("to", "", "")
	args, err := parseFlags(fs, []string{"product", "-json", "4711", "-to", "2h", "--", "-5"})
	if err != nil || strings.Join(args, " ") != "product 4711 -5" || !*json || *to != "2h" {
		t.Errorf("got %v %v %v %q", args, err, *json, *to)
	}
}

// TestSchemas: the schemas beside the product's examples are those of the program.
func TestSchemas(t *testing.T) {
	for name, args := range map[string][]string{"shelfstream.schema.json": {"config", "schema"}, "shelfstream.rules.schema.json": {"config", "schema", "-rules"}} {
		got := execute(t, nil, args...)
		if got.code != 0 {
			t.Fatal(got.stderr)
		}
		path := filepath.Join("..", "..", "deploy", name)
		if *update {
			if err := os.WriteFile(path, []byte(got.stdout), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != got.stdout {
			t.Errorf("deploy/%s is not what the program says: go test ./cmd/shelfstream -update", name)
		}
	}
}

// TestUnlessAsked: an end that was asked for is no error, unless it brought a fault to light.
func TestUnlessAsked(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := unlessAsked(ended, fmt.Errorf("read: %w", context.Canceled)); err != nil {
		t.Error(err)
	}
	for _, err := range []error{errors.New("disk"), &fault.Fault{What: "x", Err: context.Canceled}} {
		if unlessAsked(ended, err) == nil {
			t.Errorf("%v is dropped", err)
		}
	}
	if unlessAsked(t.Context(), context.Canceled) == nil {
		t.Error("a cancel that nobody asked for is dropped")
	}
}

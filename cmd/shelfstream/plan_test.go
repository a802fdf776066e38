package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/status/web"
	"shelfstream/transform"
)

// TestPlanText prints the plan that transform's own test makes.
func TestPlanText(t *testing.T) {
	b, err := os.ReadFile("../../transform/testdata/plan.json")
	if err != nil {
		t.Fatal(err)
	}
	var p transform.Plan
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	p.ReadBy, p.Notes = []string{"variant"}, []string{"partition 1 is catching up, so what it shows is not the newest"}
	var out bytes.Buffer
	if err := printPlan(&out, &p); err != nil {
		t.Fatal(err)
	}
	goldenText(t, "plan.txt", out.String())
}

// goldenText compares with a file of testdata; -update writes it.
func goldenText(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s", name, got)
	}
}

// fakePlanner notes what it is asked.
type fakePlanner struct {
	asked *transform.PlanConfig
	err   error
}

func (f fakePlanner) Plan(_ context.Context, cfg transform.PlanConfig) (*transform.Plan, error) {
	*f.asked = cfg
	cfg.Progress(transform.PlanProgress{Products: 5, Fraction: 0.5})
	return &transform.Plan{View: "product", Products: 10, SameRules: true}, f.err
}

// planAdmin serves the admin port of a pipeline whose view is a fakePlanner.
func planAdmin(t *testing.T, config string, fail error) (addr string, asked *transform.PlanConfig) {
	t.Helper()
	a := testApp(t, config)
	asked = &transform.PlanConfig{}
	return serveAdmin(t, web.Config{Plan: func(ctx context.Context, request []byte, tell func(any)) (any, error) {
		return a.planAsked(ctx, map[string]planner{"product": fakePlanner{asked, fail}}, request, tell)
	}}), asked
}

// TestPlanAsksTheRunningPipeline: the new rules go over the admin port, from wherever they are named, and the plan or its faults come back.
func TestPlanAsksTheRunningPipeline(t *testing.T) {
	config := writeConfig(t, goodConfig)
	fresh := t.TempDir()
	for name, text := range map[string]string{"standard.rules.yaml": "rules: [{ name: a, set: { a: 1 } }]", "own.rules.yaml": "rules: [{ name: b, set: { b: 2 } }]", "note.txt": "no rules"} {
		if err := os.WriteFile(filepath.Join(fresh, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	addr, asked := planAdmin(t, config, nil)
	plan := func(args ...string) outcome {
		return execute(t, goodEnv, append([]string{"plan", "-config", config, "-admin", addr}, args...)...)
	}
	if got := plan(); got.code != 0 || !strings.Contains(got.stdout, "plan of view product: 10 products") || asked.View != nil || len(asked.Rules) != 1 {
		t.Errorf("the files as they are: %d\n%s%s%+v", got.code, got.stdout, got.stderr, asked)
	}
	if got := plan("-rules", fresh, "-status", "state=off", "-json"); got.code != 0 || !strings.Contains(got.stdout, `"products": 10`) {
		t.Errorf("a directory: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if len(asked.Rules) != 1 || !strings.Contains(string(asked.Rules[0].Data), "name: a") || asked.Rules[0].Name != filepath.Join(fresh, "standard.rules.yaml") || asked.Rules[0].Layer != "standard" ||
		len(asked.Hidden) != 1 || asked.Hidden[0] != (transform.HiddenValue{Field: "state", Value: "off"}) {
		t.Errorf("asked: %+v", asked)
	}
	if got := plan("-rules", filepath.Join(fresh, "own.rules.yaml"), "product"); got.code != 0 || len(asked.Rules) != 2 || asked.Rules[1].Layer != "own" {
		t.Errorf("another layer: %d %s %+v", got.code, got.stderr, asked)
	}
	other := filepath.Join(fresh, "shop.yaml")
	if err := os.WriteFile(other, []byte(goodConfig+"timezone: Europe/Oslo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := plan("-new", other); got.code != 0 || asked.View == nil || asked.View.Root != "moestue.erp.product" || asked.Zone.String() != "Europe/Oslo" || !strings.Contains(string(asked.Rules[0].Data), "name: a") {
		t.Errorf("another configuration: %d %s %+v", got.code, got.stderr, asked)
	}
	for args, want := range map[string]string{
		"-rules nowhere":                     "nowhere: there are no rules",
		"-rules " + t.TempDir():              "has a namesake",
		"-new " + other + " -rules " + fresh: "two ways",
		"prodct":                             `did you mean "product"?`,
		"-status draft":                      "field=value",
	} {
		if got := plan(strings.Fields(args)...); got.code != 2 || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %d %s", args, got.code, got.stderr)
		}
	}

	addr, _ = planAdmin(t, config, fault.List{{Class: fault.Config, Where: "a.yaml:3", What: "there is no field colour", Fix: "write color"}})
	if got := execute(t, goodEnv, "plan", "-config", config, "-admin", addr); got.code != 2 || !strings.Contains(got.stderr, "a.yaml:3: there is no field colour\n    fix: write color") {
		t.Errorf("faults: %d %s", got.code, got.stderr)
	}
	addr, _ = planAdmin(t, config, errors.New("the disk is gone"))
	if got := execute(t, goodEnv, "plan", "-config", config, "-admin", addr); got.code != 1 || !strings.Contains(got.stderr, "the disk is gone") {
		t.Errorf("an error: %d %s", got.code, got.stderr)
	}
	if got := execute(t, goodEnv, "plan", "-config", config); got.code != 2 || !strings.Contains(got.stderr, "the pipeline does not run") {
		t.Errorf("nothing runs: %d %s", got.code, got.stderr)
	}
}

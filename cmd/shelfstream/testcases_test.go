package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const shopCases = `# what the shop wants
view: { from: erp.product }
rules: [shop.rules.yaml]
tables: { product: { no: int key, name: text, net: "numeric(18,4)" } }
cases:
  - name: gross
    now: 2026-03-14
    rows: { product: { no: 1, name: Cup, net: 80 } }
    expect: { price: 100.00, name: Cup }
  - name: upper
    now: 2026-03-14
    rows: { product: { no: 2, name: Pan, net: 80 } }
    expect: { name: PAN }
`

// TestCaseFiles runs 'test' as customers do: cases that fail, as text and as JSON, the update, and the cases that then hold.
func TestCaseFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.cases.yaml")
	for name, text := range map[string]string{
		file: shopCases,
		filepath.Join(filepath.Dir(file), "shop.rules.yaml"): "rules:\n  - { name: name, set: { name: name } }\n  - { name: price, set: { price: \"round(net * 1.25, 2)\" } }\n  - { name: note, set: { note: \"if(net > 100, 'dear', null)\" } }\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := execute(t, nil, "test", file)
	for _, want := range []string{"shop.cases.yaml:10: upper", "want PAN", "got  Pan", "set by rule name (shop, ", "rules that no case covers:\n", "note: it gives nothing but null", "2 cases, 2 steps, 1 failed; 2 of 3 rules covered (66 %)"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("there is no %q in:\n%s", want, got.stdout)
		}
	}
	if got.code != 1 || !strings.Contains(got.stderr, "1 of 2 cases' steps do not give what they expect") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}

	got = execute(t, nil, "test", "-json", file)
	var r caseReport
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil || got.code != 1 {
		t.Fatalf("%v, exit code %d\n%s", err, got.code, got.stdout)
	}
	if r.Cases != 2 || len(r.Failures) != 1 || r.Failures[0].Case != "upper" || r.Failures[0].Diffs[0].Want != "PAN" || r.Failures[0].Diffs[0].Got != "Pan" || len(r.Rules) != 3 || r.Rules[2].Covered || r.Covered != 66 {
		t.Errorf("got %+v", r)
	}

	if got = execute(t, nil, "test", "-update", file); got.code != 0 || !strings.Contains(got.stdout, "shop.cases.yaml: updated") {
		t.Errorf("update: %+v", got)
	}
	if got = execute(t, nil, "test", file); got.code != 0 || !strings.Contains(got.stdout, "2 cases, 2 steps, 0 failed") {
		t.Errorf("after the update: %+v", got)
	}
	text, err := os.ReadFile(file)
	if err != nil || string(text) != strings.Replace(shopCases, "PAN", "Pan", 1) {
		t.Errorf("%v\n%s", err, text)
	}
}

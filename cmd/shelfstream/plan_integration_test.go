//go:build integration

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shelfstream/transform"
)

// TestPlanFromERPToShop plans new rules on a running pipeline and on the stopped one, which say the same and send nothing; explain shows what was sent and
// what the shop has.
func TestPlanFromERPToShop(t *testing.T) {
	w := newWorld(t)
	file := w.config(t, `{ listen: "127.0.0.1:0", registry: { listen: "127.0.0.1:0" } }`)
	with := func(args ...string) outcome { return execute(t, w.env, append(args, "-config", file)...) }
	s, stop := begin(t, w.env, "run", "-config", file)
	w.converge(t, s)
	if got := with("explain", "product", "6", "-field", "gross"); got.code != 0 || !strings.Contains(got.stdout, "sent last: the same") || !strings.Contains(got.stdout, "in sink shop, product.gross: ") {
		t.Errorf("explain: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	fresh := t.TempDir()
	rules := strings.Replace(erpRules, "1 + vat.rate", "1.1 + vat.rate", 1) + "  - { name: few, include: no <= 190 }\n"
	if err := os.WriteFile(filepath.Join(fresh, "it.rules.yaml"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	var plans [2][]transform.Plan
	for i, state := range []string{"running", "stopped"} {
		got := with("plan", "-rules", fresh, "-json")
		if got.code != 0 || json.Unmarshal([]byte(got.stdout), &plans[i]) != nil || len(plans[i]) != 1 {
			t.Fatalf("plan of a %s pipeline: %d\n%s%s", state, got.code, got.stdout, got.stderr)
		}
		p := plans[i][0]
		if p.Products != 200 || p.Removed.Products != 10 || p.Changed != 190 || len(p.Fields) != 1 || p.Fields[0].Up != 190 || len(p.Partitions) != p.Of {
			t.Errorf("plan of a %s pipeline:\n%s", state, got.stdout)
		}
		if i == 0 {
			stop()
		}
	}
	if n := plans[1][0].Notes; len(n) != 1 || !strings.HasPrefix(n[0], "the pipeline does not run") {
		t.Errorf("notes: %v", n)
	}
	if got := with("plan", "-rules", fresh); got.code != 0 || !strings.Contains(got.stdout, "plan of view product: 200 products") {
		t.Errorf("plan for people: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	w.converge(t, s)
}

//go:build integration

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shelfstream/status"
	"shelfstream/transform"
)

// guarded is the world's pipeline with a guard, and a rule that a price of nothing breaks.
func (w *world) guarded(t *testing.T, log string) string {
	t.Helper()
	file := w.config(t, log)
	for name, change := range map[string][2]string{
		filepath.Base(file): {"    rules: [it.rules.yaml]\n", "    rules: [it.rules.yaml]\n    guards:\n      - { name: mass removal, removed: true, share: 2%, at_least: 20, window: 10m }\n"},
		"it.rules.yaml":     {"vat.rate), 2)", "vat.rate) + quo(0, net, 2), 2)"},
	} {
		path := filepath.Join(filepath.Dir(file), name)
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), change[0]) {
			t.Fatalf("%s: %v", name, err)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(data), change[0], change[1], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

// jsonOf runs a command and reads its JSON.
func jsonOf[T any](t *testing.T, w *world, args ...string) (out T) {
	t.Helper()
	got := execute(t, w.env, append(args, "-json")...)
	if err := json.Unmarshal([]byte(got.stdout), &out); got.code != 0 || err != nil {
		t.Fatalf("%v: %d %v\n%s%s", args, got.code, err, got.stdout, got.stderr)
	}
	return out
}

func loadedPipeline(t *testing.T, w *world, file string) *pipeline {
	t.Helper()
	cfg, err := loadPipeline(file, newShell(w.env).program.env)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestGuardHoldsAMassRemoval: the ERP deletes half its products in one transaction. Nothing leaves the shop until somebody says so; what else
// changes goes out. A product whose rule fails is skipped, parked anew when its rows change, and retried.
func TestGuardHoldsAMassRemoval(t *testing.T) {
	w := newWorld(t)
	file := w.guarded(t, ownLog)
	with := func(args ...string) outcome { return execute(t, w.env, append(args, "-config", file)...) }
	if got := with("check", "-connect"); got.code != 0 {
		t.Fatalf("check: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	w.wrongField(t, file)
	s, stop := begin(t, w.env, "run", "-config", file)
	w.converge(t, s)
	w.massRemoval(t, file, "mass removal")
	w.overridden(t, file)
	w.parkedAndBack(t, file)

	// A stopped pipeline is told too, and does it when it starts.
	before := len(w.have(t))
	w.inERP(t, "DELETE FROM product WHERE no > 120")
	gone := before - len(w.want(t))
	eventually(t, "all held", 20*time.Second, func() bool { return jsonOf[[]heldGuard](t, w, "held", "list", "-config", file)[0].Held == gone })
	stop()
	if got := with("held", "apply", "product", "-why", "the winter list"); got.code != 0 {
		t.Fatalf("apply to a stopped pipeline: %d %s%s", got.code, got.stdout, got.stderr)
	}
	s, _ = begin(t, w.env, "run", "-config", file)
	w.converge(t, s)
}

// wrongField: a guard of a field that the products do not have is found, at its place, before anything runs.
func (w *world) wrongField(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(filepath.Dir(file), "wrong.yaml")
	if err := os.WriteFile(wrong, []byte(strings.Replace(string(data), "removed: true, share", "field: nett, moves: 30%, share", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	got := execute(t, w.env, "check", "-connect", "-config", wrong)
	if got.code != 2 || !strings.Contains(got.stderr, "wrong.yaml:16:38: view product, guard mass removal: the products have no field nett") {
		t.Errorf("check: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// massRemoval deletes half the products, sees that they are held, and applies the guard.
func (w *world) massRemoval(t *testing.T, file, guard string) {
	t.Helper()
	before := len(w.have(t))
	w.inERP(t, "BEGIN; DELETE FROM product WHERE no % 2 = 0; UPDATE price SET amount = amount + 1 WHERE no = 1; COMMIT")
	want := w.want(t)
	half := before - len(want)
	var held []heldGuard
	eventually(t, "all held", 20*time.Second, func() bool {
		held = jsonOf[[]heldGuard](t, w, "held", "list", "product", "-config", file)
		return len(held) == 1 && held[0].Held == half
	})
	if h := held[0]; h.View != "product" || h.Guard != guard || len(h.Samples) != 10 || h.Samples[0].Before != "in the view" || h.Samples[0].After != "removed" || h.Since.IsZero() {
		t.Errorf("held: %+v", held)
	}
	// The other change of the same transaction is in the shop, and no product has left it.
	eventually(t, "the price in the shop", 20*time.Second, func() bool { return strings.Contains(strings.Join(w.have(t), "\n")+"\n", want[0]+"\n") })
	if n := len(w.have(t)); n != before {
		t.Errorf("the shop has %d products, want all %d", n, before)
	}
	if got := execute(t, w.env, "held", "list", "-config", file); !strings.Contains(got.stdout, fmt.Sprintf("view product, guard %s: %d held since ", guard, half)) ||
		!strings.Contains(got.stdout, fmt.Sprintf("and %d more", half-10)) || !strings.Contains(got.stdout, "2% of the products within 10m") {
		t.Errorf("held list: %d %s%s", got.code, got.stdout, got.stderr)
	}
	if got := execute(t, w.env, "parked", "product", "-config", file); !strings.Contains(got.stdout, fmt.Sprintf("transform product: 0 parked, %d held by guards", half)) {
		t.Errorf("parked: %d %s%s", got.code, got.stdout, got.stderr)
	}
	if got := execute(t, w.env, "held", "apply", "product", "removals", "-why", "x", "-config", file); got.code != 2 || !strings.Contains(got.stderr, "mass removal, all") {
		t.Errorf("apply of a guard that is not there: %d %s%s", got.code, got.stdout, got.stderr)
	}
	if loadedPipeline(t, w, file).Log.Embedded() {
		w.faultSaysHow(t, file, half)
	}
	a := jsonOf[asked](t, w, "held", "apply", "product", guard, "-why", "the autumn list", "-config", file)
	if a.View != "product" || a.Products != half || a.Apply != guard || a.Override != "" || a.By == "" || a.Why != "the autumn list" {
		t.Errorf("apply: %+v", a)
	}
	w.converge(t)
	eventually(t, "nothing held", 20*time.Second, func() bool { return jsonOf[[]heldGuard](t, w, "held", "list", "-config", file)[0].Held == 0 })
}

// faultSaysHow: the status of a running pipeline names the guard, its place, and the command.
func (w *world) faultSaysHow(t *testing.T, file string, half int) {
	t.Helper()
	r, err := askStatus(t.Context(), newShell(w.env).program, &common{file: file, logForm: "text", logLevel: "info"}, "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Stages {
		for _, f := range r.Stages[i].Faults {
			if strings.Contains(f.Where, "pipeline.yaml:") && strings.Contains(f.Where, ": view product, guard mass removal") && strings.Contains(f.What, fmt.Sprintf("%d changes are held", half)) &&
				strings.Contains(f.Fix, "`shelfstream held apply product \"mass removal\" -why …`") {
				return
			}
		}
	}
	t.Errorf("no fault with the command: %+v", r.Stages)
}

// overridden lets a further mass removal pass at once.
func (w *world) overridden(t *testing.T, file string) {
	t.Helper()
	a := jsonOf[asked](t, w, "held", "apply", "product", "-for", "30m", "-by", "anna", "-why", "spring cleaning", "-config", file)
	if a.Apply != "all" || a.Override != "all" || time.Until(a.OverrideUntil) < 29*time.Minute || a.By != "anna" {
		t.Errorf("override: %+v", a)
	}
	h := jsonOf[[]heldGuard](t, w, "held", "list", "-config", file)[0]
	if h.OverrideUntil.IsZero() || h.By != "anna" || h.Why != "spring cleaning" {
		t.Errorf("while it is overridden: %+v", h)
	}
	w.inERP(t, "DELETE FROM product WHERE no BETWEEN 100 AND 200 AND no % 3 = 0")
	w.converge(t)
	// It ends at once.
	if got := execute(t, w.env, "held", "apply", "product", "-for", "1ms", "-why", "done", "-config", file); got.code != 0 {
		t.Errorf("end of the override: %d %s%s", got.code, got.stdout, got.stderr)
	}
}

// parkedAndBack breaks a product's rule, leaves it out of the list, and has it tried again.
func (w *world) parkedAndBack(t *testing.T, file string) {
	t.Helper()
	with := func(args ...string) outcome { return execute(t, w.env, append(args, "-config", file)...) }
	list := func() parkedList {
		return jsonOf[[]parkedList](t, w, "parked", "product", "-config", file)[0]
	}
	w.inERP(t, "UPDATE price SET amount = 0 WHERE no = 5")
	eventually(t, "parked", 20*time.Second, func() bool { l := list(); return len(l.Parked) == 1 && l.Parked[0].Key == "5" })
	if got := with("parked", "skip", "product", "6", "-why", "x"); got.code != 1 || !strings.Contains(got.stderr, "not parked: 6") {
		t.Errorf("skip of what is not parked: %d %s%s", got.code, got.stdout, got.stderr)
	}
	if got := with("parked", "skip", "product", "5", "-by", "anna", "-why", "never sold"); got.code != 0 || !strings.Contains(got.stdout, "product 5 of product is left out") {
		t.Errorf("skip: %d %s%s", got.code, got.stdout, got.stderr)
	}
	eventually(t, "skipped", 20*time.Second, func() bool {
		l := list()
		return len(l.Parked) == 0 && len(l.Skipped) == 1 && l.Skipped[0].Key == "5" && l.Skipped[0].By == "anna" && l.Skipped[0].Why == "never sold"
	})
	if got := with("parked", "product", "-skipped"); got.code != 0 || !strings.Contains(got.stdout, "0 parked, 1 skipped") || !strings.Contains(got.stdout, "never sold (anna, ") {
		t.Errorf("parked -skipped: %d %s%s", got.code, got.stdout, got.stderr)
	}
	w.inERP(t, "UPDATE product SET name = 'changed' WHERE no = 5")
	eventually(t, "parked again", 20*time.Second, func() bool { l := list(); return len(l.Parked) == 1 && len(l.Skipped) == 0 })
	for _, args := range [][]string{{"5"}, {"-all", "-by", "anna"}} {
		if a := jsonOf[asked](t, w, append(append([]string{"parked", "retry", "product"}, args...), "-config", file)...); a.Products != 1 || len(a.Retry) != 1 {
			t.Errorf("retry %v: %+v", args, a)
		}
	}
	w.inERP(t, "UPDATE price SET amount = 3 WHERE no = 5")
	w.converge(t)
	eventually(t, "parked no more", 20*time.Second, func() bool { return len(list().Parked) == 0 })
}

// TestHeldOnKafka: two transforms share the view on a broker; requests are written to the log by a process that has neither.
func TestHeldOnKafka(t *testing.T) {
	w := newWorld(t)
	log, client := sharedLog(t)
	var logs []*shell
	for _, stage := range []string{"capture", "transform", "transform", "sink"} {
		s, _ := begin(t, w.env, stage, "-config", w.guarded(t, log))
		logs = append(logs, s)
	}
	w.converge(t, logs...)
	file := w.guarded(t, log)
	w.massRemoval(t, file, "mass removal")
	w.parkedAndBack(t, file)
	signals, err := transform.ReadSignals(t.Context(), client, "it", "product")
	if err != nil || len(signals) != 4 || signals[0].Apply != "mass removal" || signals[1].Skip != "5" {
		t.Errorf("the log of requests: %+v, %v", signals, err)
	}
}

// TestParkedRowsOfASource: the command and the admin port list the rows that a source has parked.
func TestParkedRowsOfASource(t *testing.T) {
	w := newWorld(t)
	w.inERP(t, "ALTER TABLE product ADD COLUMN notes text")
	file := w.config(t, `{ listen: "127.0.0.1:0", registry: { listen: "127.0.0.1:0" }, topics: { configs: { max.message.bytes: "100000" } } }`)
	_, _ = begin(t, w.env, "run", "-config", file)
	w.converge(t)
	w.inERP(t, "UPDATE product SET notes = (SELECT string_agg(md5(random()::text || i), '') FROM generate_series(1, 70000) i) WHERE no = 5")
	var list []parkedList
	eventually(t, "a row is parked", 30*time.Second, func() bool {
		list = jsonOf[[]parkedList](t, w, "parked", "erp", "-config", file)
		return len(list) == 1 && len(list[0].Parked) == 1
	})
	if l := list[0]; l.Kind != status.KindCapture || !strings.Contains(l.Parked[0].Key, "5") || l.Parked[0].What == "" || l.Parked[0].Fix == "" || l.Parked[0].Since.IsZero() {
		t.Errorf("parked: %+v", l)
	}
	cfg := loadedPipeline(t, w, file)
	var rows []status.Parked
	if err := askAdmin(t.Context(), adminURL(t.Context(), cfg, "")+"/parked?kind=capture&name=erp", &rows); err != nil || len(rows) != 1 || rows[0] != list[0].Parked[0] {
		t.Errorf("the admin port: %+v, %v", rows, err)
	}
}

//go:build integration

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/testenv"
	"shelfstream/status"
	"shelfstream/status/incident"
)

const vatRules = `rules:
  - name: name
    set: { name: name }
  - name: net price
    pick: { from: prices, where: qty = 1, order: [qty], set: { net: amount } }
  - name: gross
    vat: { rates: vat, rate: rate, net: net, round: 2, set: { gross: gross } }
`

// TestIncidents takes a pipeline through a shop that is stopped and products without a VAT code: each is one incident with its remedy, that ends by itself.
func TestIncidents(t *testing.T) {
	w := newWorld(t)
	proxy, err := testenv.NewProxy(running(t).shop.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	w.env["SHOP_DSN"] = running(t).shop.DSNThrough(proxy, "it")
	file := w.config(t, `{ listen: "127.0.0.1:0", registry: { listen: "127.0.0.1:0" } }`)
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "it.rules.yaml"), []byte(vatRules), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := begin(t, w.env, "run", "-config", file)
	list := func(args ...string) []incident.Incident {
		got := execute(t, w.env, append([]string{"incidents", "-json", "-config", file}, args...)...)
		var all []incident.Incident
		if got.code != 0 || json.Unmarshal([]byte(got.stdout), &all) != nil {
			t.Fatalf("incidents: %d %s%s", got.code, got.stdout, got.stderr)
		}
		return all
	}
	shows := func(what string, cond func(all []incident.Incident) bool, args ...string) {
		t.Helper()
		var all []incident.Incident
		defer func() {
			if t.Failed() {
				t.Logf("%s: %+v\n%s", what, all, s.stderr.String())
			}
		}()
		eventually(t, what, 2*time.Minute, func() bool {
			all = list(args...)
			return cond(all)
		})
	}
	inShop := func() (n int) {
		if err := w.shop.QueryRowContext(t.Context(), "SELECT count(*) FROM product").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	eventually(t, "the first load", time.Minute, func() bool { return inShop() == 200 })
	shows("all is well", func(all []incident.Incident) bool { return len(all) == 0 })

	// The shop is stopped.
	proxy.Cut()
	w.inERP(t, "UPDATE price SET amount = amount + 1")
	var id string
	shows("the shop is down", func(all []incident.Incident) bool {
		if len(all) == 1 {
			id = all[0].ID
		}
		return len(all) == 1 && all[0].Link == "sink shop" && all[0].Fix != "" && all[0].What != ""
	})
	if got := execute(t, w.env, "ack", id, "-by", "anna", "-note", "on my way", "-config", file); got.code != 0 || !strings.Contains(got.stdout, "anna takes on incident "+id) {
		t.Errorf("ack: %d %s%s", got.code, got.stdout, got.stderr)
	}
	shows("it is taken on", func(all []incident.Incident) bool {
		return len(all) == 1 && all[0].ID == id && all[0].By == "anna" && all[0].Note == "on my way" && !all[0].Acked.IsZero()
	})
	if got := execute(t, w.env, "incidents", id, "-config", file); got.code != 0 || !strings.Contains(got.stdout, "taken on by anna (on my way)") || !strings.Contains(got.stdout, "  do") {
		t.Errorf("incidents %s: %d %s%s", id, got.code, got.stdout, got.stderr)
	}
	proxy.Heal()
	shows("resolved by itself", func(all []incident.Incident) bool { return len(all) == 1 && all[0].ID == id && !all[0].Open() }, "-all")

	// Ten products get a VAT code that nobody knows.
	w.inERP(t, "UPDATE product SET vat = 'wine' WHERE no <= 10; UPDATE product SET vat = 'beer' WHERE no = 11")
	var parked incident.Incident
	shows("products without a VAT code", func(all []incident.Incident) bool {
		if len(all) == 1 {
			parked = all[0]
		}
		return len(all) == 1 && parked.Link == "view product" && parked.Count == 11
	})
	if parked.Where == "" || parked.Fix == "" || len(parked.Samples) == 0 {
		t.Errorf("%+v", parked)
	}
	w.inERP(t, "INSERT INTO vat VALUES ('wine', 0.25)")
	shows("one is left", func(all []incident.Incident) bool {
		return len(all) == 1 && all[0].ID == parked.ID && all[0].Count == 1
	})
	w.inERP(t, "INSERT INTO vat VALUES ('beer', 0.20)")
	shows("both are resolved, and nothing else was opened", func(all []incident.Incident) bool {
		return len(all) == 2 && !all[0].Open() && !all[1].Open()
	}, "-all")

	var r status.Report
	if got := execute(t, w.env, "status", "-json", "-config", file); got.code != 0 || json.Unmarshal([]byte(got.stdout), &r) != nil || !r.Ready {
		t.Errorf("status: %d %s%s", got.code, got.stdout, got.stderr)
	}
}

// running are the servers that newWorld has made its databases in.
func running(t *testing.T) servers {
	t.Helper()
	s, err := startServers()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

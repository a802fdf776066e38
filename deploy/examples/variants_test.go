//go:build integration

package examples_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/testenv"
	"shelfstream/status"
)

// variantSteps change the clothing ERP, one case of its README each.
var variantSteps = []struct {
	what, sql string
	touches   []string
}{
	{"a member moves to another style", "UPDATE article SET style_no = 'HD-200', colour = 'Orange' WHERE article_no = 'TS-100-Red-XL'", []string{"product", "variant", "axis"}},
	{"the last member leaves, and its product with it", "UPDATE article SET style_no = 'GIFT-500', colour = 'Grey', size = 'M' WHERE article_no = 'SC-400-GRY'", []string{"product", "variant"}},
	{"and comes back", "UPDATE article SET style_no = 'SC-400' WHERE article_no = 'SC-400-GRY'", []string{"product", "variant"}},
	{"an article of no style is a simple product", "INSERT INTO article VALUES ('BELT-1', ' ', 'Belt', 'Brown', NULL, 99.20)", []string{"product", "variant", "axis"}},
	{"a missing size", "UPDATE article SET size = NULL WHERE article_no = 'CP-300-GRE-M'", []string{"product", "variant", "axis"}},
	{"a missing colour of the other one: nothing is left", "UPDATE article SET colour = '' WHERE article_no = 'CP-300-GRE-S'", []string{"product", "variant", "axis"}},
	{"both are there again", "UPDATE article SET colour = 'Green', size = right(article_no, 1) WHERE style_no = 'CP-300'", []string{"product", "variant", "axis"}},
	{"a doubled colour and size", "INSERT INTO article VALUES ('TS-100-Red-M2', 'TS-100', 'again', ' RED ', 'M', 1)", []string{"product"}},
	{"the lower of the two goes", "DELETE FROM article WHERE article_no = 'TS-100-Red-M'", []string{"product", "variant"}},
	{"the style's row comes after its articles", "INSERT INTO style VALUES ('CP-300', 'Cap', 'Fjell')", []string{"product"}},
	{"and goes again", "DELETE FROM style WHERE style_no = 'CP-300'", []string{"product"}},
	{"a lower number becomes the parent", "INSERT INTO article VALUES ('CP-300-AAA', 'CP-300', 'Cap blue', 'Blue', 'L', 79.20)", []string{"product", "variant", "axis"}},
	{"one is blocked", "UPDATE article SET blocked = true WHERE article_no = 'CP-300-AAA'", []string{"product", "variant", "axis"}},
	{"all are blocked", "UPDATE article SET blocked = true WHERE style_no = 'HD-200'", []string{"product", "variant", "axis"}},
	{"the order of sizes changes", "UPDATE size_order SET position = 6 - position", []string{"variant", "axis"}},
	{"a VAT rate changes all", "UPDATE vat_rate SET rate = 24 WHERE vat_code = 1", []string{"product", "variant"}},
	{"all in one transaction", "BEGIN; UPDATE article SET net_price = net_price + 1, blocked = false; UPDATE article SET style_no = 'MIX-1' WHERE size = 'XL'; DELETE FROM article WHERE article_no = 'GIFT-500'; COMMIT", []string{"product", "variant", "axis"}},
}

// TestVariants runs the example of variants and compares the shop with SQL over the ERP after each step.
func TestVariants(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	w := startWorld(t, ctx)
	const name = "clothing"
	erpDSN, err := w.pg.CreateDatabase(ctx, name)
	check(t, err)
	t.Cleanup(func() { check(t, w.pg.DropDatabase(context.Background(), name)) }) // with its replication slot, whose name is the server's
	shopDSN, err := w.my.CreateDatabase(ctx, name)
	check(t, err)
	for _, file := range []string{"variants/erp.sql", "variants/compare/members.sql"} {
		text, err := os.ReadFile(file)
		check(t, err)
		check(t, w.pg.Exec(ctx, name, string(text)))
	}
	check(t, w.pg.Exec(ctx, name, "GRANT USAGE ON SCHEMA public TO capture; GRANT SELECT ON ALL TABLES IN SCHEMA public TO capture"))

	p := &pipeline{w: w, dir: "variants", tables: []string{"product", "variant", "axis"}, erpDSN: erpDSN}
	p.start(t, ctx, w.pg.DSNAs("capture", name), shopDSN)
	before := p.equal(t, ctx, "after the load")
	if n := len(before["product"]); n != 5 {
		t.Fatalf("%d products: %v", n, before["product"])
	}
	for _, step := range variantSteps {
		check(t, w.pg.Exec(ctx, name, step.sql))
		after := p.equal(t, ctx, step.what)
		for _, table := range step.touches {
			if slices.Equal(before[table], after[table]) {
				t.Errorf("%s: %s has not changed, so the step shows nothing", step.what, table)
			}
		}
		before = after
	}
	p.parksGroup(t, ctx, name, before)
	p.explainsGroup(t, ctx)
	if out := p.command(t, ctx, "check", "-connect"); strings.Contains(out, "later ") {
		t.Errorf("check -connect of a running pipeline leaves something out:\n%s", out)
	}
	if out := p.command(t, ctx, "status"); !strings.Contains(out, "transform variant: LIVE") || !strings.Contains(out, "transform product: LIVE") {
		t.Errorf("status:\n%s", out)
	}
	// A replay of the view below is one of the view over it: no sink reads the one below.
	if out := p.command(t, ctx, "replay", "view/product", "-to", "beginning"); strings.Count(out, "clothing.variant/") != 4 {
		t.Errorf("replay:\n%s", out)
	}
	p.equal(t, ctx, "after the replay")
	check(t, p.run.Stop(ctx))
	// Of the stopped pipeline the state is read.
	p.explainsGroup(t, ctx)
}

// parksGroup gives a member another VAT code than the rest of its style: the shop keeps the version before until they agree again.
func (p *pipeline) parksGroup(t *testing.T, ctx context.Context, db string, before map[string][]string) {
	t.Helper()
	check(t, p.w.pg.Exec(ctx, db, "UPDATE article SET vat_code = 2, name = 'not to be seen' WHERE article_no = 'CP-300-AAA'"))
	limited, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var out string
	if err := testenv.WaitFor(limited, "the group to be parked", func() (bool, error) {
		out = p.command(t, ctx, "parked", "variant")
		return strings.Contains(out, "CP-300") && strings.Contains(out, "several rows of members match") && strings.Contains(out, "15.00"), nil
	}); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, table := range p.tables {
		if rows, err := p.shopRows(ctx, table); err != nil || !slices.Equal(rows, before[table]) {
			t.Errorf("the shop shows a product that is parked: %s: %v", table, err)
		}
	}
	check(t, p.w.pg.Exec(ctx, db, "UPDATE article SET vat_code = 2 WHERE style_no = 'CP-300'"))
	p.equal(t, ctx, "after the members agree again")
}

// explainsGroup asks where a grouped product comes from: the rows of the view below.
func (p *pipeline) explainsGroup(t *testing.T, ctx context.Context) {
	t.Helper()
	var x status.Explanation
	check(t, json.Unmarshal([]byte(p.command(t, ctx, "explain", "-json", "variant", "CP-300")), &x))
	fields := map[string]status.ExplainedField{}
	for _, f := range x.Fields {
		fields[f.Field] = f
	}
	if f := fields["parent_article"]; f.Value != "CP-300-AAA" || f.Rule != "kind" || f.Layer != "variant" || !slices.ContainsFunc(f.Uses, func(u status.ExplainedUse) bool { return u.Input == "members" }) {
		t.Errorf("explain: parent_article is %+v", f)
	}
	if n := len(x.Rows); n != 3 || x.Rows[0].Topic != "clothing.product" || x.Rows[0].Input != "members" || x.Rows[0].Committed.IsZero() {
		t.Errorf("explain: %d rows: %+v", n, x.Rows)
	}
	if len(x.Targets) != 4 || len(x.Targets[0].Rows) != 1 {
		t.Errorf("explain: targets %+v", x.Targets)
	}
}

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shelfstream/schemas"
	"shelfstream/sink"
)

const viewsConfig = `pipeline: moestue
sources:
  erp:
    postgres:
      dsn: ${ERP_DSN}
      tables:
        product: {}
        note: { partition_by: [season] }
        rate: { broadcast: true }
views:
  variant:
    from: product
    group_by: [parent_no]
    order_by: [size desc]
    children:
      notes: { from: erp.note, on: { parent: parent_no }, scattered: true }
    lookups:
      settings: { from: erp.rate, every: true }
    rules: [variant.rules.yaml]
  product:
    from: erp.product
    lookups:
      group: { from: erp.rate, on: { code: group_no, country: { value: "NO" } } }
      vat: { from: erp.rate, on: { code: group.next } }
    rules: [product.rules.yaml]
  listed:
    from: product
    children:
      variants: { from: variant, on: { parent_no: no } }
    rules: [listed.rules.yaml]
  pair:
    from: product
    rules: [pair.rules.yaml]
sinks:
  shop:
    mysql:
      dsn: ${SHOP_DSN}
      tables: { variant: { from: variant } }
  list:
    mysql:
      dsn: ${SHOP_DSN}
      tables: { product: { from: product }, listed: { from: listed } }
`

func loadViews(t *testing.T, config string) *pipeline {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"pipeline.yaml":      config,
		"product.rules.yaml": "rules: [{ name: facts, set: { parent_no: parent_no, size: size } }]",
		"variant.rules.yaml": "rules: [{ name: group, set: { sizes: count(members), first: \"first(members, size order no)\" } }]",
		"pair.rules.yaml":    "rules: [{ name: all, set: { size: size } }]",
		"listed.rules.yaml":  "rules: [{ name: all, set: { variants: count(variants) } }]",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := loadPipeline(filepath.Join(dir, "pipeline.yaml"), func(name string) (string, bool) { v, ok := goodEnv[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func table(key int, columns ...string) *schemas.Table {
	t := &schemas.Table{Key: []int{key}}
	for _, c := range columns {
		t.Columns = append(t.Columns, schemas.Column{Name: c, Type: schemas.Type{Kind: schemas.KindText}, Nullable: true})
	}
	t.Columns[key].Nullable = false
	return t
}

func viewShapes() map[string]*schemas.Table {
	return map[string]*schemas.Table{
		"moestue.erp.product": table(0, "no", "parent_no", "size", "group_no"),
		"moestue.erp.note":    table(0, "note_no", "parent", "season", "text"),
		"moestue.erp.rate":    table(0, "code", "country", "next", "rate"),
	}
}

func TestTransformViewOfViews(t *testing.T) {
	p := loadViews(t, viewsConfig)
	v := p.transformView("variant")
	if v.Root != "moestue.product" || !slices.Equal(v.GroupBy, []string{"parent_no"}) || len(v.MembersOrder) != 1 || !v.MembersOrder[0].Desc || !v.Children[0].Scattered ||
		!slices.Equal(v.Views, []string{"moestue.product"}) || !slices.Equal(v.Checkpoints, []string{"moestue.erp.checkpoints"}) || len(v.Lookups[0].On) != 0 {
		t.Errorf("variant: %+v", v)
	}
	v = p.transformView("product")
	if on := v.Lookups[0].On; on[0].Of != "group_no" || on[0].Constant != nil || *on[1].Constant != "NO" || v.Lookups[1].On[0].From != "group" || v.Lookups[1].On[0].Of != "next" || v.Views != nil {
		t.Errorf("product: %+v", v)
	}
	v = p.transformView("listed")
	if v.Checkpoints != nil || !slices.Equal(v.Views, []string{"moestue.product", "moestue.variant"}) {
		t.Errorf("listed: %+v", v)
	}
	if order := p.ViewOrder(); !slices.Equal(order, []string{"product", "variant", "listed", "pair"}) {
		t.Errorf("order %v", order)
	}
	if over := p.ViewsOver("product"); !slices.Equal(over, []string{"variant", "listed", "pair"}) || p.IsRead("listed") || !slices.Equal(p.ViewsUnder("listed"), []string{"product", "variant"}) {
		t.Errorf("over %v, under listed %v", over, p.ViewsUnder("listed"))
	}
	a := &app{cfg: p}
	for view, want := range map[string]string{"product": "3600000", "variant": "3600000", "listed": "", "pair": ""} {
		if configs, isRead := a.cleaned(view); configs["min.compaction.lag.ms"] != want || isRead != (want != "") || configs["delete.retention.ms"] == "" {
			t.Errorf("topics of %s: %v, is read %v", view, configs, isRead)
		}
	}
}

// TestCheckOfViewsOverViews: views are compiled against the shapes that the rules of the views below give, whatever their order in the file.
func TestCheckOfViewsOverViews(t *testing.T) {
	for _, c := range []struct{ name, change, to, fault, later string }{
		{"in order", "partition_by: [season]", "partition_by: [note_no]", "", ""},
		{"a scattered child moves between partitions", "", "", "erp.note is read from all partitions and partitioned by [season], which is not of its key, [note_no]", ""},
		{"group_by of a column that the view below does not have", "group_by: [parent_no]", "group_by: [group_no]", `pipeline.yaml:13:16: view variant: table moestue.product has no column "group_no"`, "view listed"},
		{"order_by too", "order_by: [size desc]", "order_by: [sizes]", `pipeline.yaml:14:16: view variant: members: table moestue.product has no column "sizes"`, "view listed"},
		{"a child whose products lie by two columns", "from: variant, on: { parent_no: no }", "from: pair, on: { size: no }", "the products of pair lie by their key, [no], and not where their product lies", ""},
		{"a lookup's column", "{ code: group.next }", "{ code: group.nxt }", `view product: lookup vat: table moestue.erp.rate has no column "nxt"`, "view variant"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := viewsConfig
			if c.fault != "" && c.change != "" {
				config = strings.Replace(config, "partition_by: [season]", "partition_by: [note_no]", 1)
			}
			if strings.Contains(c.to, "group_no]") {
				config = strings.NewReplacer("on: { parent: parent_no }", "on: { parent: group_no }", "from: variant, on: { parent_no: no }", "from: variant, on: { group_no: no }, scattered: true").Replace(config)
			}
			config = strings.Replace(config, c.change, c.to, 1)
			p := loadViews(t, config)
			var out strings.Builder
			k := &checker{cfg: p, out: &out, within: checkWithin, broken: map[string]bool{}}
			shapes := viewShapes()
			a := newProbe(p, "", nil)
			for _, name := range p.ViewOrder() {
				k.view(t.Context(), a, name, shapes, map[string]sink.View{})
			}
			err := k.faults.Err()
			if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
				t.Errorf("%v\n%s", err, out.String())
			}
			if c.later != "" && !strings.Contains(out.String(), "later   "+c.later) {
				t.Errorf("%s does not wait:\n%s", c.later, out.String())
			}
		})
	}
}

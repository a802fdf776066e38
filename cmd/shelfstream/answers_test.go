package main

import (
	"os"
	"slices"
	"testing"

	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/status/web"
)

// What a sink is answered is an edge of the pipeline's picture, and of what follows from what.
func TestAnswersAreAnEdge(t *testing.T) {
	file := writeConfig(t, `pipeline: it
sources:
  erp:
    postgres: { dsn: "postgres://x@127.0.0.1:1/x", tables: { product: {} } }
views:
  product: { from: erp.product, rules: [] }
sinks:
  api:
    rest: { url: "http://127.0.0.1:1", tables: { product: { from: product, path: /products, answer: no } } }
  shop:
    mysql: { dsn: "x@tcp(127.0.0.1:1)/x", tables: { product: { from: api.answers, missing: park } } }
`)
	p, err := loadPipeline(file, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	if arrow := (web.Arrow{From: "sink api", To: "sink shop"}); !slices.Contains(p.flow().Arrows, arrow) {
		t.Errorf("the picture lacks %+v: %+v", arrow, p.flow().Arrows)
	}
	if flow := p.incidentRules().Flow["sink shop"]; !slices.Equal(flow, []string{"sink api"}) || p.DataOf("sink shop") != "product" {
		t.Errorf("the sink shop follows from %v, with %q", flow, p.DataOf("sink shop"))
	}
	if a := (&app{cfg: p}); !a.feeds([]string{"shop"}, "product") || a.feeds([]string{"shop"}, "api.answer") || p.answersFor("api.answers.product") != "" {
		t.Error("what feeds the sink is not looked at before it starts")
	}
	products := map[string]sink.View{"product": {Table: &schemas.Table{Key: []int{0}, Columns: []schemas.Column{{Name: "no"}}}}}
	p.answered(products)
	if v := products["api.answers"]; v.Topic != "it.api.answers" || v.Table == nil || v.Table.Column("answer") < 0 || v.Table.Column("no") != 0 {
		t.Errorf("the answers are read as %+v", v)
	}
}

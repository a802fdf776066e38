package rules

import (
	"slices"
	"testing"
	"time"

	"shelfstream/schemas"
)

// TestCover: a rule counts as reached, as held and as having set something; one behind a filter that left the product out is not reached.
func TestCover(t *testing.T) {
	root := &schemas.Table{Name: "p", Columns: []schemas.Column{{Name: "no", Type: schemas.Type{Kind: schemas.KindInt, Bits: 64}}, {Name: "name", Type: schemas.Type{Kind: schemas.KindText}, Nullable: true}}, Key: []int{0}}
	prog, err := Compile([]Source{{Name: "r.yaml", Layer: "customer", Data: []byte(`rules:
  - name: name
    set: { title: name }
  - name: big
    when: no > 10
    set: { size: "'big'" }
  - name: shown
    include: no <> 13
  - name: last
    set: { last: 1 }
  - name: empty
    list: { from: lines, set: { all: { no: no } } }
`)}}, Env{View: "v", Root: root, Children: []Child{{Name: "lines", Table: root}}})
	if err != nil {
		t.Fatal(err)
	}
	info := prog.Rules()
	if want := (RuleInfo{Name: "big", Layer: "customer", File: "r.yaml", Line: 4}); len(info) != 5 || info[1] != want {
		t.Fatalf("rules %+v", info)
	}
	hits := make([]Hits, len(info))
	e := prog.NewEvaluator()
	for _, row := range [][]schemas.Value{{schemas.Int(1), schemas.Null}, {schemas.Int(11), schemas.Text("x")}, {schemas.Int(13), schemas.Null}} {
		var res Result
		if err := e.Cover(&Input{Root: row, Children: make([][][]schemas.Value, 1), Now: time.Unix(0, 0)}, &res, hits); err != nil {
			t.Fatal(err)
		}
	}
	if want := []Hits{{3, 3, 1}, {3, 2, 2}, {3, 3, 3}, {2, 2, 2}, {2, 2, 0}}; !slices.Equal(hits, want) {
		t.Errorf("got %v, want %v", hits, want)
	}
}

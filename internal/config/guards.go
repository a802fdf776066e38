package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Guard holds back changes of a view's products that are more than usual; transform.Guard says how.
type Guard struct {
	Name    string        `yaml:"name" required:"true" doc:"What messages and commands call it."`
	Removed bool          `yaml:"removed" doc:"Counts products that leave the view."`
	Field   string        `yaml:"field" doc:"The field of the product that is looked at, with 'becomes' or 'moves'."`
	Becomes []string      `yaml:"becomes" doc:"Counts products whose field becomes one of these values."`
	Moves   Percent       `yaml:"moves" doc:"Counts products whose field moves by more than this share of what it was, or is lost."`
	Loses   string        `yaml:"loses" doc:"Counts products that lose their rows of this child or lookup, while they stay themselves: a half import."`
	Rows    Percent       `yaml:"rows" doc:"With 'loses': counts products that lose more than this share of the rows; all of them if left out."`
	Share   Percent       `yaml:"share" doc:"So many of the products may change within the window."`
	Count   int           `yaml:"count" doc:"So many products may change within the window; with 'share' both must hold. Processes that share the view divide it."`
	AtLeast int           `yaml:"at_least" doc:"Fewer changes than this are never held; 20 if left out, or one more than a count that is less. Divided like 'count'."`
	Window  time.Duration `yaml:"window" doc:"Changes within this time count together; 10m if left out."`
}

// SetDefaults is transform's own default, so that it is printed.
func (g *Guard) SetDefaults() { g.Window = 10 * time.Minute }

// AllGuards is what commands call every guard of a view.
const AllGuards = "all"

// Percent is a share, in percent: 2% is 2.
type Percent float64

func (p *Percent) decodeNode(d *decoder, n *yaml.Node, path string) {
	if isNull(n) {
		return
	}
	number, sign := strings.CutSuffix(n.Value, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if n.Kind != yaml.ScalarNode || !sign || err != nil || !(v > 0 && v <= 1e6) {
		fix := "write it with its sign: 2%, or 0.5%"
		if n.Kind == yaml.ScalarNode && !sign && err == nil && v >= 1 {
			fix = "write " + n.Value + "%"
		}
		d.fail(n, path, "wants a share above 0 in percent, and there is "+describe(n), fix)
		return
	}
	*p = Percent(v)
}

func (p Percent) String() string { return strconv.FormatFloat(float64(p), 'f', -1, 64) + "%" }

func (p Percent) printNode(*printer, string) *yaml.Node {
	if p == 0 {
		return nil
	}
	return text(p.String())
}

func (p Percent) schema(*generator) object {
	return object{"type": "string", "pattern": `^(\$\{.*\}|[0-9.]+ *%)$`}
}

// GuardPlace is "file:line:column" of a key of a view's guard, of the guard where it has no such key, or of the view where there is no such guard.
func (p *Pipeline) GuardPlace(view, guard, key string) string {
	list, _ := p.nodeAt([]string{"views", view, "guards"})
	if list.Kind == yaml.SequenceNode {
		for _, g := range list.Content {
			if name := child(g, "name"); name != nil && name.Value == guard {
				if value := child(g, key); value != nil {
					return place(p.File, value)
				}
				return place(p.File, g)
			}
		}
	}
	return place(p.File, list)
}

// guards checks what can be said of a view's guards without its products' fields.
func (v *validator) guards(path []string, view *View) {
	list, _ := v.p.nodeAt(append(path, "guards"))
	for i := range view.Guards {
		g := &view.Guards[i]
		entry := list
		if list.Kind == yaml.SequenceNode && i < len(list.Content) {
			entry = list.Content[i]
		}
		fail := func(key, what, fix string) {
			at, where := entry, fmt.Sprintf("%s.guards[%d]", strings.Join(path, "."), i)
			if value := child(at, key); value != nil {
				at, where = value, join(where, key)
			}
			v.failAt(at, where, what, fix)
		}
		switch {
		case g.Name == AllGuards:
			fail("name", "commands mean every guard of the view by all", "write another name, such as removals")
		case g.Name != "" && slices.ContainsFunc(view.Guards[:i], func(o Guard) bool { return o.Name == g.Name }):
			fail("name", fmt.Sprintf("another guard of the view is called %q", g.Name), "give each a name of its own")
		}
		v.guardCounts(g, entry, fail)
		v.guardLoses(view, g, entry, fail)
		if child(entry, "share") == nil && child(entry, "count") == nil {
			fail("", "it does not say how many changes may go out", "add 'share: 5%' of the products, or 'count: 200', or both")
		}
		if g.Share > 100 {
			fail("share", "more than all products cannot change", "write 100% at most")
		}
		if g.Count < 0 || g.Count == 0 && g.Share == 0 && child(entry, "count") != nil {
			fail("count", "a number of products is wanted", "write e.g. 200, or remove it")
		}
		if g.AtLeast < 0 {
			fail("at_least", "a number of changes is wanted", "write e.g. 20, or remove it")
		}
	}
}

// guardCounts checks that a guard counts one kind of change.
func (v *validator) guardCounts(g *Guard, entry *yaml.Node, fail func(key, what, fix string)) {
	const fix = "write 'removed: true', or 'field: status' with 'becomes: [draft]', or 'field: price' with 'moves: 30%', or 'loses: images'"
	var ways []string
	for _, way := range []struct {
		key string
		set bool
	}{{"removed", g.Removed}, {"becomes", len(g.Becomes) > 0}, {"moves", child(entry, "moves") != nil}, {"loses", g.Loses != ""}} {
		if way.set {
			ways = append(ways, way.key)
		}
	}
	switch {
	case len(ways) == 0:
		fail("", "it does not say which changes it counts", fix)
	case len(ways) > 1:
		fail(ways[1], "a guard counts one kind of change, and here are "+strings.Join(ways, " and "), "make a guard of each, or remove one; "+fix)
	case (g.Removed || g.Loses != "") && g.Field != "":
		what := "products that leave the view have no field that counts"
		if g.Loses != "" {
			what = "rows are counted before the rules, and no field"
		}
		fail("field", what, "remove field, or write becomes or moves instead of "+ways[0])
	case !g.Removed && g.Loses == "" && g.Field == "":
		fail(ways[0], "the field is missing", "add 'field: …' with the field of the product")
	}
}

// guardLoses checks the name of what products may lose rows of.
func (v *validator) guardLoses(view *View, g *Guard, entry *yaml.Node, fail func(key, what, fix string)) {
	switch rows := child(entry, "rows"); {
	case rows != nil && g.Loses == "":
		fail("rows", "it is a share of the rows of a child, and none is named", "add 'loses: …' with the name of a child, or remove rows")
	case g.Rows >= 100:
		fail("rows", "no product can lose more than all of its rows", "write e.g. 50%, or remove it: then a product counts that loses all of them")
	}
	if g.Loses == "" {
		return
	}
	var known []string
	if len(view.GroupBy) > 0 {
		known = append(known, members)
	}
	known = append(append(known, view.Children.Names()...), view.Lookups.Names()...)
	if slices.Contains(known, g.Loses) {
		return
	}
	fix := "the view has neither: name the child whose rows count, or remove the guard"
	if len(known) > 0 {
		fix = "name one of " + strings.Join(known, ", ")
	}
	if near := Nearest(g.Loses, known); near != "" {
		fix = fmt.Sprintf("did you mean %q? Otherwise %s", near, fix)
	}
	fail("loses", fmt.Sprintf("the view has no child or lookup %q", g.Loses), fix)
}

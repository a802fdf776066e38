package rules

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// meaning is counted up when the same rules would give other results than before, so that views are evaluated anew.
const meaning = 1

// compiled is a rule ready to run.
type compiled struct {
	rule *rule
	when func(m *machine) tri // nil: always
	run  func(m *machine)
}

// Compile checks rule files against the shapes of a view's tables. The error is a fault.List of class Config with every fault in
// every file, in the order of the files' lines within each rule; Where is "file:line:column".
func Compile(files []Source, env Env) (*Program, error) {
	var faults fault.List
	if env.Zone == nil {
		env.Zone = time.UTC
	}
	p := &Program{env: env, zone: env.Zone}
	p.bindKey(&faults)
	c := &compiler{env: &p.env, faults: &faults, functions: map[string]*function{}}
	for _, f := range functionTable() {
		c.functions[f.Name] = f
	}
	layers := make([][]*rule, len(files))
	for i, f := range files {
		layers[i] = readRules(f, &faults)
	}
	rules := layered(layers, &faults)
	for _, r := range rules {
		if r.kind == nil {
			continue
		}
		c.rule, c.visible = r, len(c.fields)
		step := compiled{rule: r}
		if r.when != nil {
			step.when = c.condition(r.when).test
		}
		step.run = r.kind.compile(c)
		p.steps = append(p.steps, step)
	}
	for _, check := range c.finally {
		check()
	}
	if c.final {
		c.keepAll()
	}
	p.fields, p.kept = c.fields, c.kept
	p.describe(c)
	if err := sorted(faults, files); err != nil {
		return nil, err
	}
	p.digest(rules)
	return p, nil
}

// Check reads rule files without knowing the tables: YAML, the words of rules, the syntax of expressions, and how the layers fit together. What
// it finds, Compile finds too. The error is a fault.List of class Config.
func Check(files []Source) error {
	var faults fault.List
	layers := make([][]*rule, len(files))
	for i, f := range files {
		layers[i] = readRules(f, &faults)
	}
	layered(layers, &faults)
	return sorted(faults, files)
}

// sorted puts the faults in the order of files, lines and columns.
func sorted(faults fault.List, files []Source) error {
	at := func(f *fault.Fault) (int, int, int) {
		for i, s := range files {
			var line, col int
			if rest, ok := strings.CutPrefix(f.Where, s.Name+":"); ok {
				if n, err := fmt.Sscanf(rest, "%d:%d", &line, &col); err == nil && n == 2 {
					return i, line, col
				}
			}
		}
		return -1, 0, 0
	}
	slices.SortStableFunc(faults, func(a, b *fault.Fault) int {
		af, al, ac := at(a)
		bf, bl, bc := at(b)
		if af != bf {
			return af - bf
		}
		if al != bl {
			return al - bl
		}
		return ac - bc
	})
	return faults.Err()
}

// bindKey finds the key columns and refuses names that would hide each other.
func (p *Program) bindKey(faults *fault.List) {
	bad := func(what, fix string) {
		faults.Add(&fault.Fault{Class: fault.Config, Where: "view " + p.env.View, What: what, Fix: fix})
	}
	if p.env.Key == nil {
		for _, i := range p.env.Root.Key {
			p.env.Key = append(p.env.Key, p.env.Root.Columns[i].Name)
		}
	}
	for _, name := range p.env.Key {
		i := p.env.Root.Column(name)
		if i < 0 {
			bad(fmt.Sprintf("key column %s is not a column of the root table", name), didYouMean(name, columnNames(p.env.Root.Columns), "name a column of the root table"))
			continue
		}
		p.keyColumns = append(p.keyColumns, i)
	}
	var names []string
	for _, k := range p.env.Children {
		names = append(names, k.Name)
	}
	for _, l := range p.env.Lookups {
		names = append(names, l.Name)
	}
	for i, name := range names {
		if slices.Contains(scopeWords, name) {
			bad(fmt.Sprintf("%s cannot be the name of a child or lookup: rules use it for something else", name), "call it otherwise")
		}
		if slices.Contains(names[:i], name) {
			bad(fmt.Sprintf("two children or lookups are called %s", name), "call one of them otherwise")
		}
	}
}

// describe makes the output table: the key, then the fields in the order of their first setting.
func (p *Program) describe(c *compiler) {
	p.output = &schemas.Table{}
	for i, col := range p.keyColumns {
		column := p.env.Root.Columns[col]
		column.Nullable = false
		p.output.Columns = append(p.output.Columns, column)
		p.output.Key = append(p.output.Key, i)
	}
	for i := range c.fields {
		f := &c.fields[i]
		if !f.bad && f.at.origin != nil {
			c.rule = f.first
			at := f.at.origin.at(f.at.pos)
			if f.typ.Kind == schemas.KindNull {
				c.rule.file.bad(at, fmt.Sprintf("field %s is always null, so it has no type", f.name), "leave it out, or write text(null)")
			}
			c.checkScale(at, f.name, f.typ)
		}
		p.output.Columns = append(p.output.Columns, schemas.Column{Name: f.name, Type: published(f.typ), Nullable: true})
	}
}

// checkScale refuses a decimal with more digits after the point than any target holds.
func (c *compiler) checkScale(at place, name string, t schemas.Type) {
	if t.Kind == schemas.KindDecimal && t.Precision == maxPrecision && t.Scale > maxScale {
		c.rule.file.bad(at, fmt.Sprintf("%s can have %d digits after the point, and no column holds more than %d", name, t.Scale, maxScale), "write round(…, 2), or as many digits as are meant")
	}
}

// digest hashes all that the results depend on. The YAML tree is hashed and not the text: comments and layout change nothing.
func (p *Program) digest(rules []*rule) {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %q ", meaning, p.zone, p.env.Key)
	describeTable(&b, "root", p.env.Root)
	for _, k := range p.env.Children {
		describeTable(&b, k.Name, k.Table)
	}
	for _, l := range p.env.Lookups {
		fmt.Fprintf(&b, "%t %t ", l.Many, l.Required)
		describeTable(&b, l.Name, l.Table)
	}
	for _, r := range rules {
		describeTree(&b, r.tree, 0)
	}
	sum := sha256.Sum256([]byte(b.String()))
	copy(p.hash[:], sum[:])
}

func describeTable(b *strings.Builder, name string, t *schemas.Table) {
	fmt.Fprintf(b, "%q %v ", name, t.Key)
	describeColumns(b, t.Columns)
}

func describeTree(b *strings.Builder, n *yaml.Node, depth int) {
	n = resolved(n)
	fmt.Fprintf(b, "(%d %q", n.Kind, n.Value)
	for _, k := range n.Content {
		if depth < maxDepth {
			describeTree(b, k, depth+1)
		}
	}
	b.WriteByte(')')
}

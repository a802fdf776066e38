package casefile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/transform/rules"
	"shelfstream/transform/standard"
)

// Options say how cases are run.
type Options struct {
	// Update writes what the rules give into the case files where it differs from what is expected.
	Update bool
	// ReadFile reads a file that is named on the command line or in a case file; nil means os.ReadFile.
	ReadFile func(name string) ([]byte, error)
}

// Suite is case files, read and checked, with their rules compiled.
type Suite struct {
	files    []*caseFile
	programs []*program
}

// program is rule files compiled for a view. Cases that name the same files share it.
type program struct {
	sources []rules.Source
	env     rules.Env
	prog    *rules.Program
	eval    *rules.Evaluator
	hits    []rules.Hits
}

// caseFile is one file of cases.
type caseFile struct {
	doc   *document
	cases []*testCase
}

// testCase is one product's story.
type testCase struct {
	name  string
	line  int
	prog  *program
	steps []*step
}

// loader reads the files of one suite.
type loader struct {
	opts   Options
	faults fault.List
	suite  *Suite
	known  map[string]*program
}

// Load reads case files and compiles their rules. The error is a fault.List of class Config with everything that is wrong in the case
// files and the rule files, each at "file:line:column".
func Load(files []string, opts Options) (*Suite, error) {
	if opts.ReadFile == nil {
		opts.ReadFile = os.ReadFile
	}
	l := &loader{opts: opts, suite: &Suite{}}
	for _, name := range files {
		l.known = map[string]*program{}
		doc := l.read(name, nil, nil)
		if doc == nil || doc.top == nil {
			continue
		}
		l.suite.files = append(l.suite.files, l.file(doc))
	}
	if err := l.faults.Err(); err != nil {
		return nil, err
	}
	return l.suite, nil
}

// read reads a YAML file; n of document d names it.
func (l *loader) read(name string, d *document, n *yaml.Node) *document {
	data, err := l.opts.ReadFile(name)
	if err != nil {
		where := name
		if d != nil {
			where = fmt.Sprintf("%s:%d:%d", d.name, n.Line, n.Column)
		}
		l.faults.Add(&fault.Fault{Class: fault.Config, Where: where, What: "the file cannot be read", Fix: "name a file that is there; paths start from the case file's folder", Err: err})
		return nil
	}
	return parse(name, data, &l.faults)
}

// named reads what a case file names: one of the standard files, or a path from its own folder.
func (l *loader) named(d *document, n *yaml.Node, builtin func(name string) ([]byte, error)) *document {
	name, ok := strings.CutPrefix(n.Value, standard.Prefix)
	if !ok {
		return l.read(filepath.Join(filepath.Dir(d.name), n.Value), d, n)
	}
	data, err := builtin(name)
	if err != nil {
		l.adopt(d, n, err)
		return nil
	}
	return parse(n.Value, data, &l.faults)
}

// adopt takes over the faults of somebody who does not know the place.
func (l *loader) adopt(d *document, n *yaml.Node, err error) {
	for _, f := range fault.All(err) {
		d.bad(n, f.What, f.Fix)
	}
}

var fileKeys = []string{"pipeline", "view", "zone", "rules", "tables", "given", "cases"}

func (l *loader) file(d *document) *caseFile {
	o := d.object(d.top, "the case file", fileKeys...)
	f := &caseFile{doc: d}
	shapes := map[string]*shape{}
	l.tables(d, o["tables"].value, shapes)

	conf := &configured{doc: d, node: o["view"].value, dir: filepath.Dir(d.name)}
	name := "product"
	if p := o["pipeline"].value; p != nil {
		if v := o["view"].value; v != nil {
			name = v.Value
		}
		doc := l.named(d, p, standard.Pipeline)
		if doc == nil || doc.top == nil {
			return f
		}
		if conf = d.viewOf(p, doc, name); conf == nil {
			return f
		}
	} else if isNull(conf.node) {
		d.bad(d.top, "the case file names no view", "write `pipeline: shop.yaml` and `view: product`, or write the view itself: view: { from: product }")
		return f
	}
	zoneName, zoneNode := conf.zone, d.top
	if z := o["zone"].value; z != nil {
		zoneName, zoneNode = z.Value, z
	}
	zone := d.zoneNamed(zoneNode, zoneName)
	v := conf.doc.bindView(name, conf.node, shapes, zone)
	if v == nil {
		return f
	}

	sources := l.sources(d, items(o["rules"].value), filepath.Dir(d.name))
	if o["rules"].value == nil {
		sources = l.sources(conf.doc, conf.rules, conf.dir)
	}
	given := d.changes(pair{name: "given", value: o["given"].value}, shapes)
	if isNull(o["cases"].value) {
		d.bad(d.top, "the file has no cases", "write cases: with a list of { name, now, rows, expect }")
	}
	for _, n := range items(o["cases"].value) {
		w := &world{view: v, shapes: shapes, rows: map[string][][]schemas.Value{}}
		if c := l.testCase(d, n, w, sources, given, zone); c != nil {
			f.cases = append(f.cases, c)
		}
	}
	return f
}

// tables reads shapes: a map, a file's name, or a list of such.
func (l *loader) tables(d *document, n *yaml.Node, shapes map[string]*shape) {
	for _, item := range items(n) {
		if item.Kind == yaml.MappingNode {
			d.shapes(item, shapes)
			continue
		}
		if doc := l.named(d, item, standard.Tables); doc != nil && doc.top != nil {
			doc.shapes(doc.object(doc.top, "a file of tables", "tables")["tables"].value, shapes)
		}
	}
}

// sources reads rule files; an item may also be `{ name: text of the rules }`.
func (l *loader) sources(d *document, list []*yaml.Node, dir string) []rules.Source {
	var out []rules.Source
	for _, n := range list {
		if n.Kind == yaml.MappingNode {
			for _, p := range d.pairs(n, "rules") {
				out = append(out, rules.Source{Name: d.name + "#" + p.name, Layer: layerName(p.name), Data: []byte(p.value.Value)})
			}
			continue
		}
		if name, ok := strings.CutPrefix(n.Value, standard.Prefix); ok {
			s, err := standard.Layer(name)
			if err != nil {
				l.adopt(d, n, err)
				continue
			}
			out = append(out, s)
			continue
		}
		path := filepath.Join(dir, n.Value)
		data, err := l.opts.ReadFile(path)
		if err != nil {
			d.bad(n, fmt.Sprintf("the rule file %s cannot be read", path), "name a file that is there")
			continue
		}
		out = append(out, rules.Source{Name: path, Layer: layerName(path), Data: data})
	}
	return out
}

// layerName is a file's base name without its endings, as explain calls it.
func layerName(file string) string {
	base, _, _ := strings.Cut(filepath.Base(file), ".")
	return base
}

// program compiles rules for a view, once for all cases of a file with the same list.
func (l *loader) program(d *document, at *yaml.Node, sources []rules.Source, env rules.Env) *program {
	var names strings.Builder
	for _, s := range sources {
		names.WriteString(s.Name + "\n" + string(s.Data) + "\x00")
	}
	id := names.String()
	if p, ok := l.known[id]; ok {
		return p
	}
	if len(sources) == 0 {
		d.bad(at, "no rules are named", "write rules: [standard:visma_business, shop.rules.yaml]")
	}
	prog, err := rules.Compile(sources, env)
	for _, f := range fault.All(err) {
		l.faults.Add(f)
	}
	var p *program
	if err == nil {
		p = &program{sources: sources, env: env, prog: prog, eval: prog.NewEvaluator(), hits: make([]rules.Hits, len(prog.Rules()))}
		l.suite.programs = append(l.suite.programs, p)
	}
	l.known[id] = p
	return p
}

// instant reads a case's `now`: an instant with its offset, or a wall-clock time or day in the zone.
func instant(s string, zone *time.Location) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339Nano, strings.Replace(s, " ", "T", 1)); err == nil {
		return at, nil
	}
	at, err := wallClock(s)
	if err != nil {
		return at, err
	}
	out := time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), zone)
	if out.Hour() != at.Hour() || out.Minute() != at.Minute() {
		return out, fmt.Errorf("no clock in %s ever shows %s", zone, s)
	}
	return out, nil
}

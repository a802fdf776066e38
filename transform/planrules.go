package transform

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/transform/rules"
)

// successor is the view under the new rules, and how it sees what the present one reads.
type successor struct {
	layout  *layout
	program *rules.Program
	codec   *schemas.Codec
	// children and lookups say which input of the present view each of the new one is.
	children, lookups []int
	// sorted are the inputs whose rows have to be ordered anew, by their index in the new layout.
	sorted []bool
	// kept are the fields that `keep` rules see of what was published: where the present products have them (-1: nowhere).
	kept   []int
	fields []planColumn
	shape  []PlanShape
	// guards are bound to the new products; guarded says where the present ones have their fields (-1: nowhere).
	guards  guards
	guarded []int
	// same: the rules mean the same, so nothing can change.
	same bool
	// comparable: both give the same shape, so equal bytes are equal products.
	comparable bool
}

// planColumn is a field under both rules; -1 where one has it not.
type planColumn struct {
	name     string
	old, new int
	retyped  bool
}

// successor compiles the new rules against the tables as the state has them.
func (r *Runner) successor(ctx context.Context, b *bound, cfg PlanConfig) (*successor, error) {
	zone := r.cfg.Zone
	if cfg.Zone != nil {
		zone = cfg.Zone
	}
	s := &successor{layout: b.layout}
	if cfg.View != nil {
		shapes, err := r.knownShapes(b.layout, *cfg.View)
		if err != nil {
			return nil, err
		}
		if s.layout, err = bind(*cfg.View, func(topic string) *schemas.Table { return shapes[topic] }); err != nil {
			return nil, err
		}
	}
	if err := s.match(b.layout); err != nil {
		return nil, err
	}
	var err error
	if s.program, err = rules.Compile(cfg.Rules, environment(s.layout, zone)); err != nil {
		return nil, stateFault(err)
	}
	if s.codec, err = r.shape(s.program); err != nil {
		return nil, err
	}
	s.compare(b)
	return s, s.guard(r.cfg.Guards, cfg.Guards, b.program.Output())
}

// stateFault says of a column that the rules want and the table has not how it gets there.
func stateFault(err error) error {
	faults := fault.All(err)
	if len(faults) == 0 {
		return err
	}
	faults = append(slices.Clone(faults), &fault.Fault{
		Class: fault.Config, Where: "plan", What: "the new rules are checked against the tables as the pipeline captures them now, and do not fit",
		Fix: "put the rules right; if they need a column that is not captured yet, let capture read it first",
	})
	return faults
}

// knownShapes are the shapes of the tables that the new view reads, as the state has them.
func (r *Runner) knownShapes(have *layout, want View) (map[string]*schemas.Table, error) {
	shapes := map[string]*schemas.Table{}
	for _, in := range have.inputs {
		if in.kind != inputGroups {
			shapes[in.topic] = in.table
		}
	}
	var faults fault.List
	for _, topic := range want.topics() {
		if shapes[topic] == nil {
			faults.Add(&fault.Fault{
				Class: fault.Config, Where: "view " + want.Name, What: fmt.Sprintf("the new view reads %s, of which the state of the present one has no rows", topic),
				Fix: "plan compares rules over the rows that are there; run the new configuration as a view of another name to see what it makes of the table",
			})
		}
	}
	return shapes, faults.Err()
}

// inputIdentity is what makes the rows of an input the same rows in two layouts.
func (l *layout) inputIdentity(in *input) string {
	return fmt.Sprintf("%d %s %v %v %v %s", in.kind, in.topic, names(in.table, in.join), names(in.table, in.table.Key), in.many, l.describeWanted(in))
}

// match finds for each input of the new layout the one of the state that has its rows.
func (s *successor) match(have *layout) error {
	var faults fault.List
	s.sorted = make([]bool, len(s.layout.inputs))
	for i, in := range s.layout.inputs {
		id := s.layout.inputIdentity(in)
		at := slices.IndexFunc(have.inputs, func(o *input) bool { return have.inputIdentity(o) == id })
		if at < 0 {
			faults.Add(&fault.Fault{
				Class: fault.Config, Where: fmt.Sprintf("view %s: %s", s.layout.view.Name, in.name), What: "the new view finds the rows of " + in.topic + " in another way than the state has them",
				Fix: "plan compares rules over the same rows; leave `from`, `on`, `group_by` and the keys as they are, or run the new configuration as a view of another name",
			})
			continue
		}
		s.sorted[i] = !slices.Equal(in.order, have.inputs[at].order)
		switch in.kind {
		case inputChild:
			s.children = append(s.children, at-1)
		case inputLookup:
			s.lookups = append(s.lookups, have.lookupIndex(at))
		case inputRoot, inputGroups:
		}
	}
	return faults.Err()
}

// compare lays the shapes of the products side by side.
func (s *successor) compare(b *bound) {
	old, now := b.program.Output(), s.program.Output()
	s.same = b.program.Hash() == s.program.Hash() && !slices.Contains(s.sorted, true)
	s.comparable = b.codec.ValueSchema() == s.codec.ValueSchema()
	for i, c := range now.Columns {
		if slices.Contains(now.Key, i) {
			continue
		}
		f := planColumn{name: c.Name, old: old.Column(c.Name), new: i}
		switch {
		case f.old < 0:
			s.shape = append(s.shape, PlanShape{Field: c.Name, Change: "added", New: typeText(&c.Type)})
		case typeText(&old.Columns[f.old].Type) != typeText(&c.Type):
			f.retyped = old.Columns[f.old].Type.Kind != c.Type.Kind
			s.shape = append(s.shape, PlanShape{Field: c.Name, Change: "retyped", Old: typeText(&old.Columns[f.old].Type), New: typeText(&c.Type)})
		}
		s.fields = append(s.fields, f)
	}
	for i, c := range old.Columns {
		if now.Column(c.Name) < 0 {
			s.fields = append(s.fields, planColumn{name: c.Name, old: i, new: -1})
			s.shape = append(s.shape, PlanShape{Field: c.Name, Change: "dropped", Old: typeText(&c.Type)})
		}
	}
	for _, c := range s.program.Kept() {
		s.kept = append(s.kept, old.Column(now.Columns[c].Name))
	}
}

// typeText is a type with the fields of its records.
func typeText(t *schemas.Type) string {
	switch {
	case t.Kind == schemas.KindArray && t.Elem != nil:
		return "list of " + typeText(t.Elem)
	case t.Kind == schemas.KindRecord:
		fields := make([]string, len(t.Fields))
		for i := range t.Fields {
			fields[i] = t.Fields[i].Name + " " + typeText(&t.Fields[i].Type)
		}
		return "{" + strings.Join(fields, ", ") + "}"
	}
	return t.String()
}

package config

import (
	"fmt"
	"slices"
	"strings"
)

// answers is what stands behind the sink's name in a 'from' that reads what the other side answered: api.answers, or api.answers.order where the sink delivers several views.
const answers = "answers"

// answersOf gives the sink whose answers a 'from' names; ok is false if it names a view (which may have a list of that name) or is something else altogether.
func answersOf(from string, views []string) (sink string, ok bool) {
	parts := strings.Split(from, ".")
	if len(parts) < 2 || len(parts) > 3 || parts[1] != answers || slices.Contains(views, parts[0]) {
		return "", false
	}
	return parts[0], true
}

// AnswersOf gives the sink whose answers a name of Sink.Views is; ok is false if it is a view.
func (p *Pipeline) AnswersOf(name string) (sink string, ok bool) {
	return answersOf(name, p.Views.Names())
}

// view is what a 'from' of the sink's tables reads: a view, or the answers of a sink.
func (s *Sink) view(from string) string {
	if _, ok := answersOf(from, s.views); ok {
		return from
	}
	return firstPart(from)
}

// answers finds what is wrong with a 'from' that reads the answers of a sink, as far as it is known without the connector; false if it reads no answers.
func (v *validator) answers(name string, s *Sink, f from) bool {
	of, ok := v.p.AnswersOf(f.node.Value)
	if !ok {
		return false
	}
	path := join("sinks."+name+"."+s.Section.Kind+".tables", f.table) + ".from"
	if _, known := v.p.Sinks.Get(of); !known {
		what := fmt.Sprintf("there is neither a sink nor a view %q", of)
		names := append(v.p.Sinks.Names(), v.p.Views.Names()...)
		if near := Nearest(of, names); near != "" {
			what += fmt.Sprintf(", did you mean %q?", near)
		}
		v.failAt(f.node, path, what, "write <sink>.answers with a sink that calls another system, or one of the views: "+strings.Join(v.p.Views.Names(), ", "))
	}
	return true
}

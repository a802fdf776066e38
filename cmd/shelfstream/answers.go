package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/rest"
)

// answerer is the section of a sink that has answers of the other side.
type answerer interface {
	// Answers gives, by view, what stands behind the sink's name in the name of its answers.
	Answers() map[string]string
}

// answers are the names of a sink's answers, sorted; none if it has no answers.
func (p *pipeline) answers(sinkName string) []string {
	a, ok := p.sinks[sinkName].(answerer)
	if !ok {
		return nil
	}
	var out []string
	for _, behind := range slices.Sorted(maps.Values(a.Answers())) {
		out = append(out, sinkName+"."+behind)
	}
	return out
}

// answersFor is the view for which a sink was given the answers of this name, "" if it is no name of answers.
func (p *pipeline) answersFor(name string) string {
	of, _ := p.AnswersOf(name)
	a, ok := p.sinks[of].(answerer)
	if !ok {
		return ""
	}
	for view, behind := range a.Answers() {
		if of+"."+behind == name {
			return view
		}
	}
	return ""
}

// unanswered finds tables that read the answers of a sink which has none of that name.
func (p *pipeline) unanswered() fault.List {
	var l fault.List
	for i := range p.Sinks {
		s := &p.Sinks[i].Value
		for table, from := range s.Froms() {
			of, ok := p.AnswersOf(from)
			if _, known := p.Sinks.Get(of); !ok || !known || p.sinks[of] == nil {
				continue // no answers, or reported before
			}
			have := p.answers(of)
			if slices.Contains(have, from) {
				continue
			}
			f := &fault.Fault{
				Class: fault.Config, What: fmt.Sprintf("the sink %s keeps no answers", of),
				Fix: "name under 'answer' of its call what the other side calls a record; only sinks of the kind rest have that",
			}
			if len(have) > 0 {
				f.What, f.Fix = fmt.Sprintf("there is no %s", from), "write "+strings.Join(have, " or ")
			}
			l.Add(inSection(&s.Section, f, "tables."+table+".from"))
		}
	}
	return l
}

// answered adds the answers of sinks whose views are known, as the views that they are read as.
func (p *pipeline) answered(products map[string]sink.View) {
	for name, section := range p.sinks {
		a, ok := section.(answerer)
		if !ok {
			continue
		}
		for view, behind := range a.Answers() {
			if v, known := products[view]; known {
				topic := sink.Topic(p.Name, name+"."+behind)
				products[name+"."+behind] = sink.View{Name: name + "." + behind, Topic: topic, Table: rest.AnswerTable(topic, v.Table)}
			}
		}
	}
}

package main

import (
	"slices"
	"strings"

	"shelfstream/capture"
	"shelfstream/internal/config"
	"shelfstream/sink"
	"shelfstream/transform"
)

// topicOf is the topic that a view's 'from' names: a table's raw one, or another view's cleaned one.
func (p *pipeline) topicOf(from string) string {
	if config.IsView(from) {
		return sink.Topic(p.Name, from)
	}
	source, table, _ := strings.Cut(from, ".")
	return capture.RawTopic(p.Name, source, table)
}

// transformView turns a configured view into topics.
func (p *pipeline) transformView(name string) transform.View {
	view, _ := p.Views.Get(name)
	v := transform.View{Name: name, Root: p.topicOf(view.From), GroupBy: view.GroupBy, MembersOrder: orders(view.OrderBy), Key: view.Key}
	for _, c := range view.Children {
		child := transform.Child{Name: c.Name, Topic: p.topicOf(c.Value.From), OrderBy: orders(c.Value.OrderBy), Scattered: c.Value.Scattered}
		for _, pair := range c.Value.On {
			child.On = append(child.On, [2]string{pair.Column, pair.Root})
		}
		v.Children = append(v.Children, child)
	}
	for _, l := range view.Lookups {
		lookup := transform.Lookup{Name: l.Name, Topic: p.topicOf(l.Value.From)}
		for _, pair := range l.Value.On {
			lookup.On = append(lookup.On, transform.LookupOn{Column: pair.Column, Constant: pair.Constant, Of: pair.Root, From: pair.Lookup, Fold: pair.Fold})
		}
		v.Lookups = append(v.Lookups, lookup)
	}
	for _, from := range view.Reads() {
		if config.IsView(from) {
			v.Views = append(v.Views, p.topicOf(from))
			continue
		}
		source, _, _ := strings.Cut(from, ".")
		if t := capture.CheckpointTopic(p.Name, source); !slices.Contains(v.Checkpoints, t) {
			v.Checkpoints = append(v.Checkpoints, t)
		}
	}
	return v
}

func orders(by config.OrderBy) []transform.Order {
	var out []transform.Order
	for _, o := range by {
		out = append(out, transform.Order{Column: o.Column, Desc: o.Desc})
	}
	return out
}

package web

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"shelfstream/status"
)

// askView is the form that asks for a product.
type askView struct {
	Views     []string
	View, Key string
	Wrong     []status.FaultJSON
}

var errWhich = errors.New("name the view and the product: /explain?view=product&key=4711")

func (s *Server) explained(ctx context.Context, view, key string) (*status.Explanation, error) {
	if s.cfg.Explain == nil {
		return nil, status.NotHere(status.KindTransform, view)
	}
	if view == "" || key == "" {
		return nil, errWhich
	}
	return s.cfg.Explain(ctx, view, key)
}

// productView is a product's page.
type productView struct {
	*status.Explanation
	State    string
	Tone     tone
	Says     string
	Fields   []fieldView
	RowsSeen []rowView
	Targets  []targetView
	Differ   int
}

// fieldView is one field: what the rules give, what was sent, what the targets have.
type fieldView struct {
	status.ExplainedField
	RuleAt string
	From   []useView
	Shops  []shopValue
	Alike  bool // every target has it as it is, as far as its columns have that name
}

type useView struct {
	Name, Value, Record string
	Field               bool // set by a rule itself
	Committed           time.Time
}

type shopValue struct {
	Sink, Value string
	Same        bool
}

type rowView struct {
	status.ExplainedRow
	Name, Record, More string
}

type targetView struct {
	Sink, Table, Error string
	Columns            []string
	Rows               [][]string
}

// versionsListed is how many versions of a product its page shows.
const versionsListed = 20

func (s *Server) productPage(ctx context.Context, q url.Values) (*page, error) {
	ask := askView{Views: s.views(s.now()), View: q.Get("view"), Key: q.Get("key")}
	p := &page{Title: "Product", Nav: "Product", Parts: []part{{"ask", "ask", ask}}}
	if ask.Key == "" && s.cfg.Explain != nil {
		return p, nil
	}
	x, err := s.explained(ctx, ask.View, ask.Key)
	if err != nil {
		return nil, err
	}
	v := productOf(x)
	p.Title = x.View + " " + x.Key
	p.Parts = []part{{"head", "producthead", v}, {"fields", "productfields", v}}
	if s.cfg.History != nil {
		versions, err := s.cfg.History(ctx, ask.View, ask.Key, versionsListed)
		h := historyView{View: x.View, Key: x.Key, Versions: versions}
		if err != nil {
			h.Error = s.cfg.Redact(err.Error())
		}
		p.Parts = append(p.Parts, part{"history", "producthistory", h})
	}
	p.Parts = append(p.Parts, part{"rows", "productrows", v}, part{"targets", "producttargets", v}, part{"ask", "ask", ask})
	return p, nil
}

// historyView is what was sent of a product.
type historyView struct {
	View, Key string
	Versions  []Version
	Error     string
}

func productOf(x *status.Explanation) *productView {
	v := &productView{Explanation: x, State: "in the shop", Tone: toneGood}
	switch {
	case x.Gone:
		v.State, v.Tone, v.Says = "gone", toneOff, "Its root row is gone; rows of others that belonged to it are left."
	case x.Parked != nil:
		v.State, v.Tone, v.Says = "parked", toneWarn, "The shop keeps the last good version."
	case x.Problem != nil:
		v.State, v.Tone, v.Says = "the rules fail", toneWarn, "The shop keeps the last good version."
	case !x.Included:
		v.State, v.Tone, v.Says = "left out", toneOff, "A rule leaves it out of the view."
	}
	for _, t := range x.Targets {
		v.Targets = append(v.Targets, targetOf(t))
	}
	for _, f := range x.Fields {
		v.Fields = append(v.Fields, fieldOf(f, x))
		if f.Sent != nil {
			v.Differ++
		}
	}
	for _, r := range x.Rows {
		row := rowView{ExplainedRow: r, Name: fmt.Sprintf("%s[%d]", r.Input, r.Row), Record: fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset)}
		if r.View != "" && r.Product != "" {
			row.More = productURL(r.View, r.Product)
		}
		v.RowsSeen = append(v.RowsSeen, row)
	}
	return v
}

func targetOf(t status.ExplainedTarget) targetView {
	v := targetView{Sink: t.Sink, Table: t.Table, Error: t.Error, Columns: t.Columns}
	for _, row := range t.Rows {
		cells := make([]string, len(row))
		for i, c := range row {
			if cells[i] = "null"; c != nil {
				cells[i] = *c
			}
		}
		v.Rows = append(v.Rows, cells)
	}
	return v
}

func fieldOf(f status.ExplainedField, x *status.Explanation) fieldView {
	v := fieldView{ExplainedField: f}
	if f.File != "" {
		v.RuleAt = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	for _, u := range f.Uses {
		use := useView{Value: u.Value}
		switch u.Input {
		case "field":
			use.Name, use.Field = u.Column, true
		case "today":
			use.Name = "today"
		default:
			use.Name = fmt.Sprintf("%s[%d].%s", u.Input, u.Row, u.Column)
		}
		for _, r := range x.Rows {
			if r.Input == u.Input && r.Row == u.Row {
				use.Record, use.Committed = fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset), r.Committed
			}
		}
		v.From = append(v.From, use)
	}
	for _, t := range x.Targets {
		at := slices.IndexFunc(t.Columns, func(c string) bool { return strings.EqualFold(c, f.Field) })
		if at < 0 || len(t.Rows) != 1 || at >= len(t.Rows[0]) {
			continue
		}
		value := "null"
		if c := t.Rows[0][at]; c != nil {
			value = *c
		}
		v.Shops = append(v.Shops, shopValue{t.Sink, value, value == f.Value})
	}
	v.Alike = !slices.ContainsFunc(v.Shops, func(sv shopValue) bool { return !sv.Same })
	return v
}

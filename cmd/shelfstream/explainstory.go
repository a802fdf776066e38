package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"shelfstream/status"
)

// story tells how one field came about.
type story struct {
	x    *status.Explanation
	w    io.Writer
	told map[string]bool
}

// printStory prints one field of an explanation, which comes first in it: the rule that set it, what that was computed from, and so on back to the rows, then
// what was sent and what the shop has. Values are whole.
func printStory(out io.Writer, x *status.Explanation, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	printState(w, x, now)
	_, _ = fmt.Fprintln(w)
	s := &story{x: x, w: w, told: map[string]bool{}}
	field := x.Fields[0]
	s.field(&field, "")
	_, _ = fmt.Fprintln(w)
	s.sent(&field)
	for _, t := range x.Targets {
		s.target(&t)
	}
	return w.Flush()
}

func (s *story) line(indent, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	cells := strings.Split(text, "\t")
	for i := range cells {
		cells[i] = plain(cells[i])
	}
	_, _ = fmt.Fprintln(s.w, indent+strings.Join(cells, "\t"))
}

// field tells of one field and, indented, of those that it comes from, each once.
func (s *story) field(f *status.ExplainedField, indent string) {
	s.line(indent, "%s = %s", f.Field, f.Value)
	indent += "    "
	if f.Rule == "" {
		s.line(indent, "no rule sets it: it is part of the key, or null")
	} else {
		s.line(indent, "set by rule %s", setBy(*f))
	}
	if s.told[f.Field] = true; len(f.Uses) == 0 {
		if f.Rule != "" {
			s.line(indent, "from nothing but what the rule says")
		}
		return
	}
	for _, u := range f.Uses {
		if u.Input == fieldInput {
			if from := s.named(u.Column); from != nil && !s.told[u.Column] {
				s.field(from, indent)
				continue
			}
		}
		s.line(indent, "%s = %s%s", useName(u), u.Value, s.rowOf(u))
	}
}

func (s *story) named(field string) *status.ExplainedField {
	for i := range s.x.Fields {
		if s.x.Fields[i].Field == field {
			return &s.x.Fields[i]
		}
	}
	return nil
}

// rowOf says which record a value stood in.
func (s *story) rowOf(u status.ExplainedUse) string {
	for _, r := range s.x.Rows {
		if r.Input == u.Input && r.Row == u.Row {
			text := "\tin " + recordName(&r)
			if r.Position != "" {
				text += ", commit " + r.Position
			}
			text += when(" of ", r.Committed)
			if b := below(&r); b != "" {
				text += "; see " + b
			}
			return text
		}
	}
	switch u.Input {
	case fieldInput:
		return "\tsee above"
	case todayInput:
		return ""
	}
	return "\tno row"
}

func (s *story) sent(f *status.ExplainedField) {
	switch {
	case f.Sent != nil:
		s.line("", "sent last: %s, another value than the rules give now", *f.Sent)
	case s.x.Emitted != nil && s.x.Included:
		s.line("", "sent last: the same")
	case s.x.Emitted != nil:
		for _, e := range s.x.Emitted.Fields {
			if e.Field == f.Field {
				s.line("", "sent last: %s", e.Value)
			}
		}
	}
}

func (s *story) target(t *status.ExplainedTarget) {
	switch {
	case t.Error != "":
		s.line("", "in sink %s, %s: %s", t.Sink, t.Table, t.Error)
	case len(t.Rows) == 0:
		s.line("", "in sink %s, %s: no row", t.Sink, t.Table)
	}
	for i, r := range t.Rows {
		where := t.Columns[0]
		if len(t.Rows) > 1 {
			where = fmt.Sprintf("%s[%d]", where, i)
		}
		s.line("", "in sink %s, %s.%s: %s", t.Sink, t.Table, where, cell(r[0]))
	}
}

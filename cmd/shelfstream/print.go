package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"shelfstream/status"
)

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// plain replaces what would break a line or steer a terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// shortened is s with no more than n characters, with an ellipsis for what is left out.
func shortened(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// row writes the cells of one line of a table.
func row(w io.Writer, cells ...string) {
	for i := range cells {
		cells[i] = plain(cells[i])
	}
	_, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) // a tabwriter's error comes with Flush
}

// printExplanation prints an explanation for people. Unless they are wanted whole, long values are shortened: one would push the rules of
// all fields off the screen.
func printExplanation(out io.Writer, x *status.Explanation, whole bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "%s %s  (%s, partition %d%s%s)\n", plain(x.View), plain(x.Key), x.Topic, x.Partition, when(", last sent ", x.EmittedAt), when(", evaluated again ", x.Wake))
	switch {
	case x.Parked != nil:
		_, _ = fmt.Fprintf(w, "parked: %s\n    at: %s\n    fix: %s\n", plain(x.Parked.What), plain(x.Parked.Where), plain(x.Parked.Fix))
	case !x.Included:
		_, _ = fmt.Fprintln(w, "not in the shop: a rule leaves it out, or its root row is gone")
	}
	if len(x.Fields) > 0 {
		_, _ = fmt.Fprintln(w)
		row(w, "FIELD", "VALUE", "SET BY", "FROM")
	}
	for _, f := range x.Fields {
		name := f.Field
		if name == "" {
			name = "(in the shop)" // a rule that says whether the product is shown at all
		}
		value, from := f.Value, usesText(f.Uses)
		if !whole {
			value, from = shortened(value, 60), shortened(from, 160)
		}
		row(w, name, value, setBy(f), from)
	}
	if len(x.Rows) > 0 {
		_, _ = fmt.Fprintln(w)
		row(w, "ROW", "RECORD", "POSITION", "COMMITTED")
	}
	for _, r := range x.Rows {
		row(w, rowName(r.Input, r.Row), fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset), r.Position, when("", r.Committed))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, t := range x.Targets {
		if err := printTarget(out, t); err != nil {
			return err
		}
	}
	return nil
}

func printTarget(out io.Writer, t status.ExplainedTarget) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "\nIN SINK %s: %s\n", plain(t.Sink), plain(t.Table))
	switch {
	case t.Error != "":
		_, _ = fmt.Fprintln(w, plain(t.Error))
	case len(t.Rows) == 0:
		_, _ = fmt.Fprintln(w, "no row")
	case len(t.Rows) == 1: // one product reads better downwards
		for i, c := range t.Columns {
			row(w, "  "+c, cell(t.Rows[0][i]))
		}
	default:
		row(w, t.Columns...)
		for _, r := range t.Rows {
			cells := make([]string, len(r))
			for i := range r {
				cells[i] = cell(r[i])
			}
			row(w, cells...)
		}
	}
	return w.Flush()
}

func cell(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func when(before string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return before + t.Local().Format("2006-01-02 15:04:05.000 -0700")
}

func setBy(f status.ExplainedField) string {
	s := f.Rule
	if f.Layer != "" {
		s += " (" + f.Layer
		if f.File != "" {
			s += fmt.Sprintf(", %s:%d", f.File, f.Line)
		}
		s += ")"
	}
	return s
}

func usesText(uses []status.ExplainedUse) string {
	parts := make([]string, len(uses))
	for i, u := range uses {
		if u.Input == fieldInput || u.Input == todayInput {
			parts[i] = fmt.Sprintf("%s = %s", u.Column, u.Value) // an earlier field, or today()
			continue
		}
		parts[i] = fmt.Sprintf("%s[%d].%s = %s", u.Input, u.Row, u.Column, u.Value)
	}
	return strings.Join(parts, ", ")
}

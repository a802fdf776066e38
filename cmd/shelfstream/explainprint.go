package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"shelfstream/status"
)

// printExplanation prints an explanation for people. Long values are shortened: one would push the rules of all fields off the screen.
func printExplanation(out io.Writer, x *status.Explanation, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	printState(w, x, now)
	if len(x.Fields) > 0 {
		_, _ = fmt.Fprintln(w)
		row(w, "FIELD", "VALUE", "SET BY", "FROM")
	}
	for _, f := range x.Fields {
		name := f.Field
		if name == "" {
			name = "(in the shop)" // a rule that says whether the product is shown at all
		}
		row(w, name, shortened(f.Value, 60), setBy(f), shortened(usesText(f.Uses), 160))
	}
	printRows(w, x)
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

// printState says in words where the product stands.
func printState(w io.Writer, x *status.Explanation, now time.Time) {
	line := func(format string, args ...any) { _, _ = fmt.Fprintln(w, plain(fmt.Sprintf(format, args...))) }
	line("%s %s  (%s, partition %d)", x.View, x.Key, x.Topic, x.Partition)
	for _, l := range x.Limited {
		line("note: %s", l)
	}
	switch {
	case x.Parked != nil:
		line("parked since %s: %s", when("", x.Parked.Since), x.Parked.What)
		line("    at: %s", x.Parked.Where)
		line("    fix: %s", x.Parked.Fix)
		if x.Problem == nil && x.Included {
			line("    the rules give a product again; it goes out with the next evaluation, unless a guard holds it")
		}
	case x.Problem != nil:
		line("the rules give no product: %s", x.Problem.What)
		line("    at: %s", x.Problem.Where)
		line("    fix: %s", x.Problem.Fix)
	case x.Gone:
		line("not in the shop: its root row is gone, only rows of other tables are left")
	case !x.Included && len(x.Fields) > 0:
		line("not in the shop: %s", leftOutBy(x))
	}
	printSent(line, x)
	if !x.Wake.IsZero() {
		line("%s", wakeText(x.Wake, now))
	}
}

// leftOutBy names the rule that leaves a product out.
func leftOutBy(x *status.Explanation) string {
	for _, f := range x.Fields {
		if f.Field == "" && f.Value == "false" {
			text := "left out by rule " + setBy(f)
			if len(f.Uses) > 0 {
				text += ", for " + usesText(f.Uses)
			}
			return text
		}
	}
	return "a rule leaves it out"
}

func printSent(line func(string, ...any), x *status.Explanation) {
	switch {
	case x.EmittedAt.IsZero():
		line("never sent, or withdrawn")
		return
	case x.Emitted == nil:
		line("last sent %s", when("", x.EmittedAt))
		return
	}
	e := x.Emitted
	line("last sent %s as %s/%d@%d, of the commit %s%s", when("", e.At), x.Topic, x.Partition, e.Offset, e.Position, when(" of ", e.Committed))
	differs := false
	for _, f := range x.Fields {
		if f.Sent != nil {
			if !differs {
				line("    the rules give other values now, which were not sent yet:")
				differs = true
			}
			line("    %s: sent %s, now %s", f.Field, shortened(*f.Sent, 60), shortened(f.Value, 60))
		}
	}
}

// farAway is from when on an instant in the rows is no plan of anybody, but a way to write "for ever".
const farAway = 10 * 365 * 24 * time.Hour

// wakeText says when the product changes by itself.
func wakeText(at, now time.Time) string {
	left := at.Sub(now)
	switch {
	case left > farAway:
		return fmt.Sprintf("no change by time is near: the next date in its rows is %s, %d years away", at.Local().Format("2006-01-02"), int(left/(365*24*time.Hour)))
	case left <= 0:
		return "evaluated again now: its time came at " + when("", at)
	}
	return fmt.Sprintf("evaluated again %s, in %s, when a date in its rows is reached", when("", at), status.Duration(left))
}

func printRows(w io.Writer, x *status.Explanation) {
	if len(x.Rows) > 0 {
		_, _ = fmt.Fprintln(w)
		row(w, "ROW", "RECORD", "POSITION", "COMMITTED", "")
	}
	for _, r := range x.Rows {
		row(w, rowName(r.Input, r.Row), recordName(&r), r.Position, when("", r.Committed), below(&r))
	}
}

func recordName(r *status.ExplainedRow) string {
	return fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset)
}

// below is the command that explains a row that is a product of another view.
func below(r *status.ExplainedRow) string {
	if r.View == "" {
		return ""
	}
	return "shelfstream explain " + r.View + " " + shellWord(r.Product)
}

// shellWord writes a key so that a shell gives it back as it is.
func shellWord(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("-_./:@%+=,", r)
	}) && !strings.HasPrefix(s, "-") {
		return s
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		var b strings.Builder
		for i := range len(s) {
			switch c := s[i]; {
			case c == '\'' || c == '\\':
				b.WriteString(`\` + string(c))
			case c < ' ' || c == 0x7f:
				fmt.Fprintf(&b, `\x%02x`, c)
			default:
				b.WriteByte(c)
			}
		}
		return "$'" + b.String() + "'"
	}
	quoted := "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	if strings.HasPrefix(s, "-") {
		return "-- " + quoted // else it would be taken for a flag
	}
	return quoted
}

// quotedKeys are keys for people, each to be copied.
func quotedKeys(keys []string) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = shellWord(k)
	}
	return out
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
		parts[i] = useName(u) + " = " + u.Value
	}
	return strings.Join(parts, ", ")
}

// useName names what a rule read: an earlier field, today(), or a column of a row.
func useName(u status.ExplainedUse) string {
	if u.Input == fieldInput || u.Input == todayInput {
		return u.Column
	}
	return fmt.Sprintf("%s[%d].%s", u.Input, u.Row, u.Column)
}

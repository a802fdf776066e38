package notify

import (
	"fmt"
	"html"
	"strings"
	"time"

	"shelfstream/status"
	"shelfstream/status/escalate"
)

// maxOthers bounds how many incidents a message that sums up tells one by one.
const maxOthers = 20

// title is one line: "[moestue] CRITICAL sink shop: the server does not answer".
func title(m escalate.Message, c *Content) string {
	head := "[" + c.Pipeline + "] "
	switch m.Reason {
	case escalate.Several:
		return oneLine(fmt.Sprintf("%s%d messages about incidents, first %s", head, 1+len(c.Others), about(c)))
	case escalate.AllClear:
		return oneLine(head + "SOLVED " + about(c))
	case escalate.Reminder:
		return oneLine(head + "STILL " + strings.ToUpper(c.Severity) + " " + about(c))
	case escalate.Opened:
	}
	return oneLine(head + strings.ToUpper(c.Severity) + " " + about(c))
}

// about is where and what in a line.
func about(c *Content) string {
	return status.About(c.Link, c.What)
}

// oneLine makes a text fit for a header or a title.
func oneLine(s string) string {
	return cut(strings.Join(strings.Fields(s), " "), 200)
}

// cut shortens a text to so many characters.
func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// line is one fact: "Where: product 4711".
type line struct{ label, text string }

// facts lists what is known of one incident, in the order in which a person needs it.
func facts(c *Content) []line {
	var out []line
	add := func(label, text string) {
		if text = strings.TrimSpace(text); text != "" {
			out = append(out, line{label, cut(text, 2000)})
		}
	}
	add("What", c.What)
	add("Where", c.Where)
	add("What to do", c.Fix)
	add("Command", c.Command)
	add("Severity", c.Severity)
	add("Link", c.Link)
	add("Data", c.Data)
	switch {
	case c.Tries > 0:
		add("Tries", status.Count(int64(c.Tries))+" failed in a row")
	case c.Count > 1:
		add("How often", status.Count(c.Count))
	}
	add("Samples", strings.Join(c.Samples, ", "))
	add("Since", stamp(c.Opened))
	add("Last seen", stamp(c.Last))
	if !c.Acked.IsZero() {
		add("Taken on", strings.TrimSpace(stamp(c.Acked)+" by "+c.By))
	}
	add("Note", c.Note)
	add("Solved", stamp(c.Resolved))
	add("Process", c.Worker)
	return out
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02 15:04:05 MST")
}

// plain is the whole message as text.
func plain(m escalate.Message, c *Content) string {
	var b strings.Builder
	b.WriteString(title(m, c) + "\n\n")
	all := c.all()
	for i := range all {
		if i > maxOthers {
			fmt.Fprintf(&b, "… and %d more\n", len(all)-i)
			break
		}
		if len(all) > 1 {
			fmt.Fprintf(&b, "— %d. %s: %s\n", i+1, all[i].Reason, oneLine(about(&all[i])))
		}
		for _, f := range facts(&all[i]) {
			b.WriteString(f.label + ": " + strings.ReplaceAll(f.text, "\n", "\n    ") + "\n")
		}
		for _, l := range links(&all[i]) {
			b.WriteString(l.label + ": " + l.text + "\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func links(c *Content) []line {
	var out []line
	if c.AckURL != "" {
		out = append(out, line{"I take it on", c.AckURL})
	}
	if c.PageURL != "" {
		out = append(out, line{"Look at it", c.PageURL})
	}
	return out
}

// page is the whole message as HTML of the simple kind that every mail program shows.
func page(m escalate.Message, c *Content) string {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html><html><body style=\"font-family:sans-serif\">\n<h3>" + html.EscapeString(title(m, c)) + "</h3>\n")
	all := c.all()
	for i := range all {
		if i > maxOthers {
			fmt.Fprintf(&b, "<p>… and %d more</p>\n", len(all)-i)
			break
		}
		if len(all) > 1 {
			fmt.Fprintf(&b, "<h4>%d. %s: %s</h4>\n", i+1, html.EscapeString(string(all[i].Reason)), html.EscapeString(oneLine(about(&all[i]))))
		}
		b.WriteString("<table>\n")
		for _, f := range facts(&all[i]) {
			b.WriteString("<tr><th align=\"left\" valign=\"top\">" + f.label + "</th><td>" + strings.ReplaceAll(html.EscapeString(f.text), "\n", "<br>") + "</td></tr>\n")
		}
		b.WriteString("</table>\n")
		for _, l := range links(&all[i]) {
			b.WriteString("<p><a href=\"" + html.EscapeString(l.text) + "\">" + l.label + "</a></p>\n")
		}
	}
	b.WriteString("</body></html>\n")
	return b.String()
}

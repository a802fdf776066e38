package exchange

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"shelfstream/status"
)

// The bounds of one merged exchange, and of how many causes are told apart within one moment: the rest is counted with the kind it is of.
const (
	maxCauses = 64
	maxSpans  = 24
	maxText   = 600
	maxKey    = 80
)

// group is what is merged: everything that went well of one link and kind, and everything that failed of one cause.
type group struct {
	link, direction, kind, outcome, cause string
}

// merger collects the exchanges of one moment.
type merger struct {
	groups map[group]*Exchange
	order  []group
	causes int
}

func (m *merger) add(e *Exchange) {
	if e.Count <= 0 {
		e.Count = 1
	}
	if e.Attempt <= 0 {
		e.Attempt = 1
	}
	g := group{link: e.Link, direction: e.Direction, kind: e.Kind, outcome: e.Outcome}
	if e.Outcome != OK && m.causes < maxCauses {
		g.cause = causeOf(e.Fault)
	}
	into := m.groups[g]
	if into == nil {
		if m.groups == nil {
			m.groups = map[group]*Exchange{}
		}
		if g.cause != "" {
			m.causes++
		}
		first := *e
		first.Keys, first.Spans = nil, nil
		into = &first
		m.groups[g] = into
		m.order = append(m.order, g)
	} else {
		into.Count += e.Count
		into.Records += e.Records
		into.Bytes += e.Bytes
		into.Parked += e.Parked
		into.Took += e.Took
		into.Attempt = max(into.Attempt, e.Attempt)
		if e.At.Before(into.At) {
			into.At = e.At
		}
		if e.Position != "" {
			into.Position = e.Position
		}
	}
	for _, k := range e.Keys {
		if len(into.Keys) == status.MaxSamples {
			break
		}
		into.Keys = append(into.Keys, k)
	}
	for _, s := range e.Spans {
		addSpan(into, s)
	}
}

// addSpan widens the span of the partition.
func addSpan(e *Exchange, s Span) {
	for i := range e.Spans {
		if o := &e.Spans[i]; o.Partition == s.Partition && o.Topic == s.Topic {
			o.From, o.To = min(o.From, s.From), max(o.To, s.To)
			return
		}
	}
	if len(e.Spans) < maxSpans {
		e.Spans = append(e.Spans, s)
	}
}

// take gives what was collected, in the order in which it began, and begins anew.
func (m *merger) take() []*Exchange {
	out := make([]*Exchange, len(m.order))
	for i, g := range m.order {
		out[i] = m.groups[g]
	}
	clear(m.groups)
	m.order, m.causes = m.order[:0], 0
	return out
}

// causeOf is what a fault has in common with others of its cause: the catalogue's name, or else its sentence without numbers, which are offsets, counts and keys.
func causeOf(f *status.FaultJSON) string {
	if f == nil {
		return "?"
	}
	if f.Cause != "" {
		return f.Cause
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, clip(f.What, maxText))
}

// mask hides secrets and people, and bounds the texts.
func (e *Exchange) mask(secrets func(string) string) {
	text := func(s string, n int) string { return clip(status.Personal(secrets(s)), n) }
	for i, k := range e.Keys {
		e.Keys[i] = text(k, maxKey)
	}
	e.Position = clip(secrets(e.Position), maxText)
	if e.Fault != nil {
		f := *e.Fault // it may be somebody else's
		f.Where, f.What, f.Fix = text(f.Where, maxText), text(f.What, maxText), text(f.Fix, maxText)
		e.Fault = &f
	}
}

// clip bounds a text to n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

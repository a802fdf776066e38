package web

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"

	"shelfstream/status"
)

// incidentView is an incident as the pages show it.
type incidentView struct {
	Incident
	Tone     tone
	State    string // open, acknowledged, resolved
	URL      string
	Held     []incidentView // those behind it
	Products string         // the view that its samples are products of
	BehindIt *Incident
	HowLong  string
	ParkedAt string
}

// tries takes what the link's stage says now of its tries: it is newer than what the keeper has written.
func (v *incidentView) tries(m *moment) {
	if v.Tries == 0 || !v.Resolved.IsZero() {
		return
	}
	for _, st := range m.Stages {
		if stageWord(st.Node.Kind)+" "+st.Node.Name == v.Link && st.Attempt > 0 {
			v.Tries, v.NextTry = st.Attempt, st.NextTry
		}
	}
}

func severityTone(severity string) tone {
	if severity == "warning" {
		return toneWarn
	}
	return toneBad
}

func severityRank(severity string) int {
	return map[string]int{"critical": 0, "error": 1, "warning": 2}[severity]
}

// sortIncidents puts the open ones first, the worst and newest of them at the top, then the resolved ones by when they ended.
func sortIncidents(list []Incident) []Incident {
	out := slices.Clone(list)
	slices.SortStableFunc(out, func(a, b Incident) int {
		if d := boolRank(!a.Resolved.IsZero()) - boolRank(!b.Resolved.IsZero()); d != 0 {
			return d
		}
		if !a.Resolved.IsZero() {
			return cmp.Or(b.Resolved.Compare(a.Resolved), cmp.Compare(a.ID, b.ID))
		}
		return cmp.Or(boolRank(a.Behind != "")-boolRank(b.Behind != ""), boolRank(!a.Acked.IsZero())-boolRank(!b.Acked.IsZero()),
			severityRank(a.Severity)-severityRank(b.Severity), b.Opened.Compare(a.Opened), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (s *Server) redactIncident(i *Incident) {
	i.Where, i.What, i.Fix, i.Command, i.Note, i.Next = s.cfg.Redact(i.Where), s.cfg.Redact(i.What), s.cfg.Redact(i.Fix), s.cfg.Redact(i.Command), s.cfg.Redact(i.Note), s.cfg.Redact(i.Next)
	i.Samples = s.redacted(i.Samples)
	i.Log = slices.Clone(i.Log)
	for k := range i.Log {
		i.Log[k].What = s.cfg.Redact(i.Log[k].What)
	}
}

func incidentOf(i Incident) incidentView {
	v := incidentView{Incident: i, Tone: severityTone(i.Severity), State: "open", URL: "/incident?" + url.Values{"id": {i.ID}}.Encode()}
	kind, name := splitKey(i.Link)
	if kind == "view" {
		v.Products = name
		v.ParkedAt = "/parked?" + url.Values{"kind": {status.KindTransform}, "name": {name}}.Encode()
	}
	switch {
	case !i.Resolved.IsZero():
		v.State, v.Tone = "resolved", toneGood
		v.HowLong = status.Duration(i.Resolved.Sub(i.Opened))
	case i.Behind != "":
		v.State, v.Tone = "waits for another", toneOff
	case !i.Acked.IsZero():
		v.State = "acknowledged"
	}
	return v
}

// incidentList is the page of incidents, or the top of it.
type incidentList struct {
	Open     []incidentView
	More     int // open ones that are not listed
	Resolved []incidentView
	Older    string // the next page of resolved ones
	Total    int
}

// openIncidents lists the first n open ones, each with how many it holds back.
func openIncidents(list []Incident, n int) incidentList {
	var l incidentList
	behind := map[string][]incidentView{}
	for _, i := range list {
		if i.Resolved.IsZero() && i.Behind != "" {
			behind[i.Behind] = append(behind[i.Behind], incidentOf(i))
		}
	}
	for _, i := range list {
		if !i.Resolved.IsZero() {
			l.Total++
			continue
		}
		if i.Behind != "" && isOpen(list, i.Behind) {
			continue // listed under the other
		}
		if len(l.Open) >= n {
			l.More++
			continue
		}
		v := incidentOf(i)
		v.Held = behind[i.ID]
		l.Open = append(l.Open, v)
	}
	return l
}

func isOpen(list []Incident, id string) bool {
	return slices.ContainsFunc(list, func(i Incident) bool { return i.ID == id && i.Resolved.IsZero() })
}

// How many incidents a page lists.
const (
	openListed     = 100
	resolvedListed = 50
)

func (s *Server) incidentsPage(_ context.Context, q url.Values) (*page, error) {
	if s.cfg.Incidents == nil {
		return nil, fmt.Errorf("incidents: %w", status.ErrNotFound)
	}
	m := s.now()
	l := openIncidents(m.Incidents, openListed)
	var from int
	if _, err := fmt.Sscanf(q.Get("from"), "%d", &from); err != nil || from < 0 {
		from = 0
	}
	n := 0
	for _, i := range m.Incidents {
		if i.Resolved.IsZero() {
			continue
		}
		if n++; n > from && len(l.Resolved) < resolvedListed {
			l.Resolved = append(l.Resolved, incidentOf(i))
		}
	}
	if n > from+resolvedListed {
		l.Older = fmt.Sprintf("/incidents?from=%d", from+resolvedListed)
	}
	return &page{Title: "Incidents", Nav: "Incidents", Live: from == 0, Parts: []part{{"open", "openincidents", l}, {"resolved", "resolvedincidents", l}}}, nil
}

func (s *Server) incidentPage(_ context.Context, q url.Values) (*page, error) {
	m := s.now()
	at := slices.IndexFunc(m.Incidents, func(i Incident) bool { return i.ID == q.Get("id") })
	if at < 0 {
		return nil, fmt.Errorf("incident %s: %w", q.Get("id"), status.ErrNotFound)
	}
	v := incidentOf(m.Incidents[at])
	v.tries(m)
	for _, i := range m.Incidents {
		if i.Behind == v.ID && i.Resolved.IsZero() {
			v.Held = append(v.Held, incidentOf(i))
		}
		if i.ID == v.Behind {
			v.BehindIt = &i
		}
	}
	p := &page{Title: v.What, Nav: "Incidents", Live: true, Parts: []part{{"incident", "incidentpage", v}}}
	if s.cfg.Ack != nil && v.Resolved.IsZero() && v.Acked.IsZero() {
		p.Parts = append(p.Parts, part{"ack", "ackform", ackView{v.ID, s.desk.Known()}})
	}
	p.Parts = append(p.Parts, part{"behind", "incidentbehind", v}, part{"log", "incidentlog", v})
	if s.cfg.Exchanges != nil && v.Link != "" {
		p.Parts = append(p.Parts, part{"exchanges", "incidentexchanges", s.exchangeViews(v.Link, 10, false)})
	}
	return p, nil
}

// ackView is the form by which an incident is acknowledged.
type ackView struct {
	ID    string
	Known bool // somebody can log in
}

package web

import (
	"context"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"time"

	"shelfstream/status"
	"shelfstream/status/chart"
)

// nodeView is a stage's card in the picture.
type nodeView struct {
	Key, Kind, Word, Name, System, State, URL string
	Since                                     time.Time
	Tone                                      tone
	Cut                                       bool // nothing flows through it now
	Rate, Lag                                 string
	Behind                                    string // records waiting
	Pulse                                     template.HTML
	Moves                                     bool
	Parked, Troubles                          string
	ParkedURL                                 string
	Incidents                                 int
	IncidentURL                               string
	Workers                                   int
	Progress                                  string // the part that is done, in words
	Percent                                   int
	Working                                   bool
	Feeds                                     string // what it reads, for narrow screens
}

// headlineView is the sentence at the top.
type headlineView struct {
	Tone           tone
	Text           string
	NotReady       []string
	Tiles          []tile
	At             time.Time
	Uptime         time.Time
	HeldUnreadable string
}

// tile is one number of the headline.
type tile struct {
	Name, Value, Unit, URL string
	Tone                   tone
}

// linkView is a line of the links' table.
type linkView struct {
	Link
	URL  string
	Tone tone
	Says string
}

const (
	pulsePoints   = 60
	overviewTop   = 5 // incidents and faults on the overview
	pulseWide     = 120
	pulseTall     = 26
	moveThreshold = 0.1 // records a second, above which a line moves
)

func (s *Server) overviewPage(context.Context, url.Values) (*page, error) {
	m := s.now()
	nodes := s.nodes(m)
	p := &page{Title: s.cfg.Pipeline, Nav: "Overview", Live: true, Parts: []part{{"headline", "headline", s.headline(m, nodes)}}}
	if len(nodes) > 0 {
		p.Parts = append(p.Parts, part{"picture", "picture", s.picture(m, nodes)})
	}
	if s.cfg.Incidents != nil {
		p.Parts = append(p.Parts, part{"incidents", "topincidents", openIncidents(m.Incidents, overviewTop)})
	}
	faults := m.Processes
	for _, st := range m.Stages {
		if f := faultsOf(st); len(f.Faults)+len(f.Troubles) > 0 && s.cfg.Incidents == nil {
			faults = append(faults, f)
		}
	}
	p.Parts = append(p.Parts, part{"faults", "stagefaults", faults})
	if s.cfg.Links != nil {
		p.Parts = append(p.Parts, part{"links", "linktable", s.linkViews(m)})
	}
	if views := s.views(m); len(views) > 0 && s.cfg.Explain != nil {
		p.Parts = append(p.Parts, part{"ask", "ask", askView{Views: views}})
	}
	return p, nil
}

// views are those that a product can be explained of.
func (s *Server) views(m *moment) []string {
	var out []string
	for _, st := range m.Stages {
		if st.Node.Kind == status.KindTransform {
			out = append(out, st.Node.Name)
		}
	}
	return out
}

func (s *Server) headline(m *moment, nodes []*nodeView) *headlineView {
	h := &headlineView{At: m.At, Uptime: m.Report.StartedAt, NotReady: m.Report.NotReady}
	h.Tone, h.Text = headline(m.Stages, m.Report.Ready)
	if m.Open > 0 {
		worst := toneWarn
		for i := range m.Incidents {
			if n := &m.Incidents[i]; n.Resolved.IsZero() && n.Behind == "" && n.Severity != "warning" {
				worst = toneBad
			}
		}
		h.Tone = worst
		if h.Text = "1 open incident"; m.Open > 1 {
			h.Text = fmt.Sprintf("%d open incidents", m.Open)
		}
	}
	rate, lag, parked := 0.0, -1.0, int64(0)
	for i, st := range m.Stages {
		if st.Node.Kind == status.KindSink {
			r, _ := s.history.rate(nodes[i].Key, m.At, 1)
			rate += r
		}
		seconds, _ := st.Lag()
		lag = max(lag, seconds)
		parked += st.Parked
	}
	h.Tiles = append(h.Tiles, tile{Name: "Into the shops", Value: rateWords(rate), Unit: "records/s", URL: "/charts"})
	l := tile{Name: "Largest lag", Value: status.LagWords(lag), URL: "/charts"}
	if s.cfg.MaxLag > 0 && lag > s.cfg.MaxLag.Seconds() {
		l.Tone = toneWarn
	}
	h.Tiles = append(h.Tiles, l)
	t := tile{Name: "Parked", Value: status.Count(parked), URL: "/parked"}
	if parked > 0 {
		t.Tone = toneWarn
	}
	h.Tiles = append(h.Tiles, t)
	if s.cfg.Held != nil {
		t := tile{Name: "Held by guards", Value: status.Count(int64(m.Held)), URL: "/held"}
		if m.Held > 0 {
			t.Tone = toneWarn
		}
		h.Tiles = append(h.Tiles, t)
		if m.heldErr != nil {
			h.HeldUnreadable = s.cfg.Redact(m.heldErr.Error())
		}
	}
	if s.cfg.Workers != nil {
		alive := 0
		for i := range m.Workers {
			if m.At.Sub(m.Workers[i].At) <= silentAfter {
				alive++
			}
		}
		h.Tiles = append(h.Tiles, tile{Name: "Workers", Value: fmt.Sprint(alive), URL: "/workers"})
	}
	return h
}

// rateWords writes a rate with as many digits as tell something, and calmly: a number that flickers says less.
func rateWords(r float64) string {
	switch {
	case r <= 0:
		return "0"
	case r < 10:
		return fmt.Sprintf("%.1f", r)
	case r < 1000:
		return fmt.Sprintf("%.0f", r)
	}
	return status.Count(int64(r/10) * 10)
}

// nodes are the cards, in the order of m.Stages.
func (s *Server) nodes(m *moment) []*nodeView {
	out := make([]*nodeView, len(m.Stages))
	for i, st := range m.Stages {
		out[i] = s.nodeOf(st, m)
	}
	return out
}

func (s *Server) nodeOf(st *stageSum, m *moment) *nodeView {
	rate, pulse := s.history.rate(st.id(), m.At, pulsePoints)
	seconds, records := st.Lag()
	n := &nodeView{
		Key: st.id(), Kind: st.Node.Kind, Word: stageWord(st.Node.Kind), Name: st.Node.Name, System: st.System, State: st.State, Since: st.Since, Tone: st.look(),
		URL: stageURL(st.Node.Kind, st.Node.Name), Rate: rateWords(rate), Lag: status.LagWords(seconds), Moves: rate > moveThreshold, Workers: len(st.Workers),
		ParkedURL: "/parked?" + url.Values{"kind": {st.Node.Kind}, "name": {st.Node.Name}}.Encode(),
	}
	if records > 0 {
		n.Behind = short(records)
	}
	if st.Parked > 0 {
		n.Parked = short(st.Parked)
	}
	n.Pulse = spark(pulse)
	t := toneOf(&st.Stage)
	n.Cut = t == toneBad || t == toneWarn || t == toneOff
	for _, p := range st.Progress {
		if p.FinishedAt.IsZero() {
			n.Working, n.Percent, n.Progress = p.Total > 0, p.Percent(), p.Name
			break
		}
	}
	link := linkOf(st.Node.Kind, st.Node.Name)
	for i := range m.Incidents {
		if in := &m.Incidents[i]; in.Link == link && in.Resolved.IsZero() && in.Behind == "" {
			if n.Incidents++; n.Incidents == 1 {
				n.IncidentURL = "/incident?" + url.Values{"id": {in.ID}}.Encode()
			}
			if t := severityTone(in.Severity); n.Tone == toneGood || n.Tone == toneWarn && t == toneBad {
				n.Tone = t
			}
		}
	}
	if n.Incidents > 1 {
		n.IncidentURL = "/incidents"
	}
	for _, a := range s.cfg.Flow.Arrows {
		if a.To == n.Key {
			_, name := splitKey(a.From)
			if n.Feeds != "" {
				n.Feeds += ", "
			}
			n.Feeds += name
		}
	}
	return n
}

func splitKey(key string) (kind, name string) {
	for i := range len(key) {
		if key[i] == ' ' {
			return key[:i], key[i+1:]
		}
	}
	return key, ""
}

// spark is the last minute's rate as a small picture.
func spark(points []float64) template.HTML {
	top := 1.0
	for _, v := range points {
		if v > top {
			top = v
		}
	}
	area, line := chart.Area(points, pulseWide, pulseTall, top), chart.Path(points, pulseWide, pulseTall, top)
	return template.HTML(fmt.Sprintf(`<svg class="spark" viewBox="0 0 %d %d" preserveAspectRatio="none" aria-hidden="true"><path class="area s0" d="%s"/><path class="line s0" d="%s"/></svg>`, pulseWide, pulseTall, area, line))
}

// picture puts the cards into columns. What does not fit into a column is in the table of all stages below.
func (s *Server) picture(m *moment, nodes []*nodeView) *picture {
	byKey := map[string]*nodeView{}
	for _, n := range nodes {
		byKey[n.Key] = n
	}
	arrows := s.cfg.Flow.Arrows
	if len(arrows) == 0 {
		arrows = guessed(m.Stages)
	}
	var columns [][]*nodeView
	for _, column := range layout(m.Stages, arrows) {
		var views []*nodeView
		for _, st := range column {
			views = append(views, byKey[st.id()])
		}
		columns = append(columns, views)
	}
	return draw(columns, arrows)
}

// guessed are arrows from each stage to each of the next kind, where the configuration's are not known.
func guessed(stages []*stageSum) []Arrow {
	var out []Arrow
	kinds := []string{status.KindCapture, status.KindTransform, status.KindSink}
	for _, a := range stages {
		for _, b := range stages {
			if i := slices.Index(kinds, a.Node.Kind); i >= 0 && slices.Index(kinds, b.Node.Kind) == i+1 {
				out = append(out, Arrow{a.id(), b.id()})
			}
		}
	}
	return out
}

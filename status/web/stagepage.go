package web

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"shelfstream/status"
	"shelfstream/status/chart"
)

// stageFaults is what is wrong with a stage, and what it holds back.
type stageFaults struct {
	Kind, Word, Name string
	Faults           []status.FaultJSON
	Troubles         []status.Trouble
	Process          bool   // not a stage: it has no page
	ProductView      string // that samples can be explained of; empty for sources
}

func faultsOf(st *stageSum) stageFaults {
	f := stageFaults{Kind: st.Node.Kind, Word: stageWord(st.Node.Kind), Name: st.Node.Name, Troubles: st.Troubles}
	for _, one := range st.Faults {
		f.Faults = append(f.Faults, status.FaultJSONOf(one))
	}
	if st.Node.Kind == status.KindTransform {
		f.ProductView = st.Node.Name
	}
	return f
}

// stageView is everything about one stage.
type stageView struct {
	*nodeView
	Detail               string
	Records, ParkedCount string
	HasParked            bool
	LagRecords           string
	Heartbeat            time.Time
	Attempt              int
	NextTry              time.Time
	Positions            []positionView
	Folded               bool
	Progress             []progressView
	Faults               stageFaults
	WorkerNames          []string
	LinkURL              string
}

type positionView struct{ Name, Value, Lag, LagRecords string }

type progressView struct {
	Words   string
	Percent int
	Known   bool // there is a total to be a part of
}

// foldAbove is from how many positions on they are folded away.
const foldAbove = 8

func (s *Server) stagePage(_ context.Context, q url.Values) (*page, error) {
	m := s.now()
	kind, name := q.Get("kind"), q.Get("name")
	for _, st := range m.Stages {
		if st.Node.Kind != kind || st.Node.Name != name {
			continue
		}
		v := s.stageOf(st, m)
		p := &page{Title: v.Word + " " + v.Name, Nav: "Overview", Live: true, Parts: []part{{"stage", "stagehead", v}, {"faults", "stagefaults", []stageFaults{v.Faults}}, {"numbers", "stagenumbers", v}}}
		p.Parts = append(p.Parts, part{"charts", "charts", s.charts(m, chartQuery{Range: time.Hour, Only: st.id()})}, part{"positions", "positions", v})
		return p, nil
	}
	return nil, fmt.Errorf("%s %s: %w", kind, name, status.ErrNotFound)
}

func (s *Server) stageOf(st *stageSum, m *moment) *stageView {
	_, records := st.Lag()
	v := &stageView{
		nodeView: s.nodeOf(st, m), Detail: st.Detail, Records: status.Count(st.Records), ParkedCount: status.Count(st.Stage.Parked), HasParked: st.Stage.Parked > 0,
		LagRecords: status.LagCount(records), Heartbeat: st.LastHeartbeat, Attempt: st.Attempt, NextTry: st.NextTry, Faults: faultsOf(st), WorkerNames: st.Workers,
	}
	if s.cfg.Links != nil && st.Node.Kind != status.KindTransform {
		v.LinkURL = linkURL(linkOf(st.Node.Kind, st.Node.Name))
	}
	for _, p := range st.Positions {
		v.Positions = append(v.Positions, positionView{p.Name, p.Value, status.LagWords(p.LagSeconds), status.LagCount(p.LagRecords)})
	}
	v.Folded = len(v.Positions) > foldAbove
	for _, p := range st.Stage.Progress {
		v.Progress = append(v.Progress, progressView{p.Words(m.At), p.Percent(), p.Total > 0 || !p.FinishedAt.IsZero()})
	}
	return v
}

// chartQuery says what charts are wanted.
type chartQuery struct {
	Range time.Duration
	Only  string // one stage's id
}

// chartsView is a page of charts.
type chartsView struct {
	Range  string
	Ranges []rangeView
	Plots  []*chart.Plot
	Since  time.Time
}

type rangeView struct {
	Name, URL string
	Here      bool
}

// chartPoints is how many points a chart has at most.
const chartPoints = 360

// ranges are how far back the charts can look.
var ranges = []struct {
	key, name string
	lasts     time.Duration
}{{"15m", "15 minutes", 15 * time.Minute}, {"1h", "1 hour", time.Hour}, {"6h", "6 hours", 6 * time.Hour}}

func (s *Server) chartsPage(_ context.Context, q url.Values) (*page, error) {
	m := s.now()
	want := chartQuery{Range: time.Hour}
	if shortest := ranges[0].lasts; m.At.Sub(s.started) < shortest { // else most of the picture is empty
		want.Range = shortest
	}
	for _, r := range ranges {
		if r.key == q.Get("range") {
			want.Range = r.lasts
		}
	}
	return &page{Title: "Charts", Nav: "Charts", Live: true, Parts: []part{{"ranges", "ranges", s.charts(m, chartQuery{Range: want.Range, Only: "-"})}, {"charts", "charts", s.charts(m, want)}}}, nil
}

func (s *Server) charts(m *moment, q chartQuery) *chartsView {
	to := m.At.Truncate(coarse)
	from := to.Add(-q.Range)
	v := &chartsView{Since: s.started}
	for _, r := range ranges {
		v.Ranges = append(v.Ranges, rangeView{r.name, "/charts?range=" + r.key, r.lasts == q.Range})
	}
	lines := func(pick func(*stageHistory) *chart.Ring, words func(float64) string) []chart.Line {
		var out []chart.Line
		for _, st := range m.Stages {
			if q.Only != "" && q.Only != st.id() {
				continue
			}
			points, newest := s.history.series(st.id(), pick, from, to, chartPoints)
			if points != nil {
				out = append(out, chart.Line{Name: stageWord(st.Node.Kind) + " " + st.Node.Name, Points: points, Now: words(newest)})
			}
		}
		return out
	}
	plot := func(title, note string, pick func(*stageHistory) *chart.Ring, words func(float64) string) {
		if l := lines(pick, words); len(l) > 0 {
			v.Plots = append(v.Plots, chart.Draw(title, note, from, to, s.cfg.Zone, l, words))
		}
	}
	if q.Only == "-" {
		return v
	}
	plot("Throughput", "records a second, the largest of each stretch", func(h *stageHistory) *chart.Ring { return h.rates }, perSecond)
	plot("Lag", "age of the newest thing done while something waits", func(h *stageHistory) *chart.Ring { return h.lag }, seconds)
	if q.Only == "" {
		if l := s.history.times(from, to, chartPoints, seconds); len(l) > 0 {
			v.Plots = append(v.Plots, chart.Draw("Latency", "time of one step, in this process", from, to, s.cfg.Zone, l, seconds))
		}
	}
	plot("Waiting", "records not done yet", func(h *stageHistory) *chart.Ring { return h.waiting }, whole)
	plot("Parked", "records and products held back", func(h *stageHistory) *chart.Ring { return h.parked }, whole)
	return v
}

func perSecond(v float64) string {
	if v != v {
		return "–"
	}
	return rateWords(v) + "/s"
}

func seconds(v float64) string {
	switch {
	case v != v:
		return "–"
	case v == 0:
		return "0 s"
	case v < 0.01:
		return fmt.Sprintf("%.1f ms", v*1000)
	}
	return status.Duration(time.Duration(v * float64(time.Second)))
}

func whole(v float64) string {
	switch {
	case v != v:
		return "–"
	case v < 10 && v != float64(int64(v)):
		return fmt.Sprintf("%.1f", v)
	}
	return status.Count(int64(v))
}

package web

import (
	"embed"
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"shelfstream/status"
)

//go:embed page
var pages embed.FS

// templates escape everything they are given (html/template).
var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"css": func() (template.CSS, error) {
		b, err := pages.ReadFile("page/style.css")
		return template.CSS(b), err // a file of this package
	},
	"js": func() (template.JS, error) {
		b, err := pages.ReadFile("page/refresh.js")
		return template.JS(b), err // a file of this package
	},
	"count": status.Count,
}).ParseFS(pages, "page/*.html"))

// frame is around each page's own data.
type frame struct {
	Nonce, Pipeline, Version string
	Data                     any
}

// tone is a colour; a word always stands beside it.
type tone string

const (
	toneGood tone = "good" // does its work
	toneBusy tone = "busy" // on the way there
	toneWarn tone = "warn" // something is wrong, it goes on trying
	toneBad  tone = "bad"  // waits for a person
)

func toneOf(s *status.Stage) tone {
	switch s.State {
	case status.StateLive, status.StateStreaming, status.StateStandby:
		return toneGood
	case status.StateStopped, status.StatePositionLost:
		return toneBad
	case status.StateRetrying, "fenced":
		return toneWarn
	}
	return toneBusy
}

// statusPage is what status.html shows.
type statusPage struct {
	Tone       tone
	Headline   string
	NotReady   []string
	At, Uptime string
	Stages     []stageView
	Views      []string // that a product can be explained of
}

type stageView struct {
	ID, Kind, Name, State, For, Detail string
	Tone                               tone
	Records, Parked, Lag, LagRecords   string
	HasParked                          bool
	ParkedURL                          string
	Heartbeat                          string
	Positions                          []positionView
	Folded                             bool
	Progress                           []progressView
	Faults                             []status.FaultJSON
	Tries                              string
	Troubles                           []troubleView
}

// troubleView is a cause that holds records back, and how many.
type troubleView struct {
	Words string
	Fault []status.FaultJSON // one
}

type positionView struct{ Name, Value, Lag, LagRecords string }

type progressView struct {
	Words   string
	Percent int
	Known   bool // there is a total to be a part of
}

// foldAbove is from how many positions on they are folded away.
const foldAbove = 8

func pageOf(r *status.Report, zone *time.Location, explain bool) *statusPage {
	p := &statusPage{Tone: toneGood, NotReady: r.NotReady, At: r.At.In(zone).Format("2006-01-02 15:04:05 MST"), Uptime: status.Duration(r.At.Sub(r.StartedAt))}
	tones := map[tone]int{}
	for i := range r.Stages {
		v := stageOf(&r.Stages[i], r.At)
		if v.Tone == toneGood && len(v.Faults) > 0 {
			tones[toneWarn]++
		} else {
			tones[v.Tone]++
		}
		if v.Kind == status.KindTransform && explain {
			p.Views = append(p.Views, v.Name)
		}
		p.Stages = append(p.Stages, v)
	}
	stages := func(n int) string {
		if n == 1 {
			return "1 stage"
		}
		return fmt.Sprintf("%d stages", n)
	}
	needs := func(n int) string {
		if n == 1 {
			return " needs"
		}
		return " need"
	}
	switch {
	case tones[toneBad] > 0:
		p.Tone, p.Headline = toneBad, stages(tones[toneBad])+needs(tones[toneBad])+" you"
	case tones[toneWarn] > 0:
		p.Tone, p.Headline = toneWarn, stages(tones[toneWarn])+needs(tones[toneWarn])+" a look"
	case tones[toneBusy] > 0:
		p.Tone, p.Headline = toneBusy, "On the way: "+stages(tones[toneBusy])+" not live yet"
	case !r.Ready:
		p.Tone, p.Headline = toneWarn, "Behind"
	case len(r.Stages) == 0:
		p.Tone, p.Headline = toneBusy, "No stage runs in this process"
	default:
		p.Headline = "All is well"
	}
	return p
}

func stageOf(s *status.Stage, now time.Time) stageView {
	seconds, records := s.Lag()
	v := stageView{
		ID: s.Kind + "-" + s.Name, Kind: s.Kind, Name: s.Name, State: s.State, Detail: s.Detail, Tone: toneOf(s),
		Records: status.Count(s.Records), Parked: status.Count(s.Parked), HasParked: s.Parked > 0,
		ParkedURL: "/parked?" + url.Values{"kind": {s.Kind}, "name": {s.Name}}.Encode(),
		Lag:       status.LagWords(seconds), LagRecords: status.LagCount(records), Heartbeat: "never",
	}
	if !s.Since.IsZero() {
		v.For = status.Duration(now.Sub(s.Since))
	}
	if !s.LastHeartbeat.IsZero() {
		v.Heartbeat = status.Duration(now.Sub(s.LastHeartbeat)) + " ago"
	}
	for _, p := range s.Positions {
		v.Positions = append(v.Positions, positionView{p.Name, p.Value, status.LagWords(p.LagSeconds), status.LagCount(p.LagRecords)})
	}
	v.Folded = len(v.Positions) > foldAbove
	for _, p := range s.Progress {
		v.Progress = append(v.Progress, progressView{p.Words(now), p.Percent(), p.Total > 0 || !p.FinishedAt.IsZero()})
	}
	v.Tries = s.TriesWords(now)
	for i := range s.Troubles {
		v.Troubles = append(v.Troubles, troubleView{s.Troubles[i].Words(), []status.FaultJSON{s.Troubles[i].Fault}})
	}
	for _, f := range s.Faults {
		v.Faults = append(v.Faults, status.FaultJSONOf(f))
	}
	return v
}

// parkedPage is what parked.html shows.
type parkedPage struct {
	Kind, Name string
	Limited    bool
	Rows       []parkedView
}

type parkedView struct {
	status.Parked
	Record     string
	For        string
	ExplainURL string
}

func parkedOf(kind, name string, list []status.Parked, zone *time.Location, now time.Time) *parkedPage {
	p := &parkedPage{Kind: kind, Name: name, Limited: len(list) == parkedLimit}
	for _, row := range list {
		v := parkedView{Parked: row}
		if row.Topic != "" {
			v.Record = fmt.Sprintf("%s/%d@%d", row.Topic, row.Partition, row.Offset)
		}
		if !row.Since.IsZero() {
			v.For = row.Since.In(zone).Format("2006-01-02 15:04:05") + " (" + status.Duration(now.Sub(row.Since)) + ")"
		}
		view := name
		if kind == status.KindSink { // its records are of a view, whose topic is "<pipeline>.<view>"
			view = row.Topic[strings.LastIndexByte(row.Topic, '.')+1:]
		}
		if kind == status.KindCapture { // a row of a table is no product
			p.Rows = append(p.Rows, v)
			continue
		}
		v.ExplainURL = "/explain?" + url.Values{"view": {view}, "key": {row.Key}}.Encode()
		p.Rows = append(p.Rows, v)
	}
	return p
}

// explainPage is what explain.html shows.
type explainPage struct {
	*status.Explanation
	Emitted, Next string
	Rows          []explainedRow
	Targets       []targetView
}

type explainedRow struct {
	status.ExplainedRow
	Input, Record, At string
}

type targetView struct {
	Sink, Table, Error string
	Columns            []string
	Rows               [][]string
}

func explainOf(x *status.Explanation, zone *time.Location) *explainPage {
	p := &explainPage{Explanation: x}
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.In(zone).Format("2006-01-02 15:04:05.000 MST")
	}
	p.Emitted, p.Next = at(x.EmittedAt), at(x.Wake)
	for _, r := range x.Rows {
		p.Rows = append(p.Rows, explainedRow{r, fmt.Sprintf("%s[%d]", r.Input, r.Row), fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset), at(r.Committed)})
	}
	for _, t := range x.Targets {
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
		p.Targets = append(p.Targets, v)
	}
	return p
}

package web

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"shelfstream/status"
	"shelfstream/status/audit"
)

// workerView is a line of the workers' table.
type workerView struct {
	Worker
	Self   bool
	Silent bool
	Tone   tone
	Stages []workerStage
	URL    string
}

type workerStage struct {
	Word, Name, State, URL string
	Tone                   tone
}

func (s *Server) workersPage(context.Context, url.Values) (*page, error) {
	if s.cfg.Workers == nil {
		return nil, fmt.Errorf("workers: %w", status.ErrNotFound)
	}
	m := s.now()
	var out []workerView
	for _, w := range m.Workers {
		v := workerView{Worker: w, Self: w.Name == s.cfg.Self, Silent: m.At.Sub(w.At) > silentAfter, Tone: toneGood}
		for i := range w.Stages {
			st := &w.Stages[i]
			t := toneOf(st)
			v.Stages = append(v.Stages, workerStage{stageWord(st.Kind), st.Name, st.State, stageURL(st.Kind, st.Name), t})
			if toneRank(t) > toneRank(v.Tone) {
				v.Tone = t
			}
		}
		if v.Silent {
			v.Tone = toneBad
		}
		if !v.Self && w.Admin != "" && !strings.ContainsAny(w.Admin, "/ ") {
			v.URL = "http://" + w.Admin + "/"
		}
		out = append(out, v)
	}
	slices.SortStableFunc(out, func(a, b workerView) int { return strings.Compare(a.Name, b.Name) })
	return &page{Title: "Workers", Nav: "Workers", Live: true, Parts: []part{{"workers", "workertable", out}}}, nil
}

// auditListed is how many entries a page shows.
const auditListed = 200

type auditView struct {
	audit.Entry
	Tone tone
}

func (s *Server) auditPage(context.Context, url.Values) (*page, error) {
	if s.cfg.AuditLast == nil {
		return nil, fmt.Errorf("the audit log: %w", status.ErrNotFound)
	}
	var out []auditView
	for _, e := range s.cfg.AuditLast(auditListed) {
		t := toneGood
		switch e.Outcome {
		case audit.Refused:
			t = toneWarn
		case audit.Failed:
			t = toneBad
		}
		out = append(out, auditView{e, t})
	}
	return &page{Title: "Audit", Nav: "Audit", Parts: []part{{"audit", "audittable", out}}}, nil
}

package web

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"shelfstream/status"
)

// parkedLimit is how many parked rows are read and found by a search, parkedListed how many stand on a page.
const (
	parkedLimit  = 10_000
	parkedListed = 50
	parkedFor    = 3 * time.Second
)

// parks are the lists of parked rows, each read from the log at most every parkedFor. There are as many as stages.
type parks struct {
	mu    sync.Mutex
	lists map[string]*reading[[]status.Parked]
}

func (p *parks) of(id string) *reading[[]status.Parked] {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lists == nil || len(p.lists) > mostStages {
		p.lists = map[string]*reading[[]status.Parked]{}
	}
	c := p.lists[id]
	if c == nil {
		c = &reading[[]status.Parked]{}
		p.lists[id] = c
	}
	return c
}

// parkedBy lists what a stage holds back, with secrets hidden; never nil if it was read. wait is as for reading.get.
func (s *Server) parkedBy(ctx context.Context, kind, name string, wait time.Duration) (list []status.Parked, read bool, err error) {
	if s.cfg.Parked == nil {
		return nil, false, status.NotHere(kind, name)
	}
	return s.parks.of(kind+" "+name).get(ctx, s, parkedFor, wait, func(ctx context.Context) ([]status.Parked, error) {
		list, err := s.cfg.Parked(ctx, kind, name, parkedLimit)
		if err != nil {
			return nil, err
		}
		list = slices.Clone(list)
		for i := range list {
			p := &list[i]
			p.Where, p.What, p.Fix, p.Key = s.cfg.Redact(p.Where), s.cfg.Redact(p.What), s.cfg.Redact(p.Fix), s.cfg.Redact(p.Key)
		}
		if list == nil {
			list = []status.Parked{}
		}
		return list, nil
	})
}

// parkedStages is the list of stages that hold something back.
type parkedStages struct {
	Stages []*stageView
	None   bool
}

// parkedPageView is what one stage holds back.
type parkedPageView struct {
	Kind, Word, Name string
	Causes           []status.Trouble
	Rows             []parkedView
	Found, Listed    int
	All              int64
	Limited          bool
	Reading          bool // the list comes in a moment
	Find, Cause      string
	From             int
	Older, Newer     string
	CanRetry         bool
	CanSkip          bool
	Replay           bool // only a replay tries these again
}

type parkedView struct {
	status.Parked
	Record     string
	View       string
	ExplainURL string
}

func (s *Server) parkedPage(ctx context.Context, q url.Values) (*page, error) {
	kind, name := q.Get("kind"), q.Get("name")
	m := s.now()
	if kind == "" && name == "" {
		l := parkedStages{None: true}
		for _, st := range m.Stages {
			l.Stages = append(l.Stages, s.stageOf(st, m))
			l.None = l.None && st.Parked == 0
		}
		return &page{Title: "Parked", Nav: "Parked", Live: true, Parts: []part{{"parked", "parkedstages", l}}}, nil
	}
	list, read, err := s.parkedBy(ctx, kind, name, s.wait)
	if err != nil {
		return nil, err
	}
	v := s.parkedOf(kind, name, list, q)
	v.Reading = !read
	for _, st := range m.Stages {
		if st.Node.Kind == kind && st.Node.Name == name {
			v.Causes, v.All = st.Troubles, max(st.Parked, v.All)
		}
	}
	return &page{Title: "Parked by " + v.Word + " " + v.Name, Nav: "Parked", Live: true, Parts: []part{{"head", "parkedhead", v}, {"causes", "parkedcauses", v}, {"rows", "parkedrows", v}}}, nil
}

func (s *Server) parkedOf(kind, name string, list []status.Parked, q url.Values) *parkedPageView {
	v := &parkedPageView{
		Kind: kind, Word: stageWord(kind), Name: name, All: int64(len(list)), Limited: len(list) >= parkedLimit, Find: q.Get("find"), Replay: kind == status.KindSink,
		CanRetry: kind == status.KindTransform && s.cfg.RetryParked != nil, CanSkip: kind == status.KindTransform && s.cfg.SkipParked != nil,
	}
	if _, err := fmt.Sscanf(q.Get("from"), "%d", &v.From); err != nil || v.From < 0 {
		v.From = 0
	}
	find := strings.ToLower(v.Find)
	for i := range list {
		p := &list[i]
		if find != "" && !strings.Contains(strings.ToLower(p.Key), find) && !strings.Contains(strings.ToLower(p.What), find) && !strings.Contains(strings.ToLower(p.Where), find) {
			continue
		}
		if v.Found++; v.Found > v.From && len(v.Rows) < parkedListed {
			v.Rows = append(v.Rows, s.parkedRow(kind, name, p))
		}
	}
	at := func(from int) string {
		return "/parked?" + url.Values{"kind": {kind}, "name": {name}, "find": {v.Find}, "from": {fmt.Sprint(from)}}.Encode()
	}
	v.Listed = len(v.Rows)
	if v.Found > v.From+v.Listed {
		v.Older = at(v.From + parkedListed)
	}
	if v.From > 0 {
		v.Newer = at(max(0, v.From-parkedListed))
	}
	return v
}

func (s *Server) parkedRow(kind, name string, p *status.Parked) parkedView {
	v := parkedView{Parked: *p}
	if p.Topic != "" {
		v.Record = fmt.Sprintf("%s/%d@%d", p.Topic, p.Partition, p.Offset)
	}
	view := name
	switch kind {
	case status.KindCapture: // a row of a table is no product
		return v
	case status.KindSink: // its records are of a view, whose topic is "<pipeline>.<view>"
		view = p.Topic[strings.LastIndexByte(p.Topic, '.')+1:]
	}
	v.View = view
	if s.cfg.Explain != nil && view != "" {
		v.ExplainURL = productURL(view, p.Key)
	}
	return v
}

func (s *Server) readHeld(ctx context.Context) ([]Held, error) {
	list, err := s.cfg.Held(ctx)
	list = slices.Clone(list)
	for i := range list {
		h := &list[i]
		h.Why = s.cfg.Redact(h.Why)
		h.Samples = slices.Clone(h.Samples)
		for k := range h.Samples {
			x := &h.Samples[k]
			x.Before, x.After = s.cfg.Redact(x.Before), s.cfg.Redact(x.After)
		}
	}
	return list, err
}

// heldView is the page of what guards hold.
type heldView struct {
	Guards   []Held
	Error    string
	Reading  bool // it comes in a moment
	CanApply bool
}

func (s *Server) heldPage(context.Context, url.Values) (*page, error) {
	m := s.now()
	v := heldView{Guards: m.guards, Reading: s.cfg.Held != nil && !m.heldRead, CanApply: s.cfg.ApplyHeld != nil}
	if m.heldErr != nil {
		v.Error = s.cfg.Redact(m.heldErr.Error())
	}
	p := &page{Title: "Held changes", Nav: "Held", Live: true, Parts: []part{{"head", "heldhead", v}}}
	for i := range v.Guards {
		p.Parts = append(p.Parts, part{fmt.Sprintf("guard%d", i), "heldguard", heldOne{v.Guards[i], v.CanApply, max(0, v.Guards[i].Held-len(v.Guards[i].Samples))}})
	}
	return p, nil
}

type heldOne struct {
	Held
	CanApply bool
	More     int // that are not among the samples
}

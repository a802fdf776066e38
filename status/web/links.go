package web

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"shelfstream/status"
	"shelfstream/status/exchange"
)

// linkViews are the links, those in trouble first.
func (s *Server) linkViews(m *moment) []linkView {
	var out []linkView
	for _, l := range s.cfg.Links() {
		v := linkView{Link: l, URL: linkURL(l.Link), Tone: toneGood, Says: "the last one went well"}
		switch {
		case l.Last == nil:
			v.Tone, v.Says = toneOff, "nothing yet"
		case l.Last.Outcome == exchange.Failed:
			v.Tone, v.Says = toneBad, "the last one failed"
		case l.Last.Outcome == exchange.Parked:
			v.Tone, v.Says = toneWarn, "records were held back"
		}
		if v.LastFailed != nil {
			v.LastFailed = s.redactExchange(*v.LastFailed)
		}
		out = append(out, v)
	}
	slices.SortStableFunc(out, func(a, b linkView) int { return toneRank(b.Tone) - toneRank(a.Tone) })
	return out
}

func toneRank(t tone) int {
	return map[tone]int{toneBad: 3, toneWarn: 2, toneBusy: 1}[t]
}

func (s *Server) redactExchange(e exchange.Exchange) *exchange.Exchange {
	e.Keys = s.redacted(e.Keys)
	if e.Fault != nil {
		f := *e.Fault
		s.redactFault(&f)
		e.Fault = &f
	}
	return &e
}

func (s *Server) linksPage(context.Context, url.Values) (*page, error) {
	if s.cfg.Links == nil {
		return nil, fmt.Errorf("links: %w", status.ErrNotFound)
	}
	return &page{Title: "Links", Nav: "Links", Live: true, Parts: []part{{"links", "linktable", s.linkViews(s.now())}}}, nil
}

// exchangeList is a link's last communications.
type exchangeList struct {
	Link              string
	FailedOnly        bool
	AllURL, FailedURL string
	List              []exchangeView
	Summary           *linkView
}

// exchangeView is one of them.
type exchangeView struct {
	exchange.Exchange
	Tone     tone
	Each     string // how long one took
	Size     string
	Spans    []string
	View     string // that its keys are products of; empty if they are not
	Products bool
}

// exchangesListed is how many a page shows.
const exchangesListed = 100

func (s *Server) exchangeViews(link string, n int, failedOnly bool) exchangeList {
	base := linkURL(link)
	l := exchangeList{Link: link, FailedOnly: failedOnly, AllURL: base, FailedURL: base + "&failed=1"}
	for _, e := range s.cfg.Exchanges(link, n, failedOnly) {
		v := exchangeView{Exchange: *s.redactExchange(e), Tone: toneGood, Size: size(e.Bytes)}
		switch e.Outcome {
		case exchange.Failed:
			v.Tone = toneBad
		case exchange.Parked:
			v.Tone = toneWarn
		}
		v.Each = status.Duration(e.Took / time.Duration(max(e.Count, 1)))
		if each := e.Took / time.Duration(max(e.Count, 1)); each > 0 && each < 10*time.Millisecond {
			v.Each = fmt.Sprintf("%.1f ms", float64(each)/float64(time.Millisecond))
		}
		topic := ""
		for _, span := range e.Spans {
			name := span.Topic
			if name == topic {
				name = "" // the same as before
			}
			topic = span.Topic
			v.Spans = append(v.Spans, fmt.Sprintf("%s/%d\u00a0%d–%d", name, span.Partition, span.From, span.To))
			if strings.HasPrefix(link, "sink ") && s.cfg.Explain != nil {
				v.View = span.Topic[strings.LastIndexByte(span.Topic, '.')+1:]
			}
		}
		l.List = append(l.List, v)
	}
	return l
}

// size writes bytes in thousands.
func size(n int64) string {
	switch {
	case n <= 0:
		return ""
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

func (s *Server) linkPage(_ context.Context, q url.Values) (*page, error) {
	if s.cfg.Exchanges == nil || s.cfg.Links == nil {
		return nil, fmt.Errorf("links: %w", status.ErrNotFound)
	}
	link := q.Get("name")
	l := s.exchangeViews(link, exchangesListed, q.Get("failed") != "")
	for _, v := range s.linkViews(s.now()) {
		if v.Link.Link == link {
			l.Summary = &v
		}
	}
	if l.Summary == nil {
		return nil, fmt.Errorf("link %s: %w", link, status.ErrNotFound)
	}
	return &page{Title: link, Nav: "Links", Live: true, Parts: []part{{"link", "linkhead", l}, {"exchanges", "exchangetable", l}}}, nil
}

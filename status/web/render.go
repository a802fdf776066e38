package web

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"shelfstream/status"
	"shelfstream/status/login"
)

//go:embed page
var pages embed.FS

// file is a file of this package as markup that is not escaped.
func file(name string) (string, error) {
	b, err := pages.ReadFile("page/" + name)
	return string(b), err
}

// templates escape everything they are given (html/template).
var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"css": func() (template.CSS, error) { s, err := file("style.css"); return template.CSS(s), err },
	"js":  func() (template.JS, error) { s, err := file("page.js"); return template.JS(s), err },
	"count": func(n any) string {
		switch n := n.(type) {
		case int:
			return status.Count(int64(n))
		case int64:
			return status.Count(n)
		}
		return fmt.Sprint(n)
	},
	"plural": func(n any, one, many string) string {
		if fmt.Sprint(n) == "1" {
			return one
		}
		return many
	},
	"stage":    stageURL,
	"product":  productURL,
	"link":     linkURL,
	"incident": func(id string) string { return "/incident?" + url.Values{"id": {id}}.Encode() },
	"dict": func(pairs ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i+1 < len(pairs); i += 2 {
			m[fmt.Sprint(pairs[i])] = pairs[i+1]
		}
		return m
	},
}).ParseFS(pages, "page/*.html"))

func stageURL(kind, name string) string {
	return "/stage?" + url.Values{"kind": {kind}, "name": {name}}.Encode()
}

func productURL(view, key string) string {
	return "/explain?" + url.Values{"view": {view}, "key": {key}}.Encode()
}

func linkURL(link string) string { return "/link?" + url.Values{"name": {link}}.Encode() }

// page is what a page shows: parts that are made, and sent again when they change, each by itself.
type page struct {
	Title string
	// Nav is the menu's entry that the page belongs to.
	Nav string
	// Live pages are kept up to date.
	Live  bool
	Parts []part
	// Code is the answer's; 0 = 200.
	Code int
}

// part is one piece of a page.
type part struct {
	ID, Template string
	Data         any
}

// scene is what a part's template sees: its data as .D, who looks, and the clock.
type scene struct {
	D    any
	V    *login.Visitor
	S    *Server
	At   time.Time
	Here string // the page's path and query, to come back to
}

// May says whether buttons are shown.
func (s scene) May() bool { return s.V.Role.May(login.Operate) && s.V.Token != "" }

// Clock writes a time: of today the time of day, else the day too. A script makes "12 s ago" of it.
func (s scene) Clock(t time.Time) template.HTML { return s.time(t, "ago") }

// For writes since when; a script makes "12 s" of it.
func (s scene) For(t time.Time) template.HTML { return s.time(t, "for") }

// Seen writes from when to when something was seen.
func (s scene) Seen(first, last time.Time) template.HTML {
	if last.Sub(first) < 2*time.Second {
		return s.Clock(last)
	}
	return "first " + s.Clock(first) + ", last " + s.Clock(last)
}

// Ahead says whether a time is yet to come.
func (s scene) Ahead(t time.Time) bool { return t.After(s.At) }

// PassTimes are for how long a guard may let new changes pass.
func (s scene) PassTimes() any { return passTimes }

// Exact writes a time with milliseconds, as it stays.
func (s scene) Exact(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(s.S.cfg.Zone).Format("2006-01-02 15:04:05.000")
}

// Stamp writes a time as it stays.
func (s scene) Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return s.shortly(t)
}

func (s scene) shortly(t time.Time) string {
	t, now := t.In(s.S.cfg.Zone), s.At.In(s.S.cfg.Zone)
	switch {
	case t.Format("2006-01-02") == now.Format("2006-01-02"):
		return t.Format("15:04:05")
	case t.Year() == now.Year():
		return t.Format("2 Jan 15:04")
	}
	return t.Format("2 Jan 2006 15:04")
}

func (s scene) time(t time.Time, kind string) template.HTML {
	if t.IsZero() {
		return "never"
	}
	text := s.shortly(t)
	if kind == "for" {
		text = "since " + text
	}
	full := t.In(s.S.cfg.Zone).Format("2006-01-02 15:04:05 MST")
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-%s title="%s">%s</time>`, t.UTC().Format("2006-01-02T15:04:05.000Z"), kind, full, text))
}

// frame is around the parts.
type frame struct {
	Nonce, Pipeline, Version, Title string
	Live                            bool
	LiveURL                         string
	Nav                             template.HTML
	Parts                           []rendered
	V                               *login.Visitor
	CanLogin                        bool
	Here                            string
}

// rendered is a part as markup.
type rendered struct {
	ID   string        `json:"id"`
	HTML template.HTML `json:"html"`
}

// render makes a page's parts. Each is whole or an error: half a part is never sent.
func (s *Server) render(p *page, v *login.Visitor, here string) ([]rendered, error) {
	at := s.cfg.Now()
	out := make([]rendered, 0, len(p.Parts)+1)
	for _, part := range append([]part{{"nav", "nav", s.menu(p.Nav)}}, p.Parts...) {
		var b bytes.Buffer
		if err := templates.ExecuteTemplate(&b, part.Template, scene{D: part.Data, V: v, S: s, At: at, Here: here}); err != nil {
			return nil, fmt.Errorf("make the page's part %s: %w", part.ID, err)
		}
		out = append(out, rendered{part.ID, template.HTML(b.String())})
	}
	return out, nil
}

// html answers with a page. It is made in memory first.
func (s *Server) html(w http.ResponseWriter, r *http.Request, p *page) {
	v := visitorOf(r)
	here := r.URL.RequestURI()
	if r.Method != http.MethodGet {
		here = "/"
	}
	parts, err := s.render(p, v, here)
	if err != nil {
		s.cfg.Logger.Error("a page cannot be made", "page", r.URL.Path, "error", err)
		http.Error(w, "this page cannot be made; the log says why", http.StatusInternalServerError)
		return
	}
	nonce, _ := r.Context().Value(nonceKey{}).(string)
	f := frame{
		Nonce: nonce, Pipeline: s.cfg.Pipeline, Version: s.cfg.Version, Title: p.Title, Live: p.Live, LiveURL: "/live?" + url.Values{"page": {here}}.Encode(),
		Nav: parts[0].HTML, Parts: parts[1:], V: v, CanLogin: s.desk.HasPasswords() && v.Name == "", Here: here,
	}
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, "frame.html", f); err != nil {
		s.cfg.Logger.Error("a page cannot be made", "page", r.URL.Path, "error", err)
		http.Error(w, "this page cannot be made; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if p.Code != 0 {
		w.WriteHeader(p.Code)
	}
	_, _ = w.Write(b.Bytes())
}

// maker makes a page for a query. What it returns as an error is answered as fail does.
type maker func(ctx context.Context, q url.Values) (*page, error)

// makers are the pages by their paths.
func (s *Server) makers() map[string]maker {
	return map[string]maker{
		"/": s.overviewPage, "/stage": s.stagePage, "/incidents": s.incidentsPage, "/incident": s.incidentPage, "/links": s.linksPage, "/link": s.linkPage,
		"/parked": s.parkedPage, "/held": s.heldPage, "/explain": s.productPage, "/charts": s.chartsPage, "/workers": s.workersPage, "/audit": s.auditPage,
	}
}

// menuEntry is one entry of the menu.
type menuEntry struct {
	Name, URL string
	Here      bool
	Badge     string
	Tone      tone
	Says      string // what the badge counts
}

// menu lists the pages that there are something for.
func (s *Server) menu(here string) []menuEntry {
	m := s.now()
	var parked int64
	views := false
	for _, st := range m.Stages {
		parked += st.Parked
		views = views || st.Node.Kind == status.KindTransform
	}
	badge := func(n int64) string {
		if n == 0 {
			return ""
		}
		return short(n)
	}
	all := []struct {
		menuEntry
		there bool
	}{
		{menuEntry{Name: "Overview", URL: "/"}, true},
		{menuEntry{Name: "Incidents", URL: "/incidents", Badge: badge(int64(m.Open)), Tone: toneBad, Says: "open"}, s.cfg.Incidents != nil},
		{menuEntry{Name: "Links", URL: "/links"}, s.cfg.Links != nil},
		{menuEntry{Name: "Parked", URL: "/parked", Badge: badge(parked), Tone: toneWarn, Says: "parked"}, s.cfg.Parked != nil},
		{menuEntry{Name: "Held", URL: "/held", Badge: badge(int64(m.Held)), Tone: toneWarn, Says: "held"}, s.cfg.Held != nil},
		{menuEntry{Name: "Product", URL: "/explain"}, s.cfg.Explain != nil && views},
		{menuEntry{Name: "Charts", URL: "/charts"}, true},
		{menuEntry{Name: "Workers", URL: "/workers"}, s.cfg.Workers != nil},
		{menuEntry{Name: "Audit", URL: "/audit"}, s.cfg.AuditLast != nil},
	}
	var out []menuEntry
	for _, e := range all {
		if e.there {
			e.Here = e.Name == here
			out = append(out, e.menuEntry)
		}
	}
	return out
}

// short writes a count in at most four characters.
func short(n int64) string {
	switch {
	case n >= 1_000_000:
		return fmt.Sprintf("%.1fM", float64(n)/1e6)
	case n >= 10_000:
		return fmt.Sprintf("%dk", n/1000)
	case n >= 1000:
		return fmt.Sprintf("%.1fk", float64(n)/1000)
	}
	return fmt.Sprint(n)
}

// HasLink says whether a link has a page of its own.
func (s *Server) HasLink(link string) bool {
	return s.cfg.Links != nil && s.cfg.Exchanges != nil && link != ""
}

// CanLogIn says whether there is anybody to log in.
func (s *Server) CanLogIn() bool { return s.desk.HasPasswords() }

package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/status"
)

// Report gives everything that the page shows, now, with secrets hidden.
func (s *Server) Report() *status.Report {
	now := s.cfg.Now()
	r := &status.Report{Pipeline: s.cfg.Pipeline, Version: s.cfg.Version, StartedAt: s.started, At: now, Stages: []status.Stage{}}
	for _, reporter := range s.cfg.Reporters {
		st := reporter.Status()
		st.Detail = s.cfg.Redact(st.Detail)
		faults := make(fault.List, len(st.Faults))
		for i, f := range st.Faults {
			j := status.FaultJSONOf(f)
			j.Where, j.What, j.Fix = s.cfg.Redact(j.Where), s.cfg.Redact(j.What), s.cfg.Redact(j.Fix)
			faults[i] = j.Fault()
		}
		st.Faults = faults
		if why := st.Unready(now, s.cfg.MaxLag); why != "" {
			r.NotReady = append(r.NotReady, why)
		}
		r.Stages = append(r.Stages, st)
	}
	if s.cfg.Ready != nil {
		if err := s.cfg.Ready(); err != nil {
			r.NotReady = append(r.NotReady, s.cfg.Redact(err.Error()))
		}
	}
	r.Ready = len(r.NotReady) == 0
	return r
}

func (s *Server) statusJSON(w http.ResponseWriter, _ *http.Request) {
	s.json(w, http.StatusOK, s.Report())
}

// healthz fails only when a stage has ended for good: that is when starting the process again may help.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	var dead []string
	for _, st := range s.Report().Stages {
		if st.Dead() {
			dead = append(dead, st.Kind+" "+st.Name+" has stopped")
		}
	}
	s.verdict(w, dead)
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) { s.verdict(w, s.Report().NotReady) }

func (s *Server) verdict(w http.ResponseWriter, against []string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if len(against) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(strings.Join(against, "\n") + "\n"))
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	s.html(w, r, http.StatusOK, "status.html", pageOf(s.Report(), s.cfg.Zone, s.cfg.Explain != nil))
}

func (s *Server) explain(w http.ResponseWriter, r *http.Request) {
	view, key := r.FormValue("view"), r.FormValue("key")
	if s.cfg.Explain == nil {
		s.fail(w, r, http.StatusNotFound, status.NotHere(status.KindTransform, view))
		return
	}
	if view == "" || key == "" {
		s.fail(w, r, http.StatusBadRequest, errors.New("name the view and the product: /explain?view=product&key=4711"))
		return
	}
	x, err := s.cfg.Explain(r.Context(), view, key)
	if err != nil {
		s.fail(w, r, statusOf(err), err)
		return
	}
	if wantsHTML(r) {
		s.html(w, r, http.StatusOK, "explain.html", explainOf(x, s.cfg.Zone))
		return
	}
	s.json(w, http.StatusOK, x)
}

// parkedLimit is how many parked rows a page shows.
const parkedLimit = 500

func (s *Server) parked(w http.ResponseWriter, r *http.Request) {
	kind, name := r.FormValue("kind"), r.FormValue("name")
	if s.cfg.Parked == nil {
		s.fail(w, r, http.StatusNotFound, status.NotHere(kind, name))
		return
	}
	list, err := s.cfg.Parked(r.Context(), kind, name, parkedLimit)
	if err != nil {
		s.fail(w, r, statusOf(err), err)
		return
	}
	for i := range list {
		list[i].What, list[i].Fix = s.cfg.Redact(list[i].What), s.cfg.Redact(list[i].Fix)
	}
	if wantsHTML(r) {
		s.html(w, r, http.StatusOK, "parked.html", parkedOf(kind, name, list, s.cfg.Zone, s.cfg.Now()))
		return
	}
	if list == nil {
		list = []status.Parked{}
	}
	s.json(w, http.StatusOK, list)
}

func statusOf(err error) int {
	if errors.Is(err, status.ErrNotFound) {
		return http.StatusNotFound
	}
	for _, f := range fault.All(err) {
		if f.Class == fault.Config {
			return http.StatusBadRequest
		}
	}
	return http.StatusInternalServerError
}

// fail answers with the faults of err, as a page or as JSON {"error": …, "faults": […]}.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, code int, err error) {
	faults := s.faults(err)
	text := s.cfg.Redact(err.Error())
	if wantsHTML(r) {
		if len(faults) == 0 {
			faults = append(faults, status.FaultJSON{What: text})
		}
		s.html(w, r, code, "error.html", struct{ Faults []status.FaultJSON }{faults})
		return
	}
	s.json(w, code, struct {
		Error  string             `json:"error"`
		Faults []status.FaultJSON `json:"faults"`
	}{text, faults})
}

// faults are those of err, without secrets.
func (s *Server) faults(err error) []status.FaultJSON {
	faults := []status.FaultJSON{}
	for _, f := range fault.All(err) {
		j := status.FaultJSONOf(f)
		j.Where, j.What, j.Fix = s.cfg.Redact(j.Where), s.cfg.Redact(j.What), s.cfg.Redact(j.Fix)
		faults = append(faults, j)
	}
	return faults
}

func wantsHTML(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html") && r.FormValue("format") != "json"
}

func (s *Server) json(w http.ResponseWriter, code int, v any) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n'))
}

// html renders a page in memory first, so that a template's error is not half a page.
func (s *Server) html(w http.ResponseWriter, r *http.Request, code int, name string, data any) {
	nonce, _ := r.Context().Value(nonceKey{}).(string)
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, frame{Nonce: nonce, Pipeline: s.cfg.Pipeline, Version: s.cfg.Version, Data: data}); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes())
}

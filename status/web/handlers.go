package web

import (
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
		s.redactStage(&st)
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
	r := s.Report()
	for _, i := range s.incidents() {
		if i.Resolved.IsZero() {
			r.Incidents = append(r.Incidents, status.OpenIncident{
				ID: i.ID, Severity: i.Severity, Since: i.Opened, Link: i.Link, What: i.What, Count: i.Count, By: i.By, Behind: i.Behind,
			})
		}
	}
	s.json(w, http.StatusOK, r)
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

func (s *Server) incidentsJSON(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Incidents == nil {
		s.fail(w, r, http.StatusNotFound, errors.New("this process keeps no incidents"))
		return
	}
	list := s.incidents()
	if list == nil {
		list = []Incident{}
	}
	s.json(w, http.StatusOK, list)
}

func (s *Server) explain(w http.ResponseWriter, r *http.Request) {
	view, key := r.FormValue("view"), r.FormValue("key")
	if wantsHTML(r) {
		s.page("/explain")(w, r)
		return
	}
	x, err := s.explained(r.Context(), view, key)
	if err != nil {
		code := statusOf(err)
		if errors.Is(err, errWhich) {
			code = http.StatusBadRequest
		}
		s.fail(w, r, code, err)
		return
	}
	s.json(w, http.StatusOK, x)
}

func (s *Server) parked(w http.ResponseWriter, r *http.Request) {
	kind, name := r.FormValue("kind"), r.FormValue("name")
	if wantsHTML(r) {
		s.page("/parked")(w, r)
		return
	}
	list, _, err := s.parkedBy(r.Context(), kind, name, -1)
	if err != nil {
		s.fail(w, r, statusOf(err), err)
		return
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
		s.html(w, r, &page{Title: "Not possible", Code: code, Parts: []part{{"error", "error", errorPage{Faults: faults, Login: code == http.StatusUnauthorized && s.desk.HasPasswords()}}}})
		return
	}
	s.json(w, code, struct {
		Error  string             `json:"error"`
		Faults []status.FaultJSON `json:"faults"`
	}{text, faults})
}

// errorPage is what is wrong with a request.
type errorPage struct {
	Faults []status.FaultJSON
	Login  bool // logging in may help
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

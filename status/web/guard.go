package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"shelfstream/internal/fault"
	"shelfstream/status"
	"shelfstream/status/audit"
	"shelfstream/status/login"
)

// visitorKey carries who asks.
type visitorKey struct{}

func visitorOf(r *http.Request) *login.Visitor {
	if v, ok := r.Context().Value(visitorKey{}).(*login.Visitor); ok {
		return v
	}
	return &login.Visitor{}
}

func (s *Server) visited(w http.ResponseWriter, r *http.Request) (*http.Request, *login.Visitor) {
	v := s.desk.Who(w, r)
	return r.WithContext(context.WithValue(r.Context(), visitorKey{}, v)), v
}

// setUsers is the remedy wherever nobody can log in.
const setUsers = "set users: 'shelfstream password' makes a line for admin.users, with role: operate"

func howToLook(known bool) string {
	if known {
		return "log in; commands and scripts show the name and password of a user of admin.users"
	}
	return setUsers + "; or admin.open: true where only those reach the port who may look, or admin.listen: 127.0.0.1:8480"
}

// looking lets through who may look.
func (s *Server) looking(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r, v := s.visited(w, r)
		if v.Role.May(login.View) {
			next(w, r)
			return
		}
		if wantsHTML(r) && s.desk.HasPasswords() && v.Name == "" && r.Method == http.MethodGet {
			http.Redirect(w, r, "/login?"+url.Values{"to": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
			return
		}
		code := http.StatusForbidden
		if s.desk.Known() && v.Name == "" {
			code = http.StatusUnauthorized
		}
		s.fail(w, r, code, &fault.Fault{
			Class: fault.Environment, Where: status.AdminPort, What: "who asks may not look at this pipeline", Fix: howToLook(s.desk.Known()),
		})
	}
}

// page lets through who may look, and shows the page of the path.
func (s *Server) page(path string) http.HandlerFunc {
	return s.looking(func(w http.ResponseWriter, r *http.Request) {
		p, err := s.pages[path](r.Context(), r.URL.Query())
		if err != nil {
			s.fail(w, r, statusOf(err), err)
			return
		}
		s.html(w, r, p)
	})
}

// named lets through who is logged in, whatever else is open.
func (s *Server) named(next http.HandlerFunc) http.HandlerFunc {
	return s.looking(func(w http.ResponseWriter, r *http.Request) {
		if visitorOf(r).Name == "" {
			s.refuse(w, r, "look at what people did", "", errLogin)
			return
		}
		next(w, r)
	})
}

var (
	errLogin = errors.New("nobody is logged in")
	errRole  = errors.New("the role operate is needed for this")
)

// action is what a form asks for. do says what was done; target is what the audit says it was done to.
type action struct {
	name   string
	target func(form url.Values) string
	note   string // the form's field that has the reason
	do     func(ctx context.Context, v *login.Visitor, form url.Values) (say string, err error)
}

// formBytes is how long a form may be.
const formBytes = 64 << 10

// acting lets through who may act, from a page of this port, does it and notes it, also when it is refused.
func (s *Server) acting(a action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, formBytes)
		if err := r.ParseForm(); err != nil {
			s.fail(w, r, http.StatusBadRequest, errors.New("the form cannot be read"))
			return
		}
		r, v := s.visited(w, r)
		target := a.target(r.PostForm)
		if err := s.mayAct(r, v); err != nil {
			s.refuse(w, r, a.name, target, err)
			return
		}
		e := audit.Entry{Action: a.name, Target: target, Note: r.PostForm.Get(a.note), Outcome: audit.Done}
		say, err := a.do(r.Context(), v, r.PostForm)
		if e.Why = say; err != nil {
			e.Outcome, e.Why = audit.Failed, err.Error()
		}
		s.helds.drop()
		s.moments.drop()
		if noted := s.note(r, e); noted != nil && err == nil {
			s.fail(w, r, http.StatusInternalServerError, &fault.Fault{
				Where: status.AdminPort, What: "it was done, but could not be noted in the audit log", Err: noted, Fix: "look after the log's brokers; what was done is in this process's own log",
			})
			return
		}
		if err != nil {
			s.fail(w, r, statusOf(err), err)
			return
		}
		if !wantsHTML(r) {
			s.json(w, http.StatusOK, map[string]string{"say": s.cfg.Redact(say)})
			return
		}
		s.html(w, r, &page{Title: "Done", Parts: []part{{"done", "done", done{Say: s.cfg.Redact(say), Back: localPath(r.PostForm.Get("back"))}}}})
	}
}

// mayAct is the order of the guards: who, then what they may, then whether their own page asked for it.
func (s *Server) mayAct(r *http.Request, v *login.Visitor) error {
	switch {
	case v.Name == "":
		return errLogin
	case !v.Role.May(login.Operate):
		return errRole
	}
	return s.desk.Form(r, v)
}

// done is what the page says after an action.
type done struct{ Say, Back string }

// refuse says no, and notes it.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, name, target string, err error) {
	if noted := s.note(r, audit.Entry{Action: name, Target: target, Outcome: audit.Refused, Why: err.Error()}); noted != nil {
		s.cfg.Logger.Error("a refusal could not be noted", "error", noted)
	}
	code, fix := http.StatusForbidden, "load the page again and send the form from there"
	switch {
	case errors.Is(err, errLogin) && s.desk.Known():
		code, fix = http.StatusUnauthorized, "log in as a user with the role operate"
	case errors.Is(err, errLogin):
		fix = setUsers
	case errors.Is(err, errRole):
		fix = "ask somebody with the role operate, or set role: operate for this user under admin.users"
	}
	s.fail(w, r, code, &fault.Fault{Class: fault.Environment, Where: status.AdminPort, What: "not allowed to " + name + ": " + err.Error(), Fix: fix})
}

// note writes an entry about the visitor of a request. The process's log has it too.
func (s *Server) note(r *http.Request, e audit.Entry) error {
	v := visitorOf(r)
	e.At, e.From = s.cfg.Now().UTC(), v.From
	if e.Who == "" {
		e.Who, e.Role = v.Name, string(v.Role)
	}
	e.Note, e.Why = s.cfg.Redact(cut(e.Note)), s.cfg.Redact(cut(e.Why))
	e.Target, e.Who = cut(e.Target), cut(e.Who)
	s.cfg.Logger.Info("action", "who", e.Who, "role", e.Role, "from", e.From, "action", e.Action, "target", e.Target, "note", e.Note, "outcome", e.Outcome, "why", e.Why)
	if s.cfg.Audit == nil {
		return nil
	}
	return s.cfg.Audit(r.Context(), e)
}

// cut bounds what people write.
func cut(text string) string {
	const most = 1000
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

// localPath is a path of this port, to come back to; "/" for anything else.
func localPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || u.Opaque != "" || len(to) < 1 || to[0] != '/' || len(to) > 1 && (to[1] == '/' || to[1] == '\\') {
		return "/"
	}
	return u.RequestURI()
}

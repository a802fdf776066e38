package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status"
	"shelfstream/status/audit"
	"shelfstream/status/login"
)

// actions are what forms can ask for, by their paths.
func (s *Server) actions() map[string]action {
	join := func(fields ...string) func(url.Values) string {
		return func(f url.Values) string {
			var out []string
			for _, name := range fields {
				if v := f.Get(name); v != "" {
					out = append(out, v)
				}
			}
			return strings.Join(out, " ")
		}
	}
	all := map[string]action{}
	if s.cfg.Ack != nil {
		all["/incident/ack"] = action{"acknowledge", join("id"), "note", func(ctx context.Context, v *login.Visitor, f url.Values) (string, error) {
			return "The incident is yours; nobody else is told of it any more.", s.cfg.Ack(ctx, f.Get("id"), v.Name, cut(f.Get("note")))
		}}
	}
	if s.cfg.RetryParked != nil {
		all["/parked/retry"] = action{"retry parked", join("view", "key"), "", func(ctx context.Context, v *login.Visitor, f url.Values) (string, error) {
			keys := f["key"]
			if f.Get("all") != "" {
				keys = nil
			} else if len(keys) == 0 {
				return "", &fault.Fault{Class: fault.Config, Where: status.AdminPort, What: "no product is named", Fix: "choose at least one, or all"}
			}
			return s.cfg.RetryParked(ctx, f.Get("view"), keys, v.Name)
		}}
	}
	if s.cfg.SkipParked != nil {
		all["/parked/skip"] = action{"skip parked", join("view", "key"), "why", func(ctx context.Context, v *login.Visitor, f url.Values) (string, error) {
			if err := reason(f); err != nil {
				return "", err
			}
			return s.cfg.SkipParked(ctx, f.Get("view"), f.Get("key"), v.Name, cut(f.Get("why")))
		}}
	}
	if s.cfg.ApplyHeld != nil {
		all["/held/apply"] = action{"apply held", join("view", "guard", "for"), "why", func(ctx context.Context, v *login.Visitor, f url.Values) (string, error) {
			if err := reason(f); err != nil {
				return "", err
			}
			lasts, err := passFor(f.Get("for"))
			if err != nil {
				return "", err
			}
			return s.cfg.ApplyHeld(ctx, f.Get("view"), f.Get("guard"), v.Name, cut(f.Get("why")), lasts)
		}}
	}
	return all
}

// passTimes are for how long new changes may pass too when what a guard holds is let out, as the form offers them.
var passTimes = []struct{ Value, Words string }{
	{"", "what is held now"}, {"30m", "and new ones for 30 minutes"}, {"2h", "and new ones for 2 hours"}, {"8h", "and new ones for 8 hours"}, {"24h", "and new ones for a day"},
}

// longestPass is for how long a guard may be out of force: whoever wants longer changes the configuration.
const longestPass = 7 * 24 * time.Hour

func passFor(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > longestPass {
		return 0, &fault.Fault{Class: fault.Config, Where: status.AdminPort, What: fmt.Sprintf("%q is no time for which changes may pass", text), Fix: "choose one of the form's, or write 30m or 2h, at most 168h"}
	}
	return d, nil
}

func reason(f url.Values) error {
	if strings.TrimSpace(f.Get("why")) == "" {
		return &fault.Fault{Class: fault.Config, Where: status.AdminPort, What: "the reason is missing", Fix: "say why, for those who read it later"}
	}
	return nil
}

// loginPage is the form.
type loginPage struct {
	Name, To, Wrong string
	Known           bool
	How             string
}

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request) {
	r, v := s.visited(w, r)
	to := localPath(r.FormValue("to"))
	if v.Name != "" {
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	s.showLogin(w, r, http.StatusOK, loginPage{To: to})
}

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request, code int, p loginPage) {
	p.Known, p.How = s.desk.HasPasswords(), setUsers
	s.html(w, r, &page{Title: "Log in", Code: code, Parts: []part{{"login", "login", p}}})
}

func (s *Server) logIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	r, _ = s.visited(w, r)
	name, to := r.PostFormValue("name"), localPath(r.PostFormValue("to"))
	say := loginPage{Name: name, To: to}
	err := login.SameSite(r)
	if err == nil {
		err = s.desk.In(w, r, name, r.PostFormValue("password"))
	}
	e := audit.Entry{Who: name, Action: "log in", Outcome: audit.Done}
	if _, ok := s.cfg.Users[name]; !ok {
		e.Who = "(no such user)" // a password may have been typed here
	}
	if err != nil {
		e.Outcome, e.Why = audit.Refused, err.Error()
	} else {
		e.Role = string(s.cfg.Users[name].Role)
	}
	var many *login.TooManyError
	if !errors.As(err, &many) { // who guesses on is not written down without end
		if noted := s.note(r, e); noted != nil {
			s.cfg.Logger.Error("a login could not be noted", "error", noted)
		}
	}
	switch {
	case err == nil:
		http.Redirect(w, r, to, http.StatusSeeOther)
	case many != nil:
		w.Header().Set("Retry-After", strconv.Itoa(many.Seconds()))
		say.Wrong = err.Error()
		s.showLogin(w, r, http.StatusTooManyRequests, say)
	case errors.Is(err, login.ErrWrong):
		say.Wrong = err.Error()
		s.showLogin(w, r, http.StatusUnauthorized, say)
	default:
		s.fail(w, r, http.StatusForbidden, err)
	}
}

func (s *Server) logOut(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	r, v := s.visited(w, r)
	if err := s.desk.Form(r, v); err != nil {
		s.fail(w, r, http.StatusForbidden, err)
		return
	}
	s.desk.Out(w, r, v)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// ackPage is where the link of a message leads.
type ackPage struct {
	Person   string
	Incident *Incident
	ID       string
	Query    string
	Done     bool
}

// signed shows the incident of a message's link. Looking acknowledges nothing: mail servers follow links too.
func (s *Server) signed(w http.ResponseWriter, r *http.Request) {
	r, _ = s.visited(w, r)
	p, err := s.verified(r)
	if err != nil {
		s.fail(w, r, http.StatusForbidden, err)
		return
	}
	s.html(w, r, &page{Title: "Acknowledge", Parts: []part{{"signed", "signed", p}}})
}

// ackSigned acknowledges for the person that the link was sent to: who has the link has the message.
func (s *Server) ackSigned(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	r, _ = s.visited(w, r)
	p, err := s.verified(r)
	if err == nil {
		err = login.SameSite(r)
	}
	if err != nil {
		s.fail(w, r, http.StatusForbidden, err)
		return
	}
	e := audit.Entry{Who: p.Person, Role: "link", Action: "acknowledge", Target: p.ID, Note: r.PostFormValue("note"), Outcome: audit.Done}
	if err = s.cfg.Ack(r.Context(), p.ID, p.Person, cut(e.Note)); err != nil {
		e.Outcome, e.Why = audit.Failed, err.Error()
	}
	s.moments.drop()
	if noted := s.note(r, e); noted != nil {
		s.cfg.Logger.Error("an acknowledgement could not be noted", "error", noted)
	}
	if err != nil {
		s.fail(w, r, statusOf(err), err)
		return
	}
	p.Done = true
	s.html(w, r, &page{Title: "Acknowledged", Parts: []part{{"signed", "signed", p}}})
}

func (s *Server) verified(r *http.Request) (*ackPage, error) {
	id, person, err := s.cfg.VerifyAck(r.URL.Query())
	if err != nil {
		return nil, err
	}
	p := &ackPage{Person: person, ID: id, Query: r.URL.RawQuery}
	for _, i := range s.now().Incidents {
		if i.ID == id {
			p.Incident = &i
		}
	}
	return p, nil
}

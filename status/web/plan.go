package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"

	"shelfstream/internal/fault"
	"shelfstream/status"
)

// Plans compares new rules with the present ones. request is the JSON that the command sent; each value given to tell goes to it at once, and the last
// one is what comes back.
type Plans func(ctx context.Context, request []byte, tell func(v any)) (any, error)

// planRequestBytes is how long a request may be: rule files and the shape of a view.
const planRequestBytes = 16 << 20

// PlanLine is one line of the answer to POST /plan: progress, and at the end the plan or why there is none.
type PlanLine struct {
	Progress json.RawMessage    `json:"progress,omitempty"`
	Plan     json.RawMessage    `json:"plan,omitempty"`
	Error    string             `json:"error,omitempty"`
	Faults   []status.FaultJSON `json:"faults,omitempty"`
}

// plan answers a POST with lines of JSON while it works. It takes JSON only, which no page of another site can send without being allowed to, and one
// plan at a time: it uses every processor.
func (s *Server) plan(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Plan == nil {
		s.fail(w, r, http.StatusNotFound, status.NotHere(status.KindTransform, ""))
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		s.fail(w, r, http.StatusUnsupportedMediaType, errors.New("send application/json, as 'shelfstream plan' does"))
		return
	}
	if !s.planning.TryLock() {
		s.fail(w, r, http.StatusConflict, &fault.Fault{Class: fault.Environment, Where: status.AdminPort, What: "another plan is under way", Fix: "wait until it is done"})
		return
	}
	release := sync.OnceFunc(s.planning.Unlock)
	defer release()
	request, err := io.ReadAll(http.MaxBytesReader(w, r.Body, planRequestBytes))
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, fmt.Errorf("read the request: %w", err))
		return
	}
	out := json.NewEncoder(w)
	begun := false
	send := func(l PlanLine) {
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "application/x-ndjson")
		}
		_ = out.Encode(l) // who has gone away ends the request's context
		_ = http.NewResponseController(w).Flush()
	}
	answer, err := s.cfg.Plan(r.Context(), request, func(v any) {
		if b, err := json.Marshal(v); err == nil {
			send(PlanLine{Progress: b})
		}
	})
	release() // before the answer: who has it may ask for the next
	var line PlanLine
	if err == nil {
		line.Plan, err = json.Marshal(answer)
	}
	switch {
	case err == nil:
		send(line)
	case !begun:
		s.fail(w, r, statusOf(err), err)
	default:
		line.Error, line.Faults = s.cfg.Redact(err.Error()), s.faults(err)
		send(line)
	}
}

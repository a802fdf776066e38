package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"shelfstream/internal/fault"
)

// Report is everything the status page shows, at one moment.
type Report struct {
	Pipeline  string    `json:"pipeline"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	At        time.Time `json:"at"`
	// Ready is what /readyz says, and NotReady why not.
	Ready    bool     `json:"ready"`
	NotReady []string `json:"not_ready,omitempty"`
	Stages   []Stage  `json:"stages"`
	// Incidents are the open ones of the whole pipeline, those to look at first first.
	Incidents []OpenIncident `json:"incidents,omitempty"`
}

// OpenIncident is what is wrong of one cause at one place, in short.
type OpenIncident struct {
	ID       string    `json:"id"`
	Severity string    `json:"severity"` // critical, error or warning
	Since    time.Time `json:"since"`
	Link     string    `json:"link"` // whose: "source erp", "view product", "sink shop", "log"
	What     string    `json:"what"`
	// Count is how many records or products it holds back, or how many tries have failed.
	Count int64 `json:"count"`
	// By has taken it on; empty: nobody yet.
	By string `json:"by,omitempty"`
	// Behind is the incident that it follows from; may be empty.
	Behind string `json:"behind,omitempty"`
}

// Lag is the stage's lag: of its positions the largest time, and the sum of the records; -1 if none is known.
func (s *Stage) Lag() (seconds float64, records int64) {
	seconds, records = -1, -1
	for _, p := range s.Positions {
		seconds = max(seconds, p.LagSeconds)
		if p.LagRecords >= 0 {
			records = max(records, 0) + p.LagRecords
		}
	}
	return seconds, records
}

// FaultJSON is a fault as the page and JSON show it.
type FaultJSON struct {
	Class string `json:"class"`
	Cause string `json:"cause,omitempty"`
	Where string `json:"where,omitempty"`
	What  string `json:"what"`
	Fix   string `json:"fix,omitempty"`
}

func className(c fault.Class) string {
	switch c {
	case fault.Config:
		return "configuration"
	case fault.Environment:
		return "environment"
	case fault.Runtime:
	}
	return "runtime"
}

// FaultJSONOf writes a fault's cause as words.
func FaultJSONOf(f *fault.Fault) FaultJSON {
	j := FaultJSON{Class: className(f.Class), Cause: string(f.Cause), Where: f.Where, What: f.What, Fix: f.Fix}
	if f.Err != nil {
		j.What += ": " + f.Err.Error()
	}
	return j
}

// Fault is the fault again; its cause stays part of the sentence.
func (j FaultJSON) Fault() *fault.Fault {
	f := &fault.Fault{Cause: fault.Cause(j.Cause), Where: j.Where, What: j.What, Fix: j.Fix}
	for _, c := range []fault.Class{fault.Runtime, fault.Config, fault.Environment} {
		if className(c) == j.Class {
			f.Class = c
		}
	}
	return f
}

// plainStage has Stage's fields and none of its methods.
type plainStage Stage

// MarshalJSON writes faults with their cause in words.
func (s Stage) MarshalJSON() ([]byte, error) {
	out := struct {
		plainStage
		Faults []FaultJSON `json:"faults,omitempty"`
	}{plainStage: plainStage(s)}
	for _, f := range s.Faults {
		out.Faults = append(out.Faults, FaultJSONOf(f))
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote; a fault's cause stays part of its sentence.
func (s *Stage) UnmarshalJSON(b []byte) error {
	in := struct {
		*plainStage
		Faults []FaultJSON `json:"faults"`
	}{plainStage: (*plainStage)(s)}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	s.Faults = nil
	for _, j := range in.Faults {
		s.Faults.Add(j.Fault())
	}
	return nil
}

// Dead says whether a stage will do nothing any more by itself.
func (s *Stage) Dead() bool { return s.State == StateStopped }

// atWork says whether a stage does what it is there for.
func (s *Stage) atWork() bool {
	return s.State == StateLive || s.State == StateStreaming || s.State == StateStandby
}

// Unready tells why a stage keeps the process from being ready; "" if it does not.
func (s *Stage) Unready(now time.Time, maxLag time.Duration) string {
	name := s.Kind + " " + s.Name
	if !s.atWork() {
		return name + ": " + s.State
	}
	if s.State == StateStandby {
		return ""
	}
	if seconds, _ := s.Lag(); maxLag > 0 && seconds > maxLag.Seconds() {
		return fmt.Sprintf("%s is %s behind, more than %s", name, Duration(time.Duration(seconds*float64(time.Second))), Duration(maxLag))
	}
	// A stage that says live while nothing flows is the commonest silent failure; capture's heartbeats reach every transform. A
	// sink hears only of products that change.
	if s.Kind != KindSink && maxLag > 0 && !s.LastHeartbeat.IsZero() && now.Sub(s.LastHeartbeat) > maxLag {
		return fmt.Sprintf("%s has heard nothing for %s", name, Duration(now.Sub(s.LastHeartbeat)))
	}
	return ""
}

// ErrNotFound says that there is no such view or product, or not in this process (NotHere); Explain, Plan and Parked answer with it (wrapped).
var ErrNotFound = errors.New("not found")

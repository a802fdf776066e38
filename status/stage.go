package status

import (
	"time"

	"shelfstream/internal/fault"
)

// The kinds of stages.
const (
	KindCapture   = "capture"
	KindTransform = "transform"
	KindSink      = "sink"
)

// The states that the page colours by; a stage may use others in plain words, shown as they are.
const (
	StateStarting     = "starting"
	StateSnapshot     = "snapshot"
	StateStreaming    = "streaming"
	StateCatchingUp   = "catching up"
	StateLive         = "live"
	StateStandby      = "standby" // another worker has all the work of this stage
	StateRetrying     = "retrying"
	StateStopped      = "stopped"
	StatePositionLost = "position lost" // waits for an operator
)

// Stage says how one part of a pipeline does at this moment.
type Stage struct {
	// Kind is capture, transform or sink.
	Kind string `json:"kind"`
	// Name is the source, the view or the sink as the configuration names it.
	Name string `json:"name"`
	// State is one of the State constants, or other plain words.
	State string `json:"state"`
	// Since is when State began.
	Since time.Time `json:"since"`
	// Detail is one sentence more on State; may be empty.
	Detail string `json:"detail,omitempty"`
	// Attempt is how many tries in a row of what the stage is at now have failed; 0 = none. Of several workers it is the most.
	Attempt int `json:"attempt,omitempty"`
	// NextTry is when it is tried again; zero = now, or nothing has failed.
	NextTry time.Time `json:"next_try,omitzero"`
	// Positions are the places in the source's log and on the topics.
	Positions []Position `json:"positions,omitempty"`
	// LastHeartbeat is when the stage last heard that its input is alive (a checkpoint or a record); zero = never.
	LastHeartbeat time.Time `json:"last_heartbeat,omitzero"`
	// Records is how many records the stage took in since the process started.
	Records int64 `json:"records"`
	// Parked is how many rows or products are held back with a reason.
	Parked int64 `json:"parked"`
	// Progress is long work under way (snapshots, restores).
	Progress []Progress `json:"progress,omitempty"`
	// Faults are what is wrong now.
	Faults fault.List `json:"faults,omitempty"`
	// Troubles are what holds records or products back, one for each cause and place, with how many. At most MaxTroubles.
	Troubles []Trouble `json:"troubles,omitempty"`
}

// MaxTroubles is how many troubles a stage tells of: the largest. MaxSamples is how many keys each names.
const (
	MaxTroubles = 20
	MaxSamples  = 5
)

// Trouble is one cause at one place, and what it holds back.
type Trouble struct {
	// Fault's Where is as general as the cause: the rule and its line, the table, not the product.
	Fault FaultJSON `json:"fault"`
	// Count is how many records or products are held back by it now.
	Count int64 `json:"count"`
	// First and Last are when the first and the newest of them came.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// Samples are keys of some of them.
	Samples []string `json:"samples,omitempty"`
}

// Position is a place in a log.
type Position struct {
	// Name is whose place it is: "source", "product/3".
	Name string `json:"name"`
	// Value is the place in that log's notation: an LSN, an offset.
	Value string `json:"value"`
	// LagRecords is how many records lie beyond it; -1 unknown.
	LagRecords int64 `json:"lag_records"`
	// LagSeconds is how old the newest thing done is, while something is to do; 0 = nothing to do, -1 unknown.
	LagSeconds float64 `json:"lag_seconds"`
}

// Progress is one long piece of work.
type Progress struct {
	// Name says what is worked on: a table, a partition.
	Name string `json:"name"`
	// Done and Total are in rows or records; Total is an estimate, 0 unknown.
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
	// StartedAt and FinishedAt frame it; FinishedAt is zero while it runs.
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
}

// Rate is rows or records a second since the start, until now or the end; 0 if no time has passed.
func (p Progress) Rate(now time.Time) float64 {
	if !p.FinishedAt.IsZero() {
		now = p.FinishedAt
	}
	d := now.Sub(p.StartedAt).Seconds()
	if d <= 0 {
		return 0
	}
	return float64(p.Done) / d
}

// Left estimates the time to go; 0 if it is finished or cannot be said.
func (p Progress) Left(now time.Time) time.Duration {
	rate := p.Rate(now)
	if !p.FinishedAt.IsZero() || rate <= 0 || p.Total <= p.Done {
		return 0
	}
	return time.Duration(float64(p.Total-p.Done) / rate * float64(time.Second))
}

// Reporter is a stage that tells its status; called often and from any goroutine, so it must be cheap.
type Reporter interface {
	Status() Stage
}

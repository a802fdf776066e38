package exchange

import (
	"time"

	"shelfstream/status"
)

// The directions of an exchange, as seen from here.
const (
	In  = "in"  // an outside system gave us something
	Out = "out" // we gave it something
)

// The outcomes.
const (
	OK     = "ok"
	Failed = "failed" // nothing of it happened; it is tried again or given up
	Parked = "parked" // it happened, but for some records that are held back
)

// Exchange is one communication with an outside system, or several like ones within a moment, merged.
type Exchange struct {
	// Link is who speaks with whom: "source erp", "sink shop", "channel mail".
	Link string `json:"link"`
	// Direction is In or Out.
	Direction string `json:"direction"`
	// Kind is what was done: "changes", "snapshot", "preflight", "transaction", "mail", "webhook", "command".
	Kind string `json:"kind"`
	// At is when it began, Took how long it was, of all merged together.
	At   time.Time     `json:"at"`
	Took time.Duration `json:"took"`
	// Count is how many exchanges this stands for, at least 1.
	Count int64 `json:"count"`
	// Records are rows, products or recipients; Bytes what went over the line, 0 where nobody counts.
	Records int64 `json:"records"`
	Bytes   int64 `json:"bytes,omitempty"`
	// Parked are how many of Records are held back.
	Parked int64 `json:"parked,omitempty"`
	// Keys are some of the records' keys, at most status.MaxSamples.
	Keys []string `json:"keys,omitempty"`
	// Attempt counts from 1.
	Attempt int `json:"attempt"`
	// Outcome is OK, Failed or Parked.
	Outcome string `json:"outcome"`
	// Fault says why not.
	Fault *status.FaultJSON `json:"fault,omitempty"`
	// Spans are the records of topics that it is about.
	Spans []Span `json:"spans,omitempty"`
	// Position is the place in the source's log; may be empty.
	Position string `json:"position,omitempty"`
	// Worker is the process.
	Worker string `json:"worker,omitempty"`
}

// Span is the offsets [From, To) of a partition.
type Span struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`
	To        int64  `json:"to"`
}

// Log takes exchanges in. Add never waits and never fails: what there is no room for is counted and dropped. A nil Log takes nothing.
type Log interface {
	Add(e Exchange)
}

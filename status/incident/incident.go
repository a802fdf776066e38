package incident

import (
	"slices"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status/escalate"
)

// The causes that only this package finds.
const (
	CauseSilent  fault.Cause = "pipeline.silent"  // a stage hears nothing of its input
	CauseLag     fault.Cause = "pipeline.lag"     // a stage is further behind than it may be
	CauseGone    fault.Cause = "pipeline.gone"    // a worker has ended without a word, and nobody has taken its stage over
	CauseMissing fault.Cause = "pipeline.missing" // an expectation is not met
	CauseOthers  fault.Cause = "pipeline.others"  // too many causes at one link to show each
	CauseLogDown fault.Cause = "kafka.down"       // the log does not answer a process
)

// Links that are nobody's in particular.
const (
	LinkLog      = "log"      // the brokers
	LinkRegistry = "registry" // the schema registry
	LinkDisk     = "disk"     // a disk of a worker
)

// Incident is one cause of trouble at one place, from when it showed until it is gone.
type Incident struct {
	// ID is short, for people to type; unique within the pipeline.
	ID string `json:"id"`
	// Key is what makes two conditions the same: cause, link, place.
	Key string `json:"key"`
	// Link is where: "source erp", "view product", "sink shop", "log", "registry", "disk", "expectation orders".
	Link string `json:"link"`
	// Data is the kind of data that is concerned, as the configuration names it: "order", "price"; may be empty.
	Data     string            `json:"data,omitempty"`
	Cause    fault.Cause       `json:"cause,omitempty"`
	Kind     fault.Kind        `json:"kind,omitempty"`
	Severity escalate.Severity `json:"severity"`
	// Title is one line for the head of a message; may be empty.
	Title string `json:"title,omitempty"`
	// Where, What and Fix are the newest fault's. Command does the fix, or shows more; may be empty.
	Where   string `json:"where,omitempty"`
	What    string `json:"what"`
	Fix     string `json:"fix,omitempty"`
	Command string `json:"command,omitempty"`
	// Count is how many records or products it holds back, or how many tries have failed; of a resolved one, the last such number.
	Count int64 `json:"count"`
	// Tries is how many tries in a row have failed, NextTry when the next one comes; zero: nothing is tried, or nobody knows.
	Tries   int       `json:"tries,omitempty"`
	NextTry time.Time `json:"next_try,omitzero"`
	// Samples are some of the records' keys, or further places.
	Samples []string `json:"samples,omitempty"`
	// Opened is when its condition showed first, Last when it last did.
	Opened time.Time `json:"opened"`
	Last   time.Time `json:"last"`
	// Acked is when somebody took it on, By who, Note what they said.
	Acked time.Time `json:"acked,omitzero"`
	By    string    `json:"by,omitempty"`
	Note  string    `json:"note,omitempty"`
	// Resolved is when the cause was gone; zero: it is not.
	Resolved time.Time `json:"resolved,omitzero"`
	// Flaps is how often it came back shortly after it was resolved.
	Flaps int `json:"flaps,omitempty"`
	// Behind is the incident that this one follows from: nobody is told of it until that one is resolved and this one is not. Freed is when that was.
	Behind string    `json:"behind,omitempty"`
	Freed  time.Time `json:"freed,omitzero"`
	// Worker is the process that reported it last.
	Worker string `json:"worker,omitempty"`
	// Log is what happened to it; of many events the first and the newest.
	Log []Event `json:"log,omitempty"`
	// Escalation is how far it is: who was told, and which messages are decided and not known to be delivered.
	Escalation escalate.State `json:"escalation,omitzero"`
	// Request is the newest request that was applied.
	Request string `json:"request,omitempty"`
}

// Event is one line of an incident's story.
type Event struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	// By is who did it; empty: the keeper.
	By string `json:"by,omitempty"`
}

// Open says whether its cause is still there.
func (i *Incident) Open() bool { return i.Resolved.IsZero() }

// Subject is what an escalation needs to know of it.
func (i *Incident) Subject() escalate.Subject {
	s := escalate.Subject{ID: i.ID, Severity: i.Severity, Data: i.Data, Link: i.Link, Opened: i.Opened, Acked: i.Acked, By: i.By, Resolved: i.Resolved}
	if i.Freed.After(s.Opened) {
		s.Opened = i.Freed
	}
	return s
}

// Bounds of one incident's record.
const (
	maxSamples    = 5
	firstEvents   = 10 // of its story, kept for good
	newestEvents  = 40
	maxTextLength = 2000 // of What and Fix, in bytes
)

// note adds a line to the story.
func (i *Incident) note(at time.Time, what, by string) {
	i.Log = append(i.Log, Event{At: at.UTC().Round(time.Millisecond), What: what, By: by})
	if len(i.Log) > firstEvents+newestEvents {
		i.Log = slices.Delete(i.Log, firstEvents, len(i.Log)-newestEvents)
	}
}

// take notes that somebody has taken it on; nothing is left to take on of what is over.
func (i *Incident) take(by, note string, now time.Time) {
	if !i.Open() {
		return
	}
	i.Acked, i.By, i.Note = now.UTC().Round(time.Millisecond), by, note
	what := "taken on"
	if note != "" {
		what += ": " + shorten(note)
	}
	i.note(now, what, by)
}

// clone is a copy that shares nothing that either of them changes.
func (i *Incident) clone() *Incident {
	c := *i
	c.Samples, c.Log = slices.Clone(i.Samples), slices.Clone(i.Log)
	return &c
}

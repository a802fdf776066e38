package web

import (
	"context"
	"log/slog"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shelfstream/status"
	"shelfstream/status/audit"
	"shelfstream/status/exchange"
	"shelfstream/status/login"
)

// Config is what the admin server shows and lets people do. Required: Listen. A func that is nil takes its page's place out of the menu, or its button off.
type Config struct {
	Pipeline, Version string
	// Listen is host:port; port 0 takes any free port.
	Listen string
	// Zone is in which times are shown; nil = UTC.
	Zone *time.Location
	// Reporters are the process's stages, in the order of the way of the data.
	Reporters []status.Reporter
	// Gatherer is the source of /metrics; nil = none.
	Gatherer prometheus.Gatherer
	// Timings are the histograms of it that the page draws.
	Timings []Timing
	// MaxLag is the lag (and the age of a heartbeat) from which on the process is not ready; 0 = no limit.
	MaxLag time.Duration
	// Ready may give a further reason why the process is not ready.
	Ready func() error
	// Explain explains a product; nil = another process runs the views, which is answered as status.NotHere is. A wrapped status.ErrNotFound is answered with 404.
	Explain func(ctx context.Context, view, key string) (*status.Explanation, error)
	// History gives the last versions of a product that were sent, newest first, at most n; nil = none.
	History func(ctx context.Context, view, key string, n int) ([]Version, error)
	// Plan compares new rules with the present ones; nil as for Explain.
	Plan Plans
	// Parked lists at most limit of what a stage holds back; nil as for Explain.
	Parked func(ctx context.Context, kind, name string, limit int) ([]status.Parked, error)
	// Redact hides secrets in what drivers say; nil = nothing to hide.
	Redact func(string) string
	// Now is the clock; nil = time.Now.
	Now    func() time.Time
	Logger *slog.Logger

	// Flow is the way of the data as the configuration has it; empty = the stages in a row, as they report.
	Flow Flow
	// Self is this process's name among the workers.
	Self string
	// Workers are all processes of the pipeline, this one too; nil = this one alone.
	Workers func() []Worker
	// Links sums up the communications with each outside system, and Exchanges gives the last n of one, newest first.
	Links     func() []Link
	Exchanges func(link string, n int, failedOnly bool) []exchange.Exchange
	// Incidents are the open ones and those resolved lately, in any order.
	Incidents func() []Incident
	// Changed each give a channel that is closed at the next news of Workers, Exchanges or Incidents; pages that are open then look at once.
	Changed []func() <-chan struct{}
	// Held lists what guards hold back.
	Held func(ctx context.Context) ([]Held, error)

	// Users, Proxy and Open say who may look and act; see package login. Without users and proxy nobody acts.
	Users map[string]login.User
	Proxy *login.Proxy
	Open  bool
	// Audit keeps what people do; nil = only the log has it. AuditLast gives the newest n.
	Audit     func(ctx context.Context, e audit.Entry) error
	AuditLast func(n int) []audit.Entry
	// VerifyAck checks the signed link of a message, and says which incident and whom it is for.
	VerifyAck func(query url.Values) (incident, person string, err error)
	// Ack says that somebody has taken an incident on.
	Ack func(ctx context.Context, id, by, note string) error
	// RetryParked evaluates parked products of a view again, all of them if keys is empty. It says what was asked for.
	RetryParked func(ctx context.Context, view string, keys []string, by string) (say string, err error)
	// SkipParked leaves a parked product out of the list until its rows change.
	SkipParked func(ctx context.Context, view, key, by, why string) (say string, err error)
	// ApplyHeld lets out what a guard of a view holds; with lasts new changes of the guard pass too for so long.
	ApplyHeld func(ctx context.Context, view, guard, by, why string, lasts time.Duration) (say string, err error)
}

// Flow is the way of the data.
type Flow struct {
	Nodes  []Node
	Arrows []Arrow
}

// Node is one stage.
type Node struct {
	Kind, Name string // as in status.Stage
	// System is what it speaks with, e.g. "postgres"; may be empty.
	System string
}

// Arrow goes from one stage to another; both are "kind name".
type Arrow struct{ From, To string }

// Timing is a histogram of seconds: how long one step of a stage takes.
type Timing struct {
	Metric, Label string // the label has the stage's name
	Kind          string
	Title         string
}

// Worker is one process of the pipeline.
type Worker struct {
	Name, Host string
	PID        int
	Role       string
	Version    string
	Admin      string // the address of its own admin port; may be empty
	StartedAt  time.Time
	At         time.Time // when it last reported
	Stages     []status.Stage
}

// Link sums up what went over one link.
type Link struct {
	Link, Direction          string
	Last, LastOK, LastFailed *exchange.Exchange
	OK, Failed               int64 // in the last hour
}

// Incident is something that is wrong, or was.
type Incident struct {
	ID       string `json:"id"`
	Link     string `json:"link"`           // whose: "source erp", "view product", "sink shop"
	Data     string `json:"data,omitempty"` // kind of data
	Cause    string `json:"cause,omitempty"`
	Kind     string `json:"kind,omitempty"`
	Severity string `json:"severity"` // critical, error or warning
	Where    string `json:"where,omitempty"`
	What     string `json:"what"`
	Fix      string `json:"fix,omitempty"`
	Command  string `json:"command,omitempty"`
	// Tries is how many tries in a row have failed, NextTry when the next one comes.
	Tries   int       `json:"tries,omitempty"`
	NextTry time.Time `json:"next_try,omitzero"`
	// Count is how many records or products it holds back, Samples keys of some.
	Count   int64    `json:"count"`
	Samples []string `json:"samples,omitempty"`

	Opened   time.Time `json:"opened"`
	Last     time.Time `json:"last,omitzero"` // when it was last seen
	Acked    time.Time `json:"acked,omitzero"`
	Resolved time.Time `json:"resolved,omitzero"`
	By       string    `json:"by,omitempty"` // who acknowledged it, with Note
	Note     string    `json:"note,omitempty"`
	// Behind is the incident that holds this one back: its link is down, and so on.
	Behind string `json:"behind,omitempty"`
	Worker string `json:"worker,omitempty"`
	// Next says in words who is told next, and when; may be empty.
	Next string  `json:"next,omitempty"`
	Log  []Event `json:"log,omitempty"`
}

// Event is one thing that happened to an incident.
type Event struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	By   string    `json:"by,omitempty"`
}

// Held is what one guard of a view holds back.
type Held struct {
	View, Guard string
	// Counts says what the guard counts, Allows what it lets out.
	Counts, Allows string
	Held           int
	Since          time.Time
	Samples        []HeldSample
	OverrideUntil  time.Time
	By, Why        string // of the override
}

// HeldSample is one of the products.
type HeldSample struct {
	Key, Before, After string
	Since              time.Time
}

// Version is a record of the cleaned topic: what was sent of a product at one time.
type Version struct {
	Partition int32
	Offset    int64
	At        time.Time
	Committed time.Time // of the source's transaction
	Gone      bool      // a tombstone
	// Changes are the fields that differ from the version before; of the oldest that was found, none.
	Changes []Change
	First   bool // there is no version before it among those that were read
}

// Change is one field.
type Change struct{ Field, Before, After string }

package incident

import (
	"slices"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status"
)

// Rules say what is an incident. The zero value has good numbers, no lag limit, and knows of no flow.
type Rules struct {
	// Tries is after how many failed tries a link that may come back by itself is an incident; 0 means 5.
	Tries int
	// Patience is for how long such trouble may show if nobody counts tries; 0 means 30 s.
	Patience time.Duration
	// Calm is for how long a condition must be gone; 0 means 10 s.
	Calm time.Duration
	// Flap is within which time what comes back is the same incident; 0 means 5 minutes.
	Flap time.Duration
	// Silent is for how long a stage may hear nothing of its input; 0 means 2 minutes.
	Silent time.Duration
	// Lag is how far behind a stage may be; 0: as far as it likes.
	Lag time.Duration
	// Gone is for how long a worker may say nothing before it counts as gone; 0 means 30 s.
	Gone time.Duration
	// After is for how long what followed from trouble may last after it: there is much to catch up; 0 means 2 minutes.
	After time.Duration
	// Alone is for how long the log may not answer a process before that tells people by itself; 0 means 30 s. Processes write every 5 s.
	Alone time.Duration
	// Settle is for how long nothing new is an incident after the log was away: reports from before may still be on their way; 0 means 10 s.
	Settle time.Duration
	// Keep is how many resolved incidents are kept at most, KeepFor for how long; 0 means 500, and 30 days.
	Keep    int
	KeepFor time.Duration
	// Flow names the links that each link takes from: "sink shop" from "view product", "view product" from "source erp".
	Flow map[string][]string
	// Links are those of the configuration; what is wrong with others is over. Empty: not known, so that there are no others.
	Links []string
	// Data is the kind of data of a link; what is missing has none.
	Data map[string]string
	// Lookup is the catalogue of causes; nil is fault's.
	Lookup func(fault.Cause) (fault.Entry, bool)
}

func (r *Rules) defaults() {
	if r.Lookup == nil {
		r.Lookup = fault.Lookup
	}
	if r.Tries <= 0 {
		r.Tries = 5
	}
	if r.Keep <= 0 {
		r.Keep = 500
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&r.Patience, 30 * time.Second},
		{&r.Calm, 10 * time.Second},
		{&r.Flap, 5 * time.Minute},
		{&r.Silent, 2 * time.Minute},
		{&r.Gone, 30 * time.Second},
		{&r.After, 2 * time.Minute},
		{&r.Alone, 30 * time.Second},
		{&r.Settle, 10 * time.Second},
		{&r.KeepFor, 30 * 24 * time.Hour},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
}

// LinkOf is the link of a stage: "source erp", "view product", "sink shop".
func LinkOf(s *status.Stage) string {
	switch s.Kind {
	case status.KindCapture:
		return "source " + s.Name
	case status.KindTransform:
		return "view " + s.Name
	}
	return s.Kind + " " + s.Name
}

// above are the links that a link's work depends on, nearest first; what all depend on comes last.
func (r *Rules) above(link string) []string {
	var out []string
	for queue := slices.Clone(r.Flow[link]); len(queue) > 0; queue = queue[1:] {
		if next := queue[0]; next != link && !slices.Contains(out, next) {
			out = append(out, next)
			queue = append(queue, r.Flow[next]...)
		}
	}
	for _, all := range []string{LinkRegistry, LinkDisk, LinkLog} {
		if all != link {
			out = append(out, all)
		}
	}
	return out
}

// calm is for how long an incident must be gone, the longer the oftener it came back.
func (r *Rules) calm(flaps int) time.Duration {
	d := r.Calm
	for range min(flaps, 16) {
		d = min(2*d, r.Flap)
	}
	return d
}

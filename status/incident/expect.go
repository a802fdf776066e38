package incident

import (
	"cmp"
	"strings"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status"
	"shelfstream/status/escalate"
)

// expectPrefix begins the links of expectations.
const expectPrefix = "expectation "

// Expectation says that something comes in some topics at least so often. Without it, silence is not told from a quiet day.
type Expectation struct {
	// Name is for people: "orders".
	Name string
	// Topics are where a record must come, any of them. Links are those that write them: trouble there is why nothing comes.
	Topics []string
	Links  []string
	// Within is for how long nothing may come. Only Hours count; nil: all the time. HoursText says them in a sentence: "mon-fri 08:00-17:00".
	Within    time.Duration
	Hours     *escalate.Calendar
	HoursText string
	// Zone is for times in sentences; nil is UTC.
	Zone *time.Location
	// Severity is Error if it is empty. Data is the kind of data.
	Severity escalate.Severity
	Data     string
	// Fix says what to do.
	Fix string
}

// Link is the link of the expectation's incident.
func (e *Expectation) Link() string { return expectPrefix + e.Name }

// Missing is an expectation that is not met.
type Missing struct {
	*Expectation
	// Newest is when the newest record came; Never that there was none since Newest.
	Newest time.Time
	Never  bool
}

// Check says whether an expectation is not met, the newest record being of a time. never: there was none since then.
func (e *Expectation) Check(newest time.Time, never bool, now time.Time) (Missing, bool) {
	return Missing{e, newest, never}, e.Hours.Elapsed(newest, now) > e.Within
}

func (m *Missing) condition() *condition {
	what := "nothing has come for " + status.Duration(m.Within)
	if m.HoursText != "" {
		what += " (of " + m.HoursText + ")"
	}
	if !m.Never {
		zone := m.Zone
		if zone == nil {
			zone = time.UTC
		}
		what += ", the newest record is of " + m.Newest.In(zone).Format("2006-01-02 15:04")
	}
	return &condition{
		key: string(CauseMissing) + "|" + m.Link(), link: m.Link(), data: m.Data, cause: CauseMissing, kind: fault.Silent, severity: cmp.Or(m.Severity, escalate.Error),
		title: "What is expected does not come", where: m.Name + ": " + strings.Join(m.Topics, ", "), what: what, count: 1, follows: ofAbove,
		fix: cmp.Or(m.Fix, "see in the system where this comes from whether there is something to come, and whether it is sent"),
	}
}

package incident

import (
	"strconv"
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
	// Within is for how long nothing may come, counted in Hours only.
	Within time.Duration
	Hours  Hours
	// Severity is Error if it is empty. Data is the kind of data.
	Severity escalate.Severity
	Data     string
	// Fix says what to do.
	Fix string
}

// Link is the link of the expectation's incident.
func (e *Expectation) Link() string { return expectPrefix + e.Name }

// Hours are the times that count. The zero value is all of them, in UTC.
type Hours struct {
	// Days are the days of the week, by time.Weekday; none set means every day.
	Days [7]bool
	// From and To are since midnight; both zero mean the whole day. To may be less than From: over midnight, into the next day.
	From, To time.Duration
	// Zone is where the clock hangs; nil is UTC.
	Zone *time.Location
	// Off says whether a day does not count all the same, by its date ("2026-12-25"); nil: none.
	Off func(date string) bool
}

// Between is how much of the time from a to b counts.
func (h *Hours) Between(a, b time.Time) time.Duration {
	if !a.Before(b) {
		return 0
	}
	from, to := h.From, h.To
	if to <= from {
		to += 24 * time.Hour
	}
	zone := h.Zone
	if zone == nil {
		zone = time.UTC
	}
	var sum time.Duration
	// The day before a may reach into it.
	year, month, day := a.In(zone).AddDate(0, 0, -1).Date()
	for ; ; day++ {
		midnight := time.Date(year, month, day, 0, 0, 0, 0, zone)
		if !midnight.Before(b) {
			return sum
		}
		if !h.counts(midnight) {
			continue
		}
		// By the clock on the wall: a day on which clocks are put forward has an hour less.
		start := time.Date(year, month, day, 0, 0, int(from.Seconds()), 0, zone)
		end := time.Date(year, month, day, 0, 0, int(to.Seconds()), 0, zone)
		if start.Before(a) {
			start = a
		}
		if end.After(b) {
			end = b
		}
		sum += max(0, end.Sub(start))
	}
}

// counts says whether the day that begins at a midnight is one that counts.
func (h *Hours) counts(midnight time.Time) bool {
	if h.Off != nil && h.Off(midnight.Format(time.DateOnly)) {
		return false
	}
	return h.Days == [7]bool{} || h.Days[midnight.Weekday()]
}

// words says when, for a sentence.
func (h *Hours) words() string {
	var out []string
	if h.Days != [7]bool{} {
		var days []string
		for d, on := range h.Days {
			if on {
				days = append(days, time.Weekday(d).String()[:3])
			}
		}
		out = append(out, strings.Join(days, " "))
	}
	if h.From != 0 || h.To != 0 {
		out = append(out, clock(h.From)+"–"+clock(h.To))
	}
	if len(out) == 0 {
		return ""
	}
	return " (of " + strings.Join(out, ", ") + ")"
}

func clock(d time.Duration) string {
	return pad(int(d.Hours())) + ":" + pad(int(d.Minutes())%60)
}

func pad(n int) string {
	if n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// Missing is an expectation that is not met.
type Missing struct {
	*Expectation
	// Newest is when the newest record came; Never that there was none since Newest.
	Newest time.Time
	Never  bool
}

// Check says whether an expectation is not met, the newest record being of a time. never: there was none since then.
func (e *Expectation) Check(newest time.Time, never bool, now time.Time) (Missing, bool) {
	return Missing{e, newest, never}, e.Hours.Between(newest, now) > e.Within
}

func (m *Missing) condition() *condition {
	c := &condition{
		key: string(CauseMissing) + "|" + m.Link(), link: m.Link(), data: m.Data, cause: CauseMissing, kind: fault.Silent, severity: m.Severity,
		where: m.Name + ": " + strings.Join(m.Topics, ", "), fix: m.Fix, count: 1, follows: ofAbove,
		what: "nothing has come for " + status.Duration(m.Within) + m.Hours.words() + ", the newest record is of " + m.Newest.In(m.zone()).Format("2006-01-02 15:04"),
	}
	if m.Never {
		c.what = "nothing has come for " + status.Duration(m.Within) + m.Hours.words()
	}
	if c.severity == "" {
		c.severity = escalate.Error
	}
	if c.fix == "" {
		c.fix = "see in the system where this comes from whether there is something to come, and whether it is sent"
	}
	return c
}

func (m *Missing) zone() *time.Location {
	if m.Hours.Zone != nil {
		return m.Hours.Zone
	}
	return time.UTC
}

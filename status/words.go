package status

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration writes a length of time in at most two units: "350 ms", "4.2 s", "3 min 5 s", "2 h 10 min", "5 d 3 h".
func Duration(d time.Duration) string {
	if d < 0 {
		d = 0
	}
	two := func(big, small time.Duration, bigName, smallName string) string {
		s := fmt.Sprintf("%d %s", d/big, bigName)
		if rest := d % big / small; rest > 0 {
			s += fmt.Sprintf(" %d %s", rest, smallName)
		}
		return s
	}
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Truncate(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return two(time.Minute, time.Second, "min", "s")
	case d < day:
		return two(time.Hour, time.Minute, "h", "min")
	}
	return two(day, time.Hour, "d", "h")
}

// Count writes a number with spaces between thousands: "1 234 567".
func Count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, r := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString("\u202f") // a narrow space that does not break
		}
		b.WriteRune(r)
	}
	return sign + b.String()
}

// LagWords says a lag in time: "nothing waiting", "2.1 s" or "unknown".
func LagWords(seconds float64) string {
	switch {
	case seconds < 0:
		return "unknown"
	case seconds == 0:
		return "none"
	}
	return Duration(time.Duration(seconds * float64(time.Second)))
}

// LagCount says a lag in records.
func LagCount(records int64) string {
	if records < 0 {
		return "unknown"
	}
	return Count(records)
}

// Words says one line of progress: "price: 120 000 of about 500 000 (24 %), 45 000/s, 8.4 s left".
func (p Progress) Words(now time.Time) string {
	s := p.Name + ": " + Count(p.Done)
	if p.Total > 0 {
		s += " of about " + Count(p.Total) + " (" + strconv.Itoa(p.Percent()) + " %)"
	}
	if rate := p.Rate(now); rate > 0 {
		s += ", " + Count(int64(rate)) + "/s"
	}
	switch left := p.Left(now); {
	case !p.FinishedAt.IsZero():
		s += ", done in " + Duration(p.FinishedAt.Sub(p.StartedAt))
	case left > 0:
		s += ", " + Duration(left) + " left"
	}
	return s
}

// Percent is how much is done, 0 to 100; a total is an estimate, so that 100 is kept for what is finished.
func (p Progress) Percent() int {
	switch {
	case !p.FinishedAt.IsZero():
		return 100
	case p.Total <= 0:
		return 0
	}
	return int(min(99, p.Done*100/p.Total))
}

// About is where and what in a line: "sink shop: the table is locked". Words that name a stage's link themselves are enough.
func About(link, what string) string {
	if link == "" || strings.Contains(link, " ") && strings.Contains(what, link) {
		return what
	}
	return link + ": " + what
}

// Tries says how often something failed in a row, and when it is tried again: "5 tries failed, the next comes in 4 s"; "" if none failed.
func Tries(failed int, next, now time.Time) string {
	if failed == 0 {
		return ""
	}
	tries := fmt.Sprintf("%d tries failed", failed)
	if failed == 1 {
		tries = "1 try failed"
	}
	if next.After(now) {
		return tries + ", the next comes in " + Duration(next.Sub(now))
	}
	return tries + ", one is under way"
}

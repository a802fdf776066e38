package escalate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Calendar says when it is working time: ranges of weekdays and times of day in a zone, but for holidays. It is safe for use by several goroutines.
type Calendar struct {
	zone     *time.Location
	ranges   [7][]hours // by time.Weekday
	holidays map[string]bool
}

// hours are minutes from midnight; to may lie on the next day.
type hours struct{ from, to int }

// Always has no closing time; it is what an empty name of a calendar means.
const Always = "always"

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// NewCalendar reads ranges such as "mon-fri 08:00-17:00", "sat 10:00-14:00" or "mon-sun 22:00-06:00" (until the next morning), and holidays as
// "2026-05-17", or "05-17" for each year. The error says which text cannot be read.
func NewCalendar(zone *time.Location, open, holidays []string) (*Calendar, error) {
	c := &Calendar{zone: zone, holidays: map[string]bool{}}
	for _, text := range open {
		days, h, err := ParseOpen(text)
		if err != nil {
			return nil, err
		}
		for _, d := range days {
			c.ranges[d] = append(c.ranges[d], hours{h[0], h[1]})
		}
	}
	for d := range c.ranges {
		slices.SortFunc(c.ranges[d], func(a, b hours) int { return a.from - b.from })
	}
	for _, text := range holidays {
		if err := ParseHoliday(text); err != nil {
			return nil, err
		}
		c.holidays[text] = true
	}
	return c, nil
}

// ParseOpen reads one range: its weekdays, and its first minute and the one after its last, both counted from midnight.
func ParseOpen(text string) ([]time.Weekday, [2]int, error) {
	wrong := fmt.Errorf("%q is no working time", text)
	days, times, ok := strings.Cut(strings.TrimSpace(text), " ")
	from, to, okTimes := strings.Cut(strings.TrimSpace(times), "-")
	if !ok || !okTimes {
		return nil, [2]int{}, wrong
	}
	first, last, isRange := strings.Cut(strings.ToLower(days), "-")
	if !isRange {
		last = first
	}
	a, b := slices.Index(weekdays, first), slices.Index(weekdays, last)
	start, okStart := clock(from)
	end, okEnd := clock(to)
	if a < 0 || b < 0 || !okStart || !okEnd || start == end || start == 24*60 {
		return nil, [2]int{}, wrong
	}
	if end < start {
		end += 24 * 60
	}
	list := []time.Weekday{time.Weekday(a)}
	for a != b {
		a = (a + 1) % 7
		list = append(list, time.Weekday(a))
	}
	return list, [2]int{start, end}, nil
}

// clock reads "08:30" as minutes; "24:00" is the end of the day.
func clock(text string) (int, bool) {
	h, m, ok := strings.Cut(strings.TrimSpace(text), ":")
	hour, errHour := strconv.Atoi(h)
	minute, errMinute := strconv.Atoi(m)
	if !ok || errHour != nil || errMinute != nil || len(m) != 2 || hour < 0 || minute < 0 || minute > 59 || hour*60+minute > 24*60 {
		return 0, false
	}
	return hour*60 + minute, true
}

// ParseHoliday says whether a text is a date, "2026-05-17", or a day of each year, "05-17".
func ParseHoliday(text string) error {
	if _, err := time.Parse(time.DateOnly, text); err == nil {
		return nil
	}
	if _, err := time.Parse(time.DateOnly, "2024-"+text); err == nil { // a leap year has every day
		return nil
	}
	return fmt.Errorf("%q is no date", text)
}

// period is the time [from, to).
type period struct{ from, to time.Time }

// periods lists the working time that begins on a day.
func (c *Calendar) periods(y int, m time.Month, d int) []period {
	noon := time.Date(y, m, d, 12, 0, 0, 0, time.UTC)
	if c.holidays[noon.Format(time.DateOnly)] || c.holidays[noon.Format("01-02")] {
		return nil
	}
	var out []period
	for _, h := range c.ranges[noon.Weekday()] {
		p := period{c.reaches(y, m, d, h.from), c.reaches(y, m, d, h.to)}
		if p.from.Before(p.to) { // not so if the whole range is skipped in spring
			out = append(out, p)
		}
	}
	return out
}

// reaches gives the first instant at which the clocks of the zone show this time of the day, or a later one where they are put forward over it.
func (c *Calendar) reaches(y int, m time.Month, d, minutes int) time.Time {
	t := time.Date(y, m, d, 0, minutes, 0, 0, c.zone)
	want := time.Date(y, m, d, 0, minutes, 0, 0, time.UTC) // the same figures, for comparing
	shown := figures(t)
	begin, end := t.ZoneBounds()
	switch {
	case shown.Before(want) && !end.IsZero(): // put forward after t
		return end
	case shown.After(want) && !begin.IsZero():
		return begin
	}
	if begin.IsZero() {
		return t
	}
	// Put back not long ago: the same figures were shown before, by the offset's difference earlier.
	_, offset := t.Zone()
	_, before := begin.Add(-time.Second).In(c.zone).Zone()
	if earlier := t.Add(time.Duration(offset-before) * time.Second); before > offset && earlier.Before(begin) && figures(earlier.In(c.zone)).Equal(want) {
		return earlier
	}
	return t
}

func figures(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// maxDaysAhead bounds the search for the next working time.
const maxDaysAhead = 800

// Next gives t if it is working time, else when the next begins; zero if there is none within two years. A nil calendar is always open.
func (c *Calendar) Next(t time.Time) time.Time {
	if c == nil {
		return t
	}
	y, m, d := t.In(c.zone).Date()
	best := time.Time{}
	for day := -1; day < maxDaysAhead; day++ { // yesterday's may last into today
		for _, p := range c.periods(y, m, d+day) {
			if !p.to.After(t) {
				continue
			}
			if !p.from.After(t) {
				return t
			}
			if best.IsZero() || p.from.Before(best) {
				best = p.from
			}
		}
		if !best.IsZero() && day > 0 {
			return best
		}
	}
	return best
}

// Open says whether t is working time.
func (c *Calendar) Open(t time.Time) bool { return c.Next(t).Equal(t) }

// Elapsed is how much working time lies between two instants; of more than two years only the last two count. With a nil calendar it is all of it.
func (c *Calendar) Elapsed(from, to time.Time) time.Duration {
	if !from.Before(to) {
		return 0
	}
	if c == nil {
		return to.Sub(from)
	}
	if first := to.AddDate(0, 0, -maxDaysAhead); from.Before(first) {
		from = first
	}
	var sum time.Duration
	done := from // ranges may overlap
	y, m, d := from.In(c.zone).Date()
	for day := -1; ; day++ {
		if time.Date(y, m, d+day, 0, 0, 0, 0, c.zone).After(to) {
			return sum
		}
		for _, p := range c.periods(y, m, d+day) {
			if p.from.Before(done) {
				p.from = done
			}
			if p.to.After(to) {
				p.to = to
			}
			if p.from.Before(p.to) {
				sum += p.to.Sub(p.from)
				done = p.to
			}
		}
	}
}

package escalate

import (
	"testing"
	"time"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func calendar(t *testing.T, z *time.Location, open, holidays []string) *Calendar {
	t.Helper()
	c, err := NewCalendar(z, open, holidays)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCalendarNext(t *testing.T) {
	oslo := zone(t, "Europe/Oslo")
	office := calendar(t, oslo, []string{"mon-fri 08:00-17:00"}, []string{"12-25", "2026-05-14"})
	night := calendar(t, oslo, []string{"fri-mon 22:00-06:00"}, nil)
	gap := calendar(t, oslo, []string{"sun 02:30-04:00"}, nil)
	never := calendar(t, oslo, nil, nil)
	for _, c := range []struct {
		name      string
		c         *Calendar
		from, now string
	}{
		{"within", office, "2026-03-27T16:59:59+01:00", "2026-03-27T16:59:59+01:00"},
		{"at closing time, over the weekend on which clocks are put forward", office, "2026-03-27T17:00:00+01:00", "2026-03-30T08:00:00+02:00"},
		{"over the weekend on which they are put back", office, "2026-10-23T17:30:00+02:00", "2026-10-26T08:00:00+01:00"},
		{"a holiday of one year", office, "2026-05-13T18:00:00+02:00", "2026-05-15T08:00:00+02:00"},
		{"not a holiday in another year", office, "2027-05-13T18:00:00+02:00", "2027-05-14T08:00:00+02:00"},
		{"a holiday of each year", office, "2026-12-25T09:00:00+01:00", "2026-12-28T08:00:00+01:00"},
		{"past midnight", night, "2026-07-07T05:00:00+02:00", "2026-07-07T05:00:00+02:00"},
		{"past midnight, closed", night, "2026-07-07T06:00:00+02:00", "2026-07-10T22:00:00+02:00"},
		{"a time of day that is left out", gap, "2026-03-29T00:00:00+01:00", "2026-03-29T03:00:00+02:00"},
		{"a time of day that comes twice", gap, "2026-10-25T00:00:00+02:00", "2026-10-25T02:30:00+02:00"},
	} {
		if got := c.c.Next(at(t, c.from)); !got.Equal(at(t, c.now)) {
			t.Errorf("%s: %s, want %s", c.name, got, c.now)
		}
	}
	if got := never.Next(at(t, "2026-01-01T00:00:00Z")); !got.IsZero() {
		t.Errorf("never: %s", got)
	}
}

func TestCalendarElapsed(t *testing.T) {
	oslo := zone(t, "Europe/Oslo")
	office := calendar(t, oslo, []string{"mon-fri 08:00-17:00", "wed 16:00-18:00"}, []string{"12-25"})
	day := calendar(t, oslo, []string{"mon-sun 00:00-24:00"}, nil)
	for _, c := range []struct {
		name     string
		c        *Calendar
		from, to string
		want     time.Duration
	}{
		{"over a weekend", office, "2026-03-27T16:00:00+01:00", "2026-03-30T09:30:00+02:00", 150 * time.Minute},
		{"ranges that overlap count once", office, "2026-07-08T00:00:00+02:00", "2026-07-09T00:00:00+02:00", 10 * time.Hour},
		{"a day of 23 hours", day, "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", 23 * time.Hour},
		{"a day of 25 hours", day, "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00", 25 * time.Hour},
		{"a holiday", office, "2026-12-24T17:00:00+01:00", "2026-12-28T08:00:00+01:00", 0},
		{"backwards", office, "2026-07-08T12:00:00+02:00", "2026-07-08T09:00:00+02:00", 0},
	} {
		if got := c.c.Elapsed(at(t, c.from), at(t, c.to)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

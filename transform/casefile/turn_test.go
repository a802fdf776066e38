package casefile

import (
	"slices"
	"testing"
	"time"
)

func mustInstant(t *testing.T, s string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	at, err := instant(s, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestTurns(t *testing.T) {
	for src, want := range map[string][]string{
		"a < 10":                                {"a >= 10", "a <= 10", "a < 11"},
		"`a and b` = 'x < y' and c is not null": {"`a and b` <> 'x < y' and c is not null", "`a and b` = 'x < y~' and c is not null", "`a and b` = 'x < y' or c is not null", "`a and b` = 'x < y' and c is  null"},
		"first(p, x where y order z, w desc)":   {"first(p, x where y order z desc, w desc)", "first(p, x where y order z, w asc)"},
		"not a in [1]":                          {" a in [1]", "not a not in [1]", "not a in [2]"},
		"max(min, 0.99)":                        {"min(min, 0.99)", "max(min, 1.00)"},
		"trim(x) is null":                       {"(x) is null", "trim(x) is not null"},
		"a - b * 2":                             {"a + b * 2", "a - b + 2", "a - b * 3"},
	} {
		var got []string
		for _, m := range turnExpression(src) {
			got = append(got, m.text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q", src, got)
		}
	}
}

func TestInstant(t *testing.T) {
	for text, want := range map[string]string{
		"2026-03-29":                "2026-03-28T23:00:00Z",
		"2026-03-29 03:30":          "2026-03-29T01:30:00Z",
		"2026-10-25T03:30:00":       "2026-10-25T02:30:00Z",
		"2026-03-29T03:30:00+01:00": "2026-03-29T02:30:00Z",
	} {
		if got := mustInstant(t, text).UTC().Format(time.RFC3339); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	zone := mustInstant(t, "2026-01-01").Location()
	for _, text := range []string{"2026-03-29 02:30", "noon", ""} {
		if at, err := instant(text, zone); err == nil {
			t.Errorf("%q gives %s", text, at)
		}
	}
}

package main

import (
	"fmt"
	"strconv"
	"time"

	"shelfstream/internal/config"
)

// place is where a replay begins.
type place struct {
	kind   placeKind
	number int64
	at     time.Time
}

type placeKind uint8

const (
	atBeginning placeKind = iota
	atOffset
	atTime
)

// parsePlace reads -to. A time without a zone is meant in the pipeline's.
func parsePlace(text string, zone *time.Location) (place, error) {
	if text == "beginning" || text == "start" || text == "earliest" {
		return place{}, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		return place{kind: atOffset, number: n}, nil
	}
	if d, err := config.ParseDuration(text); err == nil && d >= 0 {
		return place{kind: atTime, at: time.Now().Add(-d)}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return place{kind: atTime, at: t}, nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return place{kind: atTime, at: t}, nil
		}
	}
	return place{}, usage(fmt.Sprintf("-to %q is no place", text), "write beginning, an offset (1042), a time (2026-03-14T08:00:00Z, '2026-03-14 08:00') or how long ago (2h, 7d)")
}

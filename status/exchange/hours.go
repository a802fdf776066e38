package exchange

import (
	"encoding/json"
	"slices"
	"time"
)

// minute is how many exchanges of a link ended in one minute.
type minute struct {
	At     int64 `json:"at"` // minutes since 1970
	OK     int64 `json:"ok,omitempty"`
	Failed int64 `json:"failed,omitempty"` // or parked something
}

// hour is the last sixty minutes of one link in one process, oldest first.
type hour struct {
	Minutes []minute `json:"minutes"`
	changed bool
	first   bool // it has a kind of outcome that the last one written may not have: people see that at once
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// add counts n exchanges.
func (h *hour) add(now time.Time, outcome string, n int64) {
	h.forget(now)
	at := minuteOf(now)
	if k := len(h.Minutes); k == 0 || h.Minutes[k-1].At < at {
		h.Minutes = append(h.Minutes, minute{At: at})
	}
	m := &h.Minutes[len(h.Minutes)-1]
	count := &m.Failed
	if outcome == OK {
		count = &m.OK
	}
	h.first = h.first || *count == 0
	*count += n
	h.changed = true
}

// forget drops what is older than an hour.
func (h *hour) forget(now time.Time) {
	least := minuteOf(now) - 60
	h.Minutes = slices.DeleteFunc(h.Minutes, func(m minute) bool { return m.At <= least })
}

// sum counts the last hour.
func (h *hour) sum(now time.Time) (ok, failed int64) {
	least := minuteOf(now) - 60
	for _, m := range h.Minutes {
		if m.At > least {
			ok += m.OK
			failed += m.Failed
		}
	}
	return ok, failed
}

func decodeHour(value []byte) (*hour, error) {
	h := &hour{}
	return h, json.Unmarshal(value, h)
}

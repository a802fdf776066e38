package capture_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
	"shelfstream/status/exchange"
)

// heard is a Log that keeps everything.
type heard struct {
	mu   sync.Mutex
	list []exchange.Exchange
}

func (h *heard) Add(e exchange.Exchange) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, e)
}

// find is the first exchange that fits.
func (h *heard) find(kind, outcome string) *exchange.Exchange {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.list, func(e exchange.Exchange) bool { return e.Kind == kind && e.Outcome == outcome })
	if i < 0 {
		return nil
	}
	e := h.list[i]
	return &e
}

func TestExchangesAreTold(t *testing.T) {
	e := newEnv(t)
	h := &heard{}
	broken := true
	e.change = func(c *capture.RunnerConfig) {
		c.Exchanges = h
		open := c.NewSource
		c.NewSource = func() (capture.Source, error) {
			if broken { // the runner's goroutine alone calls it
				broken = false
				return nil, errors.New("connection refused")
			}
			return open()
		}
	}
	e.db.Commit(insert(head, capturetest.Row{ID: 1, Owner: 1, Label: "a", Cents: 1}), insert(head, capturetest.Row{ID: 2, Owner: 1, Label: "b", Cents: 2}))
	_, stop := e.run()
	e.eventually("a snapshot", func() bool { return h.find("snapshot", exchange.OK) != nil })
	if x := h.find("connection", exchange.Failed); x == nil || x.Attempt != 1 || x.Link != "source "+sourceName || x.Direction != exchange.In || x.Fault == nil {
		t.Errorf("the broken connection: %+v", x)
	}
	if x := h.find("preflight", exchange.OK); x == nil {
		t.Error("no preflight")
	}
	rows := int64(0)
	h.mu.Lock()
	for _, x := range h.list {
		if x.Kind == "snapshot" {
			rows += x.Records
		}
	}
	h.mu.Unlock()
	if rows != 2 {
		t.Errorf("snapshots of %d rows, want 2", rows)
	}
	at := e.db.Commit(insert(line, capturetest.Row{ID: 7, Owner: 1, Label: "c", Cents: 3}))
	e.eventually("changes", func() bool { return h.find("changes", exchange.OK) != nil })
	x := h.find("changes", exchange.OK)
	if x.Records != 1 || x.Bytes == 0 || x.Position != string(at) || !slices.Equal(x.Keys, []string{line + "/7"}) || len(x.Spans) != 1 ||
		x.Spans[0].Topic != capture.RawTopic(pipeline, sourceName, line) || x.Spans[0].To-x.Spans[0].From != 1 {
		t.Errorf("changes: %+v", x)
	}
	stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.list {
		if x.Kind == "changes" && x.Records == 0 {
			t.Errorf("a heartbeat was told: %+v", x)
		}
	}
}

package capture_test

import (
	"errors"
	"slices"
	"testing"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
	"shelfstream/status/exchange"
	"shelfstream/status/exchange/exchangetest"
)

func TestExchangesAreTold(t *testing.T) {
	e := newEnv(t)
	h := &exchangetest.Heard{}
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
	snapshots := func() (tables int, rows int64) {
		for _, x := range h.All() {
			if x.Kind == "snapshot" && x.Outcome == exchange.OK {
				tables++
				rows += x.Records
			}
		}
		return tables, rows
	}
	e.eventually("a snapshot of each table", func() bool { tables, _ := snapshots(); return tables == len(e.tables) })
	if x := h.Find("connection", exchange.Failed); x == nil || x.Attempt != 1 || x.Link != "source "+sourceName || x.Direction != exchange.In || x.Fault == nil {
		t.Errorf("the broken connection: %+v", x)
	}
	if x := h.Find("preflight", exchange.OK); x == nil {
		t.Error("no preflight")
	}
	if _, rows := snapshots(); rows != 2 {
		t.Errorf("snapshots of %d rows, want 2", rows)
	}
	at := e.db.Commit(insert(line, capturetest.Row{ID: 7, Owner: 1, Label: "c", Cents: 3}))
	e.eventually("changes", func() bool { return h.Find("changes", exchange.OK) != nil })
	x := h.Find("changes", exchange.OK)
	if x.Records != 1 || x.Bytes == 0 || x.Position != string(at) || !slices.Equal(x.Keys, []string{line + "/7"}) || len(x.Spans) != 1 ||
		x.Spans[0].Topic != capture.RawTopic(pipeline, sourceName, line) || x.Spans[0].To-x.Spans[0].From != 1 {
		t.Errorf("changes: %+v", x)
	}
	stop()
	for _, x := range h.All() {
		if x.Kind == "changes" && x.Records == 0 {
			t.Errorf("a heartbeat was told: %+v", x)
		}
	}
}

package web

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status"
	"shelfstream/status/audit"
	"shelfstream/status/exchange"
	"shelfstream/status/login"
)

// sampleHash is of the password "correct horse".
var sampleHash = func() string {
	h, err := login.Hash("correct horse")
	if err != nil {
		panic(err)
	}
	return h
}()

// wineFlow is a pipeline with two sources, a view over a view and two sinks.
var wineFlow = Flow{
	Nodes: []Node{{"capture", "erp", "postgres"}, {"capture", "warehouse", "mysql"}, {"transform", "article", ""}, {"transform", "product", ""}, {"transform", "category", ""}, {"sink", "shop", "mysql"}, {"sink", "b2b", "mysql"}},
	Arrows: []Arrow{
		{"capture erp", "transform article"},
		{"capture warehouse", "transform article"},
		{"transform article", "transform product"},
		{"capture erp", "transform category"},
		{"transform product", "sink shop"},
		{"transform category", "sink shop"},
		{"transform product", "sink b2b"},
	},
}

func wineStages(ago func(time.Duration) time.Time) []status.Stage {
	positions := func(topic string, n int) (out []status.Position) {
		for i := range n {
			out = append(out, status.Position{Name: fmt.Sprintf("%s/%d", topic, i), Value: fmt.Sprint(120_311 + 17*i), LagRecords: int64(i % 2), LagSeconds: float64(i%2) * 0.2})
		}
		return out
	}
	vat := status.FaultJSON{Class: "runtime", Cause: "rule.lookup_missing", Where: "standard.rules.yaml:41 rule price_with_vat", What: "no VAT rate for the code M7", Fix: "add the code M7 to the ERP's VAT table, or map it in mine.rules.yaml"}
	return []status.Stage{
		{Kind: "capture", Name: "erp", State: status.StateStreaming, Since: ago(26 * time.Hour), LastHeartbeat: ago(300 * time.Millisecond), Records: 1_240_311, Positions: []status.Position{{Name: "source", Value: "0/16B3748", LagRecords: -1, LagSeconds: 0}}},
		{Kind: "capture", Name: "warehouse", State: status.StateSnapshot, Since: ago(42 * time.Second), Detail: "2 of 5 tables are read", LastHeartbeat: ago(2 * time.Second), Records: 412_000, Positions: []status.Position{{Name: "source", Value: "mysql-bin.000012:8812", LagRecords: -1, LagSeconds: 42}}, Progress: []status.Progress{{Name: "stock", Done: 412_000, Total: 980_000, StartedAt: ago(42 * time.Second)}}},
		{Kind: "transform", Name: "article", State: status.StateLive, Since: ago(26 * time.Hour), LastHeartbeat: ago(time.Second), Records: 884_211, Parked: 5003, Positions: positions("moestue.article", 4), Troubles: []status.Trouble{
			{Fault: vat, Count: 5000, First: ago(14 * time.Minute), Last: ago(20 * time.Second), Samples: []string{"4711", "4712", "4713"}},
			{Fault: status.FaultJSON{Where: "mine.rules.yaml:7 rule title", What: "the title is empty", Fix: "fill product.name in the ERP"}, Count: 3, First: ago(3 * time.Hour), Last: ago(2 * time.Hour), Samples: []string{"88"}},
		}},
		{Kind: "transform", Name: "product", State: status.StateLive, Since: ago(26 * time.Hour), LastHeartbeat: ago(time.Second), Records: 88_211, Positions: positions("moestue.product", 12)},
		{Kind: "transform", Name: "category", State: status.StateLive, Since: ago(26 * time.Hour), LastHeartbeat: ago(time.Second), Records: 211, Positions: positions("moestue.category", 4)},
		{
			Kind: "sink", Name: "shop", State: status.StateRetrying, Since: ago(3 * time.Minute), Attempt: 6, NextTry: ago(-20 * time.Second), Detail: "dial tcp 127.0.0.1:3306: connection refused, password geheim", Records: 70_102, Positions: []status.Position{{Name: "moestue.product/0", Value: "70102", LagRecords: 1204, LagSeconds: 181}},
			Faults: fault.List{{Class: fault.Environment, Where: "sink shop", What: "the shop's database does not answer", Err: errors.New("dial tcp 127.0.0.1:3306: connect: connection refused"), Fix: "start it: systemctl start mariadb"}},
		},
		{Kind: "sink", Name: "b2b", State: status.StateLive, Since: ago(26 * time.Hour), LastHeartbeat: ago(time.Second), Records: 68_441, Positions: positions("moestue.product", 4)},
	}
}

// busy is a server with everything that a page can show; at is its present.
func busy(at time.Time) *Server {
	ago := func(d time.Duration) time.Time { return at.Add(-d) }
	stages := wineStages(ago)
	var reporters []status.Reporter
	for _, st := range stages[:4] {
		reporters = append(reporters, fixed(st))
	}
	refused := &status.FaultJSON{Class: "environment", Cause: "mysql.refused", Where: "sink shop 127.0.0.1:3306", What: "the shop's database does not answer: connection refused", Fix: "start it: systemctl start mariadb"}
	exchanges := func(link string, n int, failedOnly bool) (out []exchange.Exchange) {
		for i := range 24 {
			e := exchange.Exchange{Link: link, Direction: exchange.Out, Kind: "transaction", At: ago(time.Duration(3*i+1) * time.Second), Took: time.Duration(4+i%7) * 13 * time.Millisecond, Count: int64(1 + i%5*3), Records: int64(17 + 31*i%200), Bytes: int64(4100 + 991*i), Keys: []string{"4711", "4712"}, Attempt: 1, Outcome: exchange.OK, Spans: []exchange.Span{{Topic: "moestue.product", Partition: int32(i % 4), From: int64(70_000 - 40*i), To: int64(70_040 - 40*i)}}}
			if strings.HasPrefix(link, "source") {
				e.Direction, e.Kind, e.Position, e.Spans, e.Keys = exchange.In, "changes", "0/16B3748", nil, []string{"product 4711"}
			}
			if strings.HasSuffix(link, "shop") && i < 6 {
				e.Outcome, e.Fault, e.Attempt, e.Records, e.Bytes = exchange.Failed, refused, 6-i, 40, 0
			}
			if i == 9 {
				e.Outcome, e.Parked = exchange.Parked, 2
			}
			if (!failedOnly || e.Outcome != exchange.OK) && len(out) < n {
				out = append(out, e)
			}
		}
		return out
	}
	incidents := []Incident{
		{
			ID: "i-8f21", Link: "sink shop", Data: "product", Cause: "mysql.refused", Kind: "connection", Severity: "critical", Where: "sink shop 127.0.0.1:3306", What: "the shop's database does not answer: connection refused", Fix: "start the database server of the shop, then nothing more: the sink goes on by itself", Command: "systemctl start mariadb", Count: 6, Tries: 5, Opened: ago(181 * time.Second), Last: ago(time.Second), Worker: "web-1/4120", Next: "kari is called at 09:33 by SMS, unless somebody takes it on",
			Log: []Event{{At: ago(181 * time.Second), What: "opened after 5 tries"}, {At: ago(180 * time.Second), What: "ola was told by mail"}, {At: ago(60 * time.Second), What: "mail to drift@moestue.example was refused, next channel: slack"}},
		},
		{ID: "i-77aa", Link: "view article", Data: "product", Cause: "rule.lookup_missing", Kind: "invalid", Severity: "error", Where: "standard.rules.yaml:41 rule price_with_vat", What: "no VAT rate for the code M7", Fix: "add the code M7 to the ERP's VAT table, or map it in mine.rules.yaml; the products go on by themselves", Command: "shelfstream parked retry article -all", Count: 5000, Samples: []string{"4711", "4712", "4713"}, Opened: ago(14 * time.Minute), Last: ago(20 * time.Second), Acked: ago(10 * time.Minute), By: "anna", Note: "asked accounting for the rate"},
		{ID: "i-78bb", Link: "sink shop", Severity: "warning", What: "sink shop is 3 min behind", Count: 1, Opened: ago(100 * time.Second), Last: ago(time.Second), Behind: "i-8f21"},
		{ID: "i-0001", Link: "source warehouse", Severity: "warning", What: "no stock change for 6 h on a weekday", Count: 1, Opened: ago(30 * time.Hour), Resolved: ago(28 * time.Hour)},
	}
	last := func(link string) *exchange.Exchange { e := exchanges(link, 1, false)[0]; return &e }
	s := newServer(Config{
		Pipeline: "moestue", Version: "v0.1.0", Reporters: reporters, MaxLag: time.Minute, Now: func() time.Time { return at }, Flow: wineFlow, Self: "erp-1/3911",
		Redact: func(s string) string { return strings.ReplaceAll(s, "geheim", "****") },
		Workers: func() []Worker {
			return []Worker{
				{Name: "erp-1/3911", Host: "erp-1", PID: 3911, Role: "run", Version: "v0.1.0", StartedAt: ago(26 * time.Hour), At: ago(time.Second), Stages: stages[:4]},
				{Name: "web-1/4120", Host: "web-1", PID: 4120, Role: "sink", Version: "v0.1.0", Admin: "10.0.0.7:8480", StartedAt: ago(25 * time.Hour), At: ago(2 * time.Second), Stages: stages[4:]},
				{Name: "web-2/88", Host: "web-2", PID: 88, Role: "sink", Version: "v0.1.0", StartedAt: ago(25 * time.Hour), At: ago(5 * time.Minute), Stages: stages[6:]},
			}
		},
		Links: func() []Link {
			ok := exchanges("source erp", 1, false)[0]
			return []Link{
				{Link: "source erp", Direction: "in", Last: last("source erp"), LastOK: &ok, OK: 3211},
				{Link: "source warehouse", Direction: "in", Last: last("source warehouse"), LastOK: &ok, OK: 412},
				{Link: "sink shop", Direction: "out", Last: last("sink shop"), LastOK: &exchange.Exchange{At: ago(184 * time.Second)}, LastFailed: last("sink shop"), OK: 2100, Failed: 6},
				{Link: "sink b2b", Direction: "out", Last: last("sink b2b"), LastOK: &ok, OK: 1988},
				{Link: "channel mail", Direction: "out"},
			}
		},
		Exchanges: exchanges, Incidents: func() []Incident { return incidents },
		Held: func(context.Context) ([]Held, error) {
			return []Held{
				{View: "product", Guard: "removals", Counts: "products that leave the view", Allows: "20 in 10 min, or 1 % of 12 000", Held: 340, Since: ago(8 * time.Minute), Samples: []HeldSample{{"4711", "Barolo Riserva 2016", "(gone)", ago(8 * time.Minute)}, {"4712", "Chablis 1er Cru", "(gone)", ago(8 * time.Minute)}}},
				{View: "product", Guard: "prices", Counts: "prices that move by more than 30 %", Allows: "50 in 10 min"},
			}, nil
		},
		Users: map[string]login.User{"anna": {PasswordHash: sampleHash, Role: login.Operate}, "per": {PasswordHash: sampleHash, Role: login.View}}, Open: true,
		AuditLast: func(n int) []audit.Entry {
			return []audit.Entry{
				{At: ago(10 * time.Minute), Who: "anna", Role: "operate", From: "10.0.0.4", Action: "acknowledge", Target: "i-77aa", Note: "asked accounting for the rate", Outcome: audit.Done},
				{At: ago(11 * time.Minute), Who: "per", Role: "view", From: "10.0.0.9", Action: "apply held", Target: "product removals", Outcome: audit.Refused, Why: "the role operate is needed for this"},
				{At: ago(50 * time.Hour), Who: "anna", From: "10.0.0.4", Action: "log in", Outcome: audit.Done},
			}
		},
		VerifyAck: func(q url.Values) (string, string, error) {
			if q.Get("sig") != "good" {
				return "", "", &fault.Fault{Class: fault.Config, Where: "link", What: "the link is not valid any more", Fix: "log in and acknowledge on the incident's page"}
			}
			return "i-8f21", "kari", nil
		},
		Ack: func(context.Context, string, string, string) error { return nil },
		RetryParked: func(_ context.Context, view string, keys []string, _ string) (string, error) {
			return fmt.Sprintf("asked for: %d of %s", len(keys), view), nil
		},
		SkipParked: func(_ context.Context, view, key, _, _ string) (string, error) {
			return "asked for: " + view + " " + key + " is left out", nil
		},
		ApplyHeld: func(_ context.Context, view, guard, _, _ string, lasts time.Duration) (string, error) {
			return fmt.Sprintf("asked for: what guard %s of %s holds goes out, and more for %v", guard, view, lasts), nil
		},
		Parked: func(_ context.Context, kind, name string, limit int) (out []status.Parked, err error) {
			for i := range min(limit, 120) {
				out = append(out, status.Parked{Key: fmt.Sprint(4711 + i), Where: "standard.rules.yaml:41 rule price_with_vat", What: "no VAT rate for the code M7", Fix: "add the code M7 to the ERP's VAT table, or map it in mine.rules.yaml", Since: ago(time.Duration(i) * time.Second)})
			}
			return out, nil
		},
		Explain: func(_ context.Context, view, key string) (*status.Explanation, error) {
			return sampleProduct(view, key, ago)
		},
		History: func(context.Context, string, string, int) ([]Version, error) {
			return []Version{
				{Partition: 3, Offset: 70_102, At: ago(time.Minute), Changes: []Change{{"price_vat", "109.90", "119.90"}, {"campaign", "summer", "null"}}},
				{Partition: 3, Offset: 68_001, At: ago(26 * time.Hour), Changes: []Change{{"stock", "14", "12"}}},
				{Partition: 3, Offset: 60_412, At: ago(90 * time.Hour), First: true},
			}, nil
		},
	})
	s.wait = time.Minute
	// Six hours of numbers, as if it had been sampled.
	for i := range 2160 {
		t := ago(time.Duration(2160-i) * coarse)
		m := &moment{At: t, Stages: s.stages(stages, nil, t)}
		for k, st := range m.Stages {
			st.Records = int64(float64(i)*3000 + 20_000*math.Sin(float64(i)/70+float64(k)) + float64(i*k*400))
			if st.Node.Name == "shop" && i > 2140 {
				st.Positions = []status.Position{{LagSeconds: float64(i-2140) * 10, LagRecords: int64(i-2140) * 60}}
			} else {
				st.Positions = []status.Position{{LagSeconds: 0.1 + 0.08*math.Sin(float64(i)/9+float64(k)), LagRecords: int64(3 + 3*math.Sin(float64(i)/13+float64(k)))}}
			}
		}
		s.history.sample(m)
	}
	records := map[string]int64{}
	for i := range 60 {
		t := ago(time.Duration(60-i) * time.Second)
		m := &moment{At: t, Stages: s.stages(stages, nil, t)}
		for k, st := range m.Stages {
			if records[st.id()] == 0 {
				records[st.id()] = 100_000_000
			}
			if st.Node.Name != "shop" {
				records[st.id()] += int64(300 + 90*math.Sin(float64(i)/5+float64(k)) + 40*math.Sin(float64(i)*1.7))
			}
			st.Records = records[st.id()]
		}
		s.history.sample(m)
	}
	return s
}

func sampleProduct(view, key string, ago func(time.Duration) time.Time) (*status.Explanation, error) {
	if key != "4711" {
		return nil, fmt.Errorf("product %s: %w", key, status.ErrNotFound)
	}
	cell, old, name, no := "119.90", "109.90", "Barolo Riserva 2016", "4711"
	return &status.Explanation{
		View: view, Key: key, Topic: "moestue.product", Partition: 3, Included: true, EmittedAt: ago(time.Minute), Wake: ago(-15 * time.Hour),
		Fields: []status.ExplainedField{
			{Field: "no", Value: "4711"},
			{Field: "name", Value: name, Rule: "title", Layer: "standard", File: "standard.rules.yaml", Line: 7, Uses: []status.ExplainedUse{{Input: "root", Column: "name", Value: name}}},
			{Field: "price_vat", Value: cell, Rule: "price with VAT", Layer: "standard", File: "standard.rules.yaml", Line: 41, Uses: []status.ExplainedUse{{Input: "prices", Column: "amount", Value: "95.92"}, {Input: "vat", Column: "rate", Value: "0.25"}, {Input: "today", Value: "2026-03-14"}}, Sent: &old},
			{Field: "visible", Value: "true", Rule: "status", Layer: "customer", File: "mine.rules.yaml", Line: 12, Uses: []status.ExplainedUse{{Input: "field", Column: "price_vat", Value: cell}}},
		},
		Rows: []status.ExplainedRow{
			{Input: "root", Topic: "moestue.erp.product", Partition: 3, Offset: 1042, Position: "0/16B3748", Committed: ago(time.Hour)},
			{Input: "prices", Topic: "moestue.erp.price", Partition: 3, Offset: 88_104, Position: "0/16B9001", Committed: ago(time.Minute)},
			{Input: "vat", Topic: "moestue.article", Partition: 0, Offset: 4, Committed: ago(900 * time.Hour), View: "article", Product: "M5"},
		},
		Targets: []status.ExplainedTarget{{Sink: "shop", Table: "product", Columns: []string{"no", "name", "price_vat"}, Rows: [][]*string{{&no, &name, &old}}}, {Sink: "shop", Table: "product_image"}, {Sink: "b2b", Table: "item", Error: "connection refused"}},
	}, nil
}

package incident

import (
	"strings"
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/status"
	"shelfstream/status/escalate"
)

// TestExpectedInWorkingHours: only the hours of the calendar count, so a weekend is no silence.
func TestExpectedInWorkingHours(t *testing.T) {
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	hours, err := escalate.NewCalendar(oslo, []string{"mon-fri 08:00-17:00"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := Expectation{Name: "orders", Topics: []string{"x.order"}, Within: 6 * time.Hour, Hours: hours, HoursText: "mon-fri 08:00-17:00", Zone: oslo}
	friday := time.Date(2026, 11, 20, 16, 0, 0, 0, oslo)
	for at, want := range map[time.Time]bool{
		friday.Add(6 * time.Hour):                      false,
		time.Date(2026, 11, 23, 8, 0, 0, 0, oslo):      false,
		time.Date(2026, 11, 23, 12, 59, 0, 0, oslo):    false,
		time.Date(2026, 11, 23, 13, 0, 1, 0, oslo):     true,
		time.Date(2026, 11, 23, 23, 0, 0, 0, oslo):     true,
		time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC): false, // before the record: a clock that was set back
	} {
		m, missing := e.Check(friday, false, at)
		if missing != want {
			t.Errorf("at %s: missing %v", at, missing)
		}
		if text := m.condition().what; !strings.Contains(text, "6 h (of mon-fri 08:00-17:00)") || !strings.Contains(text, "2026-11-20 16:00") {
			t.Error(text)
		}
	}
}

// TestNothingComes: a topic that nothing is written to for too long is an incident, one that was not there before counts from when it was first looked at, and a record resolves it.
func TestNothingComes(t *testing.T) {
	w := newTown(t)
	w.set(func() {
		w.stages = []status.Stage{{Kind: status.KindTransform, Name: "order", State: status.StateLive}}
	})
	expects := func(cfg *KeeperConfig) {
		cfg.Expect = []Expectation{{Name: "orders", Topics: []string{"test.order"}, Links: []string{"view order"}, Within: time.Hour}}
		cfg.Rules.Gone = 24 * time.Hour // the clock is moved on by an hour, and nobody stood still for it
	}
	r := w.enter(expects)
	eventually(t, "it keeps", func() bool {
		last, err := r.client.Last(t.Context(), Topic("test"), 0)
		return err == nil && last != nil
	})
	w.set(func() { w.ahead += 61 * time.Minute })
	eventually(t, "it is missed", func() bool {
		all := r.keeper.Incidents()
		return len(all) == 1 && all[0].Cause == CauseMissing && all[0].Link == "expectation orders"
	})
	r.leave()
	r = w.enter(expects)
	if err := r.client.EnsureTopics(t.Context(), kafka.TopicSpec{Name: "test.order", Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	p, err := r.client.NewProducer(t.Context(), kafka.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close(t.Context()) }()
	if err := p.Produce(t.Context(), "test.order", 1, kafka.Record{Value: []byte("1"), TimestampMS: w.now().UnixMilli()}); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has come", func() bool {
		all := r.keeper.Incidents()
		return len(all) == 1 && !all[0].Open()
	})
}

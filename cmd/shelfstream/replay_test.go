package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"shelfstream/sink"
	"shelfstream/sink/sinktest"
)

// logStart is where partition 1 of the view's topic begins: what was below is gone.
const logStart = 5

// replayWorld is a log of a view of two partitions, and a target that has all of it.
func replayWorld(t *testing.T) (*app, *sinktest.Memory) {
	t.Helper()
	w := sinktest.NewWorld(t, sinktest.View(), 2)
	m := sinktest.NewMemory()
	r := w.Start(w.Config(m))
	for i := range int64(60) {
		w.Put(sinktest.Row(i, "x", i))
	}
	w.CaughtUp(m.Next(w))
	r.Stop()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.Broker.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	cut := kmsg.NewDeleteRecordsRequest()
	topic, partition := kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
	partition.Partition, partition.Offset = 1, logStart
	topic.Topic, topic.Partitions = w.View.Topic, append(topic.Partitions, partition)
	cut.TimeoutMillis, cut.Topics = 5000, append(cut.Topics, topic)
	if response, err := cut.RequestWith(t.Context(), client); err != nil || response.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("cut the log: %v %+v", err, response)
	}
	cfg := loadViews(t, strings.Replace(viewsConfig, "pipeline: moestue", "pipeline: suite", 1))
	return &app{cfg: cfg, client: w.Client, log: slog.New(slog.DiscardHandler), targets: map[string]sink.Target{"list": m}}, m
}

// TestReplayOfAPartitionToAnOffset: only that partition goes back, and never below what the log still has.
func TestReplayOfAPartitionToAnOffset(t *testing.T) {
	a, m := replayWorld(t)
	topic := "suite.product"
	rewind := func(r replay, text string) (string, error) {
		t.Helper()
		to, err := parsePlace(text, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
		err = r.rewind(t.Context(), a, w, reader{"list", "product"}, to)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		return out.String(), err
	}
	before := m.Place(topic, 0)
	end := m.Place(topic, 1).Next
	out, err := rewind(replay{partition: 1}, "7")
	if err != nil || !strings.Contains(out, "suite.product/1") || !strings.Contains(out, "back to 7") || strings.Contains(out, "suite.product/0") {
		t.Fatalf("%v\n%s", err, out)
	}
	if p := m.Place(topic, 1); p.Next != 7 || p.ReplayUntil < end || p.Prune {
		t.Errorf("place %+v, the end was %d", p, end)
	}
	if p := m.Place(topic, 0); p != before {
		t.Errorf("partition 0 stood at %+v and is at %+v", before, p)
	}
	if out, err = rewind(replay{partition: 1}, "2"); err != nil || !strings.Contains(out, "from 7 back to 5") || m.Place(topic, 1).Next != logStart {
		t.Errorf("below the log's start: %v\n%s", err, out)
	}
	if out, err = rewind(replay{partition: 1}, "100000"); err != nil || !strings.Contains(out, "stays at 5") {
		t.Errorf("beyond the place: %v\n%s", err, out)
	}
	if out, err = rewind(replay{partition: 0, prune: true}, "beginning"); err != nil || !strings.Contains(out, "back to 0, all keys compared") || strings.Contains(out, "product/1") {
		t.Errorf("a partition from the beginning: %v\n%s", err, out)
	}
	if _, err = rewind(replay{partition: 2}, "7"); err == nil || !strings.Contains(err.Error(), "write a number from 0 to 1") {
		t.Errorf("a partition that is not there: %v", err)
	}
}

// TestReplayOfAViewGoesOnToViewsOverIt, unless it goes to an offset, which is a place in one topic.
func TestReplayOfAViewGoesOnToViewsOverIt(t *testing.T) {
	cfg := loadViews(t, viewsConfig)
	for _, c := range []struct {
		name, view string
		offset     bool
		want       string
	}{
		{"product", "", false, "shop:variant list:product list:listed"},
		{"product", "", true, "list:product"},
		{"product", "variant", false, "shop:variant"},
		{"variant", "", false, "shop:variant list:listed"},
		{"listed", "", false, "list:listed"},
		{"list", "", false, "list:product list:listed"},
		{"list", "variant", false, `there is no view of list "variant"`},
		{"listed", "variant", false, `there is no view of listed "variant"`},
		{"pair", "", false, "no sink reads the view pair"},
	} {
		readers, err := (&replay{view: c.view}).readers(cfg, c.name, c.offset)
		var names []string
		for _, r := range readers {
			names = append(names, r.sink+":"+r.view)
		}
		got := strings.Join(names, " ")
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != c.want || !strings.Contains(got, c.want) {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

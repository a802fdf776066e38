package transform

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// inOnePartition writes a rate and n products, all of the first partition, and gives their numbers.
func (l *lab) inOnePartition(n int) []int64 {
	l.t.Helper()
	l.put("rate", num(1), dec(2500))
	nos := inPartition(0, n)
	for _, no := range nos {
		l.product(no, 1)
	}
	l.checkpoint()
	return nos
}

// TestOldStateIsRebuilt: a state that was away for longer than the topics keep tombstones may hold rows that are gone.
func TestOldStateIsRebuilt(t *testing.T) {
	for _, away := range []time.Duration{6 * 24 * time.Hour, 8 * 24 * time.Hour} {
		t.Run(fmt.Sprint(away), func(t *testing.T) {
			l := newLabOn(t, compacting)
			nos := l.inOnePartition(3)
			cfg := l.config(labRules)
			cfg.DeleteRetention = 7 * 24 * time.Hour
			w := l.running(cfg)
			w.stop()

			l.del("product", num(nos[0]))
			l.flush()
			l.product(nos[1], 2)
			l.flush()
			l.product(nos[2], 2)
			l.checkpoint()
			l.eventually("the log forgot the product and its tombstone", func() bool { return l.recordsIn("t.erp.product") == 3 })
			l.clock.set(l.clock.Now().Add(away))
			l.running(cfg)
			got, _ := l.products()
			rebuilt := away > cfg.DeleteRetention
			if _, there := got[fmt.Sprint(nos[0])]; there == rebuilt || !strings.Contains(got[fmt.Sprint(nos[1])], "rev=2") {
				t.Errorf("away for %v: %v", away, got)
			}
		})
	}
}

// TestTaskThatNeverCatchesUpGrowsOld: that a task starts again and again does not make its state younger; that it has read its inputs does.
func TestTaskThatNeverCatchesUpGrowsOld(t *testing.T) {
	l := newLabOn(t, compacting)
	g := l.gate()
	cfg := l.config(labRules)
	cfg.DeleteRetention = 7 * 24 * time.Hour
	// One rate stays at the beginning, as the embedded log has its topics begin at what compaction left first.
	others := inPartition(partitionOf(1), 4)
	l.put("rate", num(others[1]), dec(100))
	l.flush()
	l.put("rate", num(1), dec(2500))
	l.flush()
	nos := inPartition(0, 3)
	for _, no := range nos {
		l.product(no, 1)
	}
	l.put("image", num(50), num(nos[1]), num(1), txt("a.jpg"))
	l.checkpoint()
	cfg.Registry = g.client()
	w := l.running(cfg)

	// The registry goes, and every few days the task tries; the prices below stand after the image that it cannot read.
	g.status.Store(500)
	l.widen("image")
	l.put("image", num(50), num(nos[1]), num(1), txt("b.jpg"))
	l.checkpoint()
	for range 2 {
		l.clock.set(l.clock.Now().Add(4 * 24 * time.Hour))
		asked := g.refused.Load()
		l.eventually("it tried again", func() bool { return g.refused.Load() > asked+1 })
	}
	l.del("rate", num(1))
	l.flush()
	l.put("rate", num(others[2]), dec(1500))
	l.flush()
	l.put("rate", num(others[3]), dec(1500))
	l.checkpoint()
	l.eventually("the log forgot the rate and its tombstone", func() bool { return l.recordsIn("t.erp.rate") <= 3 })
	g.status.Store(0)
	l.settled(w)
	if n := w.Status().Parked; n != 3 {
		t.Errorf("the rate is gone, and %d of 3 products are parked", n)
	}
}

// TestShorterOutputIsSentAgain: the cleaned topic was made anew, so that what the state knows of it is not there.
func TestShorterOutputIsSentAgain(t *testing.T) {
	for _, topic := range []string{"t.shop", "t.shop.parked"} {
		t.Run(topic, func(t *testing.T) {
			l := newLab(t)
			l.put("rate", num(1), dec(2500))
			for no := range int64(20) {
				l.product(no, 1)
			}
			for no := range int64(4) {
				l.put("product", num(100+no), txt("no rate"), num(7), num(1))
				l.put("price", num(100+no), num(1), dec(1), num(1))
			}
			l.checkpoint()
			w := l.running(l.config(labRules))
			w.stop()
			l.deleteTopic(topic)
			l.reconnect()
			w = l.running(l.config(labRules))
			if got, n := l.products(); len(got) != 20 || topic == "t.shop" && n != 20 {
				t.Errorf("%d products in %d records, want 20", len(got), n)
			}
			if n := l.recordsIn("t.shop.parked"); n != 4 || w.Status().Parked != 4 {
				t.Errorf("%d records of parked products, %d in the status, want 4", n, w.Status().Parked)
			}
		})
	}
}

// TestInputThatBeginsLaterRebuilds: the log no longer has the offset where the state ends.
func TestInputThatBeginsLaterRebuilds(t *testing.T) {
	l := newLab(t)
	nos := l.inOnePartition(4)
	w := l.running(l.config(labRules))
	w.stop()
	l.del("product", num(nos[0])) // the state never sees this one
	l.product(nos[1], 2)
	l.product(nos[2], 2)
	l.product(nos[3], 2)
	l.checkpoint()
	l.cutTopic("t.erp.product", 0, l.tables["product"].next[0]-3)
	l.running(l.config(labRules))
	got, _ := l.products()
	if len(got) != 3 || !strings.Contains(got[fmt.Sprint(nos[3])], "rev=2") {
		t.Errorf("products %v", got)
	}
}

// TestInputMadeAnewRebuilds: a raw topic was deleted and written again, shorter; nothing below the checkpoints' offsets is left to fetch.
func TestInputMadeAnewRebuilds(t *testing.T) {
	l := newLab(t)
	nos := l.inOnePartition(4)
	w := l.running(l.config(labRules))
	w.stop()
	l.recreate("product")
	l.put("product", num(nos[1]), txt("again"), num(1), num(2))
	l.checkpoint()
	l.running(l.config(labRules))
	got, _ := l.products()
	if len(got) != 1 || !strings.Contains(got[fmt.Sprint(nos[1])], "title=again rev=2 net=1.01") {
		t.Errorf("products %v", got)
	}
}

// TestEmptyStateBeginsWhereTheTopicDoes: nothing was read yet, so a topic that begins later has lost nothing that matters.
func TestEmptyStateBeginsWhereTheTopicDoes(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	nos := inPartition(0, 2)
	l.product(nos[0], 1)
	l.product(nos[1], 1)
	l.checkpoint()
	// The feed is opened at offset 0, and then the log is cut.
	task := l.byHand(l.config(labRules), 0)
	ctx := t.Context()
	check(t, task.open(ctx))
	check(t, task.restore(ctx))
	l.cutTopic("t.erp.product", 0, 1)
	task.fetcher.Remove("t.erp.product", 0)
	task.fetcher.Add("t.erp.product", 0, 0)
	tgt, _, err := task.frontier.next(nil, false)
	check(t, err)
	check(t, task.step(ctx, tgt))
	task.close()
	check(t, task.store.Close())
	if got, _ := l.products(); len(got) != 1 {
		t.Errorf("products %v", got)
	}
}

// TestOtherTablesRebuildTheState: a view that reads other tables than before must not find the rows of the old ones.
func TestOtherTablesRebuildTheState(t *testing.T) {
	l := newLab(t)
	n := schemas.Type{Kind: schemas.KindInt, Bits: 64}
	l.table("photo", false, []string{"id"}, []string{"no"}, "id", n, "no", n, "pos", n, "url", schemas.Type{Kind: schemas.KindText})
	l.put("rate", num(1), dec(2500))
	nos := inPartition(0, 2)
	for i, no := range nos {
		l.product(no, 1)
		l.put("image", num(50+int64(i)), num(no), num(1), txt("old.jpg"))
		l.put("photo", num(70+int64(i)), num(no), num(1), txt("new.jpg"))
	}
	l.checkpoint()
	w := l.running(l.config(labRules))
	w.stop()
	cfg := l.config(labRules)
	cfg.View.Children[1].Topic = "t.erp.photo"
	l.running(cfg)
	got, _ := l.products()
	for _, no := range nos {
		if p := got[fmt.Sprint(no)]; !strings.Contains(p, "images=[{new.jpg}]") {
			t.Errorf("product %d: %s", no, p)
		}
	}
}

// TestOtherOrderEvaluatesAgain: the order of a view's rows is part of what a product is made of.
func TestOtherOrderEvaluatesAgain(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	l.product(1, 1)
	l.put("image", num(50), num(1), num(1), txt("a.jpg"))
	l.put("image", num(51), num(1), num(2), txt("b.jpg"))
	l.checkpoint()
	rules := strings.Replace(labRules, "      order: [pos]\n", "", 1)
	w := l.running(l.config(rules))
	w.stop()
	cfg := l.config(rules)
	cfg.View.Children[1].OrderBy[0].Desc = true
	l.running(cfg)
	if got, _ := l.products(); !strings.Contains(got["1"], "images=[{b.jpg}, {a.jpg}]") {
		t.Errorf("product 1: %s", got["1"])
	}
}

// parkedRecords is the newest state of the parked topic, by the record's key.
func (l *lab) parkedRecords() (newest map[string]ParkedProduct, records int) {
	l.t.Helper()
	newest = map[string]ParkedProduct{}
	for p := range int32(labPartitions) {
		check(l.t, l.client.Scan(l.t.Context(), "t.shop.parked", p, 0, -1, func(r *kafka.Record) error {
			records++
			if r.Value == nil {
				delete(newest, string(r.Key))
				return nil
			}
			var x ParkedProduct
			check(l.t, json.Unmarshal(r.Value, &x))
			newest[string(r.Key)] = x
			return nil
		}))
	}
	return newest, records
}

// TestParkedTopicIsRestored: a state that was lost learns from the parked topic which products are held, since when, and which of them no longer are.
func TestParkedTopicIsRestored(t *testing.T) {
	l := newLab(t)
	for no := range int64(3) {
		l.put("product", num(no), txt("p"), num(5+no), num(1))
		l.put("price", num(no), num(1), dec(1000), num(1))
	}
	l.checkpoint()
	w := l.running(l.config(labRules))
	if _, n := l.parkedRecords(); n != 3 || w.Status().Parked != 3 {
		t.Fatalf("%d records, %d parked, want 3", n, w.Status().Parked)
	}
	began := l.clock.Now()
	w.stop()

	l.put("rate", num(5), dec(2500)) // product 0 is cured,
	l.del("product", num(1))         // and product 1 is gone
	l.checkpoint()
	l.stateDir = t.TempDir()
	l.clock.set(began.Add(time.Hour))
	w = l.running(l.config(labRules))
	newest, n := l.parkedRecords()
	if n != 5 || len(newest) != 1 || w.Status().Parked != 1 {
		t.Fatalf("%d records, newest %v, %d parked; want two tombstones more and one product", n, newest, w.Status().Parked)
	}
	for _, p := range newest {
		if p.Key != "2" || !p.Since.Equal(began) {
			t.Errorf("parked: %+v, want product 2 since %v", p, began)
		}
	}
}

// TestStopBetweenApplyingAndEmitting: rows and marks are in the state, the process ends before the product is acknowledged, and the offsets
// say that the rows were read: only the marks bring the product.
func TestStopBetweenApplyingAndEmitting(t *testing.T) {
	for _, limit := range []int{0, 3} {
		t.Run(fmt.Sprintf("dirtyLimit %d", limit), func(t *testing.T) {
			l := newLab(t)
			nos := l.inOnePartition(10)
			cfg := l.config(labRules)
			cfg.dirtyLimit = limit
			ctx := context.Background()
			task := l.byHand(cfg, 0)
			check(t, task.open(ctx))
			check(t, task.restore(ctx))
			tgt, _, err := task.frontier.next(nil, false)
			check(t, err)
			check(t, task.advance(ctx, tgt))
			task.close()
			check(t, task.store.Close())

			l.running(cfg)
			if got, n := l.products(); len(got) != len(nos) || n != len(nos) {
				t.Errorf("%d products in %d records, want %d", len(got), n, len(nos))
			}
		})
	}
}

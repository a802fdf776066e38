package rest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
)

// answersOf reads what the topic of answers holds, newest of each key: "answer" by no.
func answersOf(t *testing.T, w *sinktest.World) map[int64]string {
	t.Helper()
	const topic = "suite.erp.answers"
	out := map[int64]string{}
	table, err := w.Registry.Table(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := schemas.Compile(table)
	if err != nil {
		t.Fatal(err)
	}
	err = w.Client.Scan(t.Context(), topic, 3, 0, -1, func(r *kafka.Record) error {
		_, key, err := schemas.ParseFrame(r.Key)
		if err != nil {
			return err
		}
		no, err := codec.DecodeKey(nil, key)
		if err != nil {
			return err
		}
		if r.Value == nil {
			delete(out, no[0].Int)
			return nil
		}
		_, body, err := schemas.ParseFrame(r.Value)
		if err != nil {
			return err
		}
		row, err := codec.DecodeValue(nil, body)
		if err == nil {
			out[no[0].Int] = string(row[table.Column("answer")].Bytes)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantAnswers(t *testing.T, w *sinktest.World, exact bool, n int64) {
	t.Helper()
	got := answersOf(t, w)
	for i := range n {
		if want := fmt.Sprintf("SO-%d", i); got[i] != want && (exact || got[i] == "") {
			t.Errorf("the answer of %d is %q, want %q", i, got[i], want)
		}
	}
}

// TestAnswersCanBeReadBeforeThereAre: the topic of the answers is there from the first look at the views on, with the partitions of its view, and only where a call names an answer.
func TestAnswersCanBeReadBeforeThereAre(t *testing.T) {
	const topic = "suite.erp.answers"
	for name, answer := range map[string]string{"named": "number", "not named": ""} {
		t.Run(name, func(t *testing.T) {
			w, e := world(t), newERP(t)
			table := orders()
			table.Answer = answer
			cfg := config(e, table)
			target(t, w, cfg, nil)
			shape, err := w.Registry.Table(t.Context(), topic)
			if answer == "" {
				if !errors.Is(err, registry.ErrNotFound) || len(cfg.Answers()) > 0 {
					t.Errorf("%v, %v", err, cfg.Answers())
				}
				return
			}
			if err != nil || !reflect.DeepEqual(shape.Columns, AnswerTable(topic, w.View.Table).Columns) {
				t.Errorf("the topic has the shape %+v, %v", shape, err)
			}
			if n, err := w.Client.Partitions(t.Context(), topic); err != nil || n != w.Partitions {
				t.Errorf("%d partitions, %v; the view has %d", n, err, w.Partitions)
			}
			if got := cfg.Answers()[w.View.Name]; got != "answers" {
				t.Errorf("its name is %q", got)
			}
		})
	}
}

// TestWhatIsSentWhen follows one record through its life.
func TestWhatIsSentWhen(t *testing.T) {
	w, e := world(t), newERP(t)
	table := orders()
	table.Once = false
	table.Update = &Call{Method: "PUT", Path: "/orders/{{.no}}", Headers: map[string]string{"X-Order": "{{._answer}}"}}
	table.Delete = &Call{Path: "/orders/{{.no}}"}
	tg := target(t, w, config(e, table), nil)
	s := open(t, tg, w)
	next := int64(0)
	gone := sinktest.Record(0, 7, "", 0)
	gone.Row = nil
	for _, step := range []struct {
		name string
		r    sink.Record
		want string // the calls
		row  string
	}{
		{"new", sinktest.Record(0, 7, "a", 1), "POST /orders suite.erp/product/7", "a|1"},
		{"unchanged", sinktest.Record(0, 7, "a", 1), "", "a|1"},
		{"changed", sinktest.Record(0, 7, "b", 1), "PUT /orders/7 suite.erp/product/7/2", "b|1"},
		{"gone", gone, "DELETE /orders/7 suite.erp/product/7/3", ""},
		{"gone again", gone, "", ""},
		{"back", sinktest.Record(0, 7, "a", 1), "POST /orders suite.erp/product/7/4", "a|1"},
	} {
		before := len(e.said())
		step.r.Offset, next = next, next+1
		applied(t, s, &sink.Batch{Records: []sink.Record{step.r}, Next: next})
		if got := strings.Join(e.said()[before:], "; "); got != step.want || e.rows()[7] != step.row {
			t.Errorf("%s: calls %q, want %q; the server has %q", step.name, got, step.want, e.rows()[7])
		}
		if got, has := answersOf(t, w)[7]; has != (step.row != "") || has && got != "SO-7" {
			t.Errorf("%s: the answer is %q", step.name, got)
		}
	}
	// A replay asks the lookup, and sends what has been lost.
	for _, lost := range []bool{false, true} {
		if _, err := tg.Rewind(t.Context(), sink.Partition{View: w.View, ID: 3, Owner: "operator"}, 0, false); err != nil {
			t.Fatal(err)
		}
		if lost {
			e.do(func() { clear(e.orders) })
		}
		s = open(t, tg, w)
		before := len(e.said())
		applied(t, s, &sink.Batch{Records: []sink.Record{sinktest.Record(5, 7, "a", 1)}, Next: 0})
		want := "GET /orders/7"
		if lost {
			want += "; POST /orders suite.erp/product/7/5"
		}
		if got := strings.Join(e.said()[before:], "; "); got != want || e.rows()[7] != "a|1" {
			t.Errorf("replayed, lost %v: calls %q, want %q; the server has %v", lost, got, want, e.rows())
		}
		applied(t, s, &sink.Batch{Next: 6})
	}
}

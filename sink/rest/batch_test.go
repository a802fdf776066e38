package rest

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
)

// woo is a table that speaks as WooCommerce's batch endpoints do.
func woo(size int) TableConfig {
	return TableConfig{From: "product", Call: Call{
		Body: `{"no": {{.no}}, "name": {{.name}}, "counter": {{.counter}}}`, Answer: "id", Error: "error.message",
		Batch: &Batch{Size: size, Path: "/orders/batch", Body: `{"create": {{.items}}}`, Items: "create", Key: "sku", Status: "error.data.status"},
	}}
}

// TestBatchSizes: what is too large is halved until it goes, and grows back.
func TestBatchSizes(t *testing.T) {
	w, e := world(t), newERP(t)
	s := open(t, target(t, w, config(e, woo(16)), nil), w)
	e.most = 4
	applied(t, s, records(0, 16))
	first := len(e.sizes)
	e.do(func() { e.most = 0 })
	applied(t, s, records(16, 90))
	if fmt.Sprint(e.sizes[:first]) != "[16 8 4 4 8 4 4]" || fmt.Sprint(e.sizes[first:]) != "[8 8 8 16 16 16 2]" || len(e.twice()) > 0 || len(e.rows()) != 90 {
		t.Errorf("sizes %v, then %v; twice %v", e.sizes[:first], e.sizes[first:], e.twice())
	}
}

// TestBatchIsolates: a server that refuses, or fails over, a whole batch because of one record: that one is found.
func TestBatchIsolates(t *testing.T) {
	for status, cause := range map[int]fault.Cause{http.StatusBadRequest: fault.RestRefused, http.StatusInternalServerError: fault.RestFails} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			w, e := world(t), newERP(t)
			s := open(t, target(t, w, config(e, woo(16)), nil), w)
			b := records(0, 16)
			b.Records[11] = sinktest.Record(11, 11, "poison", 11)
			e.refuses = func(w http.ResponseWriter, names []string) bool {
				if !strings.Contains(strings.Join(names, ","), "poison") {
					return false
				}
				http.Error(w, "cannot read item", status)
				return true
			}
			parked := applied(t, s, b)
			if len(parked) != 1 || parked[0].Key != "11" || parked[0].Fault.Cause != cause || len(e.rows()) != 15 || len(e.twice()) > 0 {
				t.Errorf("parked %+v; the server has %d; twice %v; sizes %v", parked, len(e.rows()), e.twice(), e.sizes)
			}
		})
	}
}

// TestBatchItems: each item's own answer counts, by its key or its place.
func TestBatchItems(t *testing.T) {
	fixture, err := os.ReadFile("testdata/woo_batch_response.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, said string
		parked     []fault.Cause
		words      string
		err        bool
	}{
		{"WooCommerce's own", string(fixture), []fault.Cause{fault.RestRefused}, "Invalid or duplicated SKU.", false},
		{"by its place", `{"create":[{"id":0,"error":{"message":"Invalid SKU","data":{"status":400}}},{"id":7,"sku":"1"}]}`, []fault.Cause{fault.RestRefused}, "Invalid SKU", false},
		{"in another order", `{"create":[{"id":7,"sku":"1"},{"id":8,"sku":"0"}]}`, nil, "", false},
		{"one is missing", `{"create":[{"id":7,"sku":"1"}]}`, []fault.Cause{fault.RestAnswer}, "says nothing of it", false},
		{"one fails", `{"create":[{"sku":"0","error":{"message":"deadlock","data":{"status":500}}},{"id":7,"sku":"1"}]}`, []fault.Cause{fault.RestFails}, "deadlock", false},
		{"one is a conflict", `{"create":[{"sku":"0","error":{"message":"exists","data":{"status":409}}},{"id":7,"sku":"1"}]}`, []fault.Cause{fault.RestConflict}, "exists", false},
		{"one is to come later", `{"create":[{"sku":"0","error":{"message":"slowly","data":{"status":429}}},{"id":7,"sku":"1"}]}`, nil, "slowly", true},
		{"without the answer", `{"create":[{"sku":"0"},{"id":7,"sku":"1"}]}`, []fault.Cause{fault.RestAnswer}, "nothing where 'answer' says", false},
		{"no JSON", `<html>`, []fault.Cause{fault.RestAnswer, fault.RestAnswer}, "<html>", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, e := world(t), newERP(t)
			s := open(t, target(t, w, config(e, woo(10)), nil), w)
			e.before = func(w http.ResponseWriter, _ *http.Request) bool {
				fmt.Fprint(w, tc.said)
				return true
			}
			n := int64(2)
			if tc.said == string(fixture) {
				n = 1 // its second record is one that was changed
			}
			parked, err := s.Apply(t.Context(), records(0, n))
			if (err != nil) != tc.err || fmt.Sprint(faultsOf(parked)) != fmt.Sprint(tc.parked) && !tc.err {
				t.Fatalf("%v, parked %+v, want %v", err, parked, tc.parked)
			}
			said := []string{fmt.Sprint(err)}
			for _, p := range parked {
				said = append(said, p.Fault.Error())
			}
			if text := strings.Join(said, "; "); !strings.Contains(text, tc.words) {
				t.Errorf("the server's words %q are not in %s", tc.words, text)
			}
			if n == 1 {
				return
			}
			calls := len(e.said())
			if _, err := s.Apply(t.Context(), &sink.Batch{Records: records(1, 2).Records, Next: 2}); err != nil && !tc.err || tc.parked == nil && len(e.said()) != calls {
				t.Errorf("what was taken is sent again: %v, %v", err, e.said())
			}
		})
	}
}

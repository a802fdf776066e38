package sinktest_test

import (
	"strconv"
	"strings"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
)

func TestMemory(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		m := sinktest.NewMemory()
		m.Reject = func(r *sink.Record) *fault.Fault {
			if r.Row != nil && string(r.Row[1].Bytes) == "bad" {
				return &fault.Fault{Where: "memory", What: "is bad", Fix: "mend it"}
			}
			return nil
		}
		return sinktest.Harness{Target: m, BadName: "bad", Rows: func(t *testing.T) map[int64]string {
			out := map[int64]string{}
			for k, v := range m.Rows("product") {
				n, err := strconv.ParseInt(k, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				_, out[n], _ = strings.Cut(v, "|")
			}
			return out
		}}
	})
}

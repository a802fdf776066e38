package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestScanWhileTheStartMoves: compaction takes the first records away between the look at the partition's start and the first fetch. What is left is read.
func TestScanWhileTheStartMoves(t *testing.T) {
	k := cluster(t)
	c := client(t, k.ListenAddrs()...)
	name := topic(t, c, 1)
	put(t, producer(t, c, ProducerConfig{}), name, 0, 0, 100)
	k.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		k.SleepControl(func() {
			if err := k.DeleteRecords(name, 0, 40); err != nil {
				t.Error(err)
			}
		})
		return nil, nil, false
	})
	var offsets []int64
	if err := c.Scan(t.Context(), name, 0, 0, -1, func(r *Record) error { offsets = append(offsets, r.Offset); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(offsets) != 60 || offsets[0] != 40 || offsets[59] != 99 {
		t.Errorf("%d records: %v", len(offsets), offsets)
	}
}

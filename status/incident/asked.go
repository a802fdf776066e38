package incident

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"shelfstream/internal/kafka"
)

// asked applies the requests that have come; true if there were any.
func (t *turn) asked(now time.Time) (any bool, err error) {
	topic := RequestsTopic(t.k.cfg.Pipeline)
	for {
		b := t.requests.TryPollPartition(topic, 0)
		if b == nil {
			return any, nil
		}
		var out *kafka.OffsetOutOfRangeError
		if errors.As(b.Err, &out) { // retention took them away, or the topic was made anew
			t.requests.Release(b)
			t.marks.Requests = out.Start
			t.requests.Add(topic, 0, out.Start)
			continue
		}
		if err := b.Err; err != nil {
			t.requests.Release(b)
			return any, fmt.Errorf("read requests: %w", err)
		}
		for n := range b.Records {
			var r Request
			if err := json.Unmarshal(b.Records[n].Value, &r); err != nil {
				t.k.cfg.Logger.Warn("a request is not understood and passed over", "topic", topic, "offset", b.Records[n].Offset, "error", err)
				continue
			}
			t.apply(&r, now)
			any = true
		}
		t.marks.Requests = b.Next
		t.requests.Release(b)
	}
}

// apply does what was asked for. Done twice, it is done once.
func (t *turn) apply(r *Request, now time.Time) {
	i := t.state.Incidents[r.Incident]
	if i == nil || r.What != Ack || i.Request == r.ID || !i.Open() {
		return
	}
	i.take(r.By, r.Note, now)
	i.Request = r.ID
}

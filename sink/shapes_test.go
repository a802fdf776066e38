package sink_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/sink/sinktest"
	"shelfstream/status"
)

// TestTopicIsGone: a sink whose view has a shape but no topic says so, as a fault after a minute, and goes on by itself when the topic is there.
func TestTopicIsGone(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), partitions)
	codec, err := schemas.Compile(w.View.Table)
	if err != nil {
		t.Fatal(err)
	}
	for suffix, schema := range map[string]string{"-key": codec.KeySchema(), "-value": codec.ValueSchema()} {
		if _, err := w.Registry.Register(t.Context(), "suite.gone"+suffix, schema); err != nil {
			t.Fatal(err)
		}
	}
	cfg := w.Config(sinktest.NewMemory())
	cfg.Views = []string{"gone"}
	var later atomic.Int64
	cfg.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	r := w.Start(cfg)
	sinktest.Wait(t, "the wait to be shown", func() bool {
		s := r.Status()
		return s.State == status.StateStarting && strings.Contains(s.Detail, "suite.gone, which does not exist") && len(s.Faults) == 0
	})
	later.Store(int64(time.Minute))
	sinktest.Wait(t, "the fault", func() bool {
		s := r.Status()
		return s.State == status.StateRetrying && len(s.Faults) == 1 && s.Faults[0].Cause == fault.KafkaTopicMissing && s.Faults[0].Where == "topic suite.gone"
	})
	if err := w.Client.EnsureTopics(t.Context(), kafka.TopicSpec{Name: "suite.gone", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	sinktest.Wait(t, "it to be live", func() bool { s := r.Status(); return s.State == status.StateLive && len(s.Faults) == 0 })
}

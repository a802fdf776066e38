package embedded

import (
	"context"
	"testing"
	"time"

	kgo "github.com/segmentio/kafka-go"

	"shelfstream/internal/kafka"
)

// A version of a row that is younger than the topic's lag may lie below a checkpoint while a newer one lies beyond it: it must stay. And age
// alone takes nothing away from a compacted topic.
func TestKeepsWhatReadersNeed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// The test asks and compacts by itself: at the moment between the two, the cleaner's own ticker could meet records that come in.
	b, err := Start(Config{Dir: t.TempDir(), Compaction: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	client := open(t, b.Addr())
	err = client.EnsureTopics(ctx, kafka.TopicSpec{Name: "t", Partitions: 1, Configs: map[string]string{"cleanup.policy": "compact", "min.compaction.lag.ms": "3600000"}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := client.NewProducer(ctx, kafka.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-60 * 24 * time.Hour).UnixMilli()
	if err := p.Produce(ctx, "t", 0, kafka.Record{Key: []byte("quiet"), Value: []byte("v"), TimestampMS: old}); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		produce(ctx, t, client, "t", 0, 100)
	}
	c := &cleaner{cluster: b.cluster, client: &kgo.Client{Addr: kgo.TCP(b.addr), Transport: &kgo.Transport{}}}
	if c.rested(ctx, time.Now()) {
		t.Error("compacts records that are younger than the topic's lag")
	}
	if !c.rested(ctx, time.Now().Add(2*time.Hour)) {
		t.Error("does not compact once all records are older than the lag")
	}
	b.cluster.ApplyRetention()
	if n := count(ctx, t, client, "t"); n != 501 {
		t.Errorf("%d records, want all 501", n)
	}
	b.cluster.Compact()
	b.cluster.ApplyRetention()
	if n := count(ctx, t, client, "t"); n >= 501 || n < 11 {
		t.Errorf("%d records after compaction, want the newest of each of 11 keys and the last batch", n)
	}
}

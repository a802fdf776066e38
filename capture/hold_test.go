package capture

import (
	"log/slog"
	"strconv"
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/internal/kafka/embedded"
	"shelfstream/schemas"
)

// Two workers die one after the other. The first left T1 to T9 in the topic, the second had come to T4 of them again. A checkpoint at T5 would cover rows of T9
// in every key that T1 to T4 did not touch again.
func TestHoldOutlivesASecondCrash(t *testing.T) {
	ctx := t.Context()
	b, err := embedded.Start(embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	client, err := kafka.Open(kafka.Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.EnsureTopics(ctx, kafka.TopicSpec{Name: "raw", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	p, err := client.NewProducer(ctx, kafka.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.UnixMicro(1_700_000_000_000_000)
	for _, transaction := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4} {
		err := p.Produce(ctx, "raw", 0, kafka.Record{Key: []byte("k"), Value: []byte("v"), TimestampMS: 1, Headers: []kafka.Header{
			{Key: HeaderTransaction, Value: strconv.AppendInt(nil, int64(transaction), 10)}, {Key: HeaderSourceTime, Value: []byte("1700000000000")},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	h := &hold{log: slog.New(slog.DiscardHandler), now: func() time.Time { return now }}
	v := &vector{topics: []*topicState{{topic: "raw", base: []int64{13}}}}
	previous := &schemas.Checkpoint{Topics: []schemas.CheckpointTopic{{Topic: "raw", Next: []int64{0}}}}
	if err := readLeftovers(ctx, client, v, previous, h); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 9; n++ {
		c := &Commit{Meta: Meta{Transaction: strconv.Itoa(n), CommitTimeUS: now.UnixMicro()}}
		if held := h.held(c); held != (n < 9) {
			t.Errorf("a checkpoint at T%d: held is %v", n, held)
		}
	}
}

package kafka

import (
	"errors"
	"fmt"
	"testing"
	"time"

	kgo "github.com/segmentio/kafka-go"
)

// largestRecord proves on any cluster that BatchSize is what max.message.bytes limits, to the byte, and that a record of 15 MB comes through.
func largestRecord(t *testing.T, addrs []string) {
	t.Helper()
	c := client(t, addrs...)
	ctx := within(t, 60*time.Second)
	r := Record{Key: []byte("k"), Value: append(noise(15<<20), make([]byte, 1<<20)...), Headers: []Header{{"h", []byte("v")}}}
	n, err := producer(t, c, ProducerConfig{}).BatchSize(r)
	if err != nil {
		t.Fatal(err)
	}
	if plain := PlainSize(&r); n < 15<<20 || n >= plain || plain < 16<<20 {
		t.Fatalf("%d bytes, %d plain", n, plain)
	}
	for _, limit := range []int{n, n - 1} {
		name := topic(t, c, 1, "max.message.bytes", fmt.Sprint(limit))
		if s, err := c.TopicSettings(ctx, "max.message.bytes", name, "no-such-topic"); err != nil || len(s) != 1 || s[name] != fmt.Sprint(limit) {
			t.Fatalf("settings %v, %v", s, err)
		}
		p := producer(t, c, ProducerConfig{MaxBytes: 1 << 20})
		if err := p.Produce(ctx, name, 0, r); err != nil {
			t.Fatal(err)
		}
		err := p.Flush(ctx)
		if limit < n {
			if !errors.Is(err, kgo.MessageSizeTooLarge) {
				t.Fatalf("one byte over the limit: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if values := all(t, c, name, 0, 0); len(values) != 1 || values[0] != string(r.Value) {
			t.Fatalf("%d records", len(values))
		}
	}
}

func TestLargestRecord(t *testing.T) { largestRecord(t, cluster(t).ListenAddrs()) }

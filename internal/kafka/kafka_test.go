package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
)

// cluster starts a kfake cluster in this process.
func cluster(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100 * time.Millisecond)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// client opens a client that is closed with the test.
func client(t testing.TB, brokers ...string) *Client {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("KAFKA_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	c, err := Open(Config{Brokers: brokers, Logger: log, Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// within is a context that ends the test rather than letting it hang.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func topic(t testing.TB, c *Client, partitions int, configs ...string) string {
	t.Helper()
	spec := TopicSpec{Name: strings.NewReplacer("/", "-", "#", "-").Replace(t.Name()) + fmt.Sprint("-", time.Now().UnixNano()), Partitions: partitions, Configs: map[string]string{}}
	for i := 0; i+1 < len(configs); i += 2 {
		spec.Configs[configs[i]] = configs[i+1]
	}
	if err := c.EnsureTopics(within(t, 30*time.Second), spec); err != nil {
		t.Fatal(err)
	}
	return spec.Name
}

func producer(t testing.TB, c *Client, cfg ProducerConfig) *Producer {
	t.Helper()
	p, err := c.NewProducer(within(t, 30*time.Second), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = p.Close(ctx) // tests that care close it themselves
	})
	return p
}

// put produces values v<from> … v<to-1>, keyed k<n>, and waits for them.
func put(t testing.TB, p *Producer, topic string, partition int32, from, to int) {
	t.Helper()
	ctx := within(t, 60*time.Second)
	for i := from; i < to; i++ {
		if err := p.Produce(ctx, topic, partition, Record{Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Appendf(nil, "v%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// all reads every value of a partition from an offset to its present end.
func all(t testing.TB, c *Client, topic string, partition int32, from int64) (values []string) {
	t.Helper()
	err := c.Scan(within(t, 60*time.Second), topic, partition, from, -1, func(r *Record) error {
		values = append(values, string(r.Value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// wantSequence checks that values are v<from> … v<to-1>, each once, in order.
func wantSequence(t testing.TB, values []string, from, to int) {
	t.Helper()
	if len(values) != to-from {
		t.Errorf("%d values, want %d", len(values), to-from)
	}
	for i, v := range values {
		if v != fmt.Sprint("v", from+i) {
			t.Fatalf("value %d is %q, want v%d", i, v, from+i)
		}
	}
}

func TestProduceAndRead(t *testing.T) {
	for _, comp := range []Compression{None, LZ4, Zstd, Snappy} {
		t.Run(fmt.Sprint(comp), func(t *testing.T) {
			c := client(t, cluster(t).ListenAddrs()...)
			if err := c.Ping(within(t, 10*time.Second)); err != nil {
				t.Fatal(err)
			}
			name := topic(t, c, 3)
			p := producer(t, c, ProducerConfig{Compression: comp, BatchBytes: 4 << 10})
			for part := range int32(3) {
				put(t, p, name, part, 0, 5000)
			}
			for part := range int32(3) {
				wantSequence(t, all(t, c, name, part, 0), 0, 5000)
				wantSequence(t, all(t, c, name, part, 1234), 1234, 5000)
				r, err := c.Last(within(t, 10*time.Second), name, part)
				if err != nil || r == nil || string(r.Value) != "v4999" || r.Offset != 4999 || time.Since(time.UnixMilli(r.TimestampMS)).Abs() > time.Minute {
					t.Errorf("Last = %+v, %v", r, err)
				}
			}
		})
	}
}

func TestMarkGivesOffsets(t *testing.T) {
	c := client(t, cluster(t).ListenAddrs()...)
	name := topic(t, c, 2)
	p := producer(t, c, ProducerConfig{})
	ctx := within(t, 30*time.Second)
	if m := p.Mark(); m.Wait(ctx) != nil {
		t.Fatal("an empty mark must be done at once")
	} else if _, ok := m.Next(name, 0); ok {
		t.Fatal("nothing was produced, yet Next has an answer")
	}
	var marks []*Mark
	for i := range 100 {
		if err := p.Produce(ctx, name, 0, Record{Value: fmt.Append(nil, i)}); err != nil {
			t.Fatal(err)
		}
		if i == 10 {
			if err := p.Produce(ctx, name, 1, Record{Value: []byte("only one")}); err != nil {
				t.Fatal(err)
			}
		}
		marks = append(marks, p.Mark())
	}
	for i, m := range marks {
		if err := m.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		if next, ok := m.Next(name, 0); !ok || next != int64(i+1) {
			t.Fatalf("mark %d: next offset %d, %v", i, next, ok)
		}
		if next, ok := m.Next(name, 1); ok != (i >= 10) || (ok && next != 1) {
			t.Fatalf("mark %d: next offset of the quiet partition %d, %v", i, next, ok)
		}
	}
}

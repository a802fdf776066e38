package embedded

import (
	"context"
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/internal/testenv"
)

// TestEndsAfterWhatItHasBegun: a broker that ends while it looks at records must not write them once the next one has opened its files, which
// would then take its own records to stand elsewhere than they do.
func TestEndsAfterWhatItHasBegun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg := Config{Dir: t.TempDir()}
	b, c := started(ctx, t, cfg)
	produce(ctx, t, c, "t", 0, 10)
	p, err := c.NewProducer(ctx, kafka.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	b.disk.mu.Lock() // holds up the look
	if err := p.Produce(ctx, "t", 0, kafka.Record{Key: []byte("k"), Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	flushed := make(chan error, 1)
	go func() { flushed <- p.Flush(ctx) }()
	err = testenv.WaitFor(ctx, "the look", func() (bool, error) { return b.cluster.CurrentNode() >= 0, nil }) // the node of the request that is being looked at
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- b.Close() }()
	select {
	case err := <-closed:
		t.Error("it has ended in the middle of a request")
		closed <- err
	case <-time.After(300 * time.Millisecond):
	}
	b.disk.mu.Unlock()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	cfg.Listen = b.Addr()
	if b, err = Start(cfg); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := <-flushed; err != nil {
		t.Fatal(err)
	}
	produce(ctx, t, c, "t", 10, 20)
	if n := count(ctx, t, c, "t"); n != 21 {
		t.Errorf("%d records", n)
	}
}

package kafka

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetricsCount(t *testing.T) {
	addrs := cluster(t).ListenAddrs()
	reg := prometheus.NewRegistry()
	open := func() *Client {
		c, err := Open(Config{Brokers: addrs, Registerer: reg})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	c, other := open(), open() // two clients of one process share them
	name := topic(t, c, 1)
	p := producer(t, c, ProducerConfig{})
	put(t, p, name, 0, 0, 100)
	wantSequence(t, all(t, other, name, 0, 0), 0, 100)
	m := c.metrics
	for what, got := range map[string]float64{
		"produced": testutil.ToFloat64(m.producedRecords), "fetched": testutil.ToFloat64(m.fetchedRecords),
	} {
		if got != 100 {
			t.Errorf("%s records: %v", what, got)
		}
	}
	for what, got := range map[string]float64{
		"producer": testutil.ToFloat64(m.producerBuffered), "fetcher": testutil.ToFloat64(m.fetcherBuffered),
	} {
		if got != 0 {
			t.Errorf("%s: %v bytes are buffered though nothing is under way", what, got)
		}
	}
	for what, got := range map[string]float64{
		"produce requests": testutil.ToFloat64(m.produceRequests), "fetch requests": testutil.ToFloat64(m.fetchRequests),
		"produced bytes": testutil.ToFloat64(m.producedBytes), "fetched bytes": testutil.ToFloat64(m.fetchedBytes),
	} {
		if got < 1 {
			t.Errorf("%s: %v", what, got)
		}
	}
	if n, err := testutil.GatherAndCount(reg); err != nil || n != 10 {
		t.Errorf("%d metrics registered, %v", n, err)
	}
}

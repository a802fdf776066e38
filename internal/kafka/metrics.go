package kafka

import "github.com/prometheus/client_golang/prometheus"

// metrics counts what goes over the wire.
type metrics struct {
	producedRecords, producedBytes, produceRequests, produceRetries prometheus.Counter
	fetchedRecords, fetchedBytes, fetchRequests, fetchRetries       prometheus.Counter
	producerBuffered, fetcherBuffered                               prometheus.Gauge
}

// newMetrics makes the metrics and registers them if reg is given. Clients that share a registry share the metrics.
func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return register(reg, prometheus.NewCounter(prometheus.CounterOpts{Namespace: "shelfstream", Subsystem: "kafka", Name: name, Help: help}))
	}
	gauge := func(name, help string) prometheus.Gauge {
		return register(reg, prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "shelfstream", Subsystem: "kafka", Name: name, Help: help}))
	}
	return &metrics{
		producedRecords:  counter("produced_records_total", "Records acknowledged by all in-sync replicas."),
		producedBytes:    counter("produced_bytes_total", "Bytes of acknowledged record batches as sent, after compression."),
		produceRequests:  counter("produce_requests_total", "Produce requests sent."),
		produceRetries:   counter("produce_retries_total", "Record batches sent again."),
		producerBuffered: gauge("producer_buffered_bytes", "Bytes of records that wait for their acknowledgement."),
		fetchedRecords:   counter("fetched_records_total", "Records handed to readers."),
		fetchedBytes:     counter("fetched_bytes_total", "Bytes of record batches fetched, before decompression."),
		fetchRequests:    counter("fetch_requests_total", "Fetch requests sent."),
		fetchRetries:     counter("fetch_retries_total", "Fetch requests that failed and were sent again."),
		fetcherBuffered:  gauge("fetcher_buffered_bytes", "Bytes of fetched record batches not yet released by their readers."),
	}
}

func register[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	if reg == nil {
		return c
	}
	if err := reg.Register(c); err != nil {
		if are, ok := err.(prometheus.AlreadyRegisteredError); ok { //nolint:errorlint // returned unwrapped by Register
			if old, ok := are.ExistingCollector.(C); ok {
				return old
			}
		}
	}
	return c
}

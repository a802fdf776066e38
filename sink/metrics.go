package sink

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are one runner's. All of them carry the labels pipeline and sink.
type metrics struct {
	records      prometheus.Counter
	rows         *prometheus.CounterVec
	transactions prometheus.Counter
	parked       prometheus.Counter
	retries      prometheus.Counter
	contention   prometheus.Counter
	batch        prometheus.Histogram
	apply        prometheus.Histogram
}

// newMetrics registers the metrics; lag gives records and seconds behind and held how many records are parked, at scrape time. A nil Registerer is allowed.
func newMetrics(reg prometheus.Registerer, pipeline, sink string, lag func() (records int64, seconds float64), held func() int64) (*metrics, error) {
	labels := prometheus.Labels{"pipeline": pipeline, "sink": sink}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "shelfstream_sink_" + name, Help: help, ConstLabels: labels})
	}
	m := &metrics{
		records: counter("records_total", "Records taken from the cleaned topics, those superseded within a batch included."),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shelfstream_sink_rows_total", Help: "Products written to the target.", ConstLabels: labels,
		}, []string{"view", "op"}),
		transactions: counter("transactions_total", "Transactions committed in the target."),
		parked:       counter("parked_total", "Records parked, repeated attempts included."),
		retries:      counter("retries_total", "Transactions repeated because the target failed for the moment."),
		contention:   counter("contention_total", "Transactions that the target broke off because of another one's locks (deadlocks, lock waits); they are repeated."),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "shelfstream_sink_batch_records", Help: "Records in a transaction.", ConstLabels: labels, Buckets: prometheus.ExponentialBuckets(1, 4, 8),
		}),
		apply: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "shelfstream_sink_apply_seconds", Help: "Time of one transaction in the target.", ConstLabels: labels, Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}),
	}
	if reg == nil {
		return m, nil
	}
	lagRecords := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "shelfstream_sink_lag_records", Help: "Records of the cleaned topics that are not applied yet, over this process' partitions.", ConstLabels: labels,
	}, func() float64 { n, _ := lag(); return float64(n) })
	lagSeconds := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "shelfstream_sink_lag_seconds", Help: "Age of the newest source transaction applied, in the partition furthest behind; 0 if nothing is waiting.", ConstLabels: labels,
	}, func() float64 { _, s := lag(); return s })
	heldNow := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "shelfstream_sink_held", Help: "Records that are parked now, over this process' partitions.", ConstLabels: labels,
	}, func() float64 { return float64(held()) })
	var errs []error
	for _, c := range []prometheus.Collector{m.records, m.rows, m.transactions, m.parked, m.retries, m.contention, m.batch, m.apply, lagRecords, lagSeconds, heldNow} {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}

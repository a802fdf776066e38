package transform

import "github.com/prometheus/client_golang/prometheus"

// metrics are a view's counters; tasks of all its partitions share them.
type metrics struct {
	applied    prometheus.Counter
	evaluated  prometheus.Counter
	emitted    prometheus.Counter
	tombstones prometheus.Counter
	rejected   prometheus.Counter
	torn       prometheus.Counter
	steps      prometheus.Histogram
}

// newMetrics registers the counters of a view; parked tells how many products are held back now.
func newMetrics(reg prometheus.Registerer, view string, parked func() float64) *metrics {
	label := prometheus.Labels{"view": view}
	m := &metrics{
		applied:    prometheus.NewCounter(prometheus.CounterOpts{Name: "shelfstream_transform_rows_applied_total", Help: "Raw records applied to the state.", ConstLabels: label}),
		evaluated:  prometheus.NewCounter(prometheus.CounterOpts{Name: "shelfstream_transform_products_evaluated_total", Help: "Products run through the rules.", ConstLabels: label}),
		emitted:    prometheus.NewCounter(prometheus.CounterOpts{Name: "shelfstream_transform_products_emitted_total", Help: "Products whose bytes differed and were sent.", ConstLabels: label}),
		tombstones: prometheus.NewCounter(prometheus.CounterOpts{Name: "shelfstream_transform_tombstones_total", Help: "Products that left the view.", ConstLabels: label}),
		rejected:   prometheus.NewCounter(prometheus.CounterOpts{Name: "shelfstream_transform_records_rejected_total", Help: "Records of raw topics that are no rows.", ConstLabels: label}),
		torn:       prometheus.NewCounter(prometheus.CounterOpts{Name: "shelfstream_transform_torn_total", Help: "Times that a view of several sources went on without a checkpoint that all tasks below it share.", ConstLabels: label}),
		steps: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "shelfstream_transform_step_seconds", Help: "Time from a checkpoint to its products' acknowledgement.",
			ConstLabels: label, Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}),
	}
	if reg != nil {
		reg.MustRegister(m.applied, m.evaluated, m.emitted, m.tombstones, m.rejected, m.torn, m.steps,
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "shelfstream_transform_parked", Help: "Products held back with a reason.", ConstLabels: label}, parked))
	}
	return m
}

package capture

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of one source. The counters are resolved once, as rows pass by millions.
type metrics struct {
	created, updated, deleted, read prometheus.Counter
	transactions                    prometheus.Counter
	checkpoints                     prometheus.Counter
	checkpointSeconds               prometheus.Histogram
	snapshotRows                    prometheus.Counter
	snapshotSame                    prometheus.Counter
	retries                         prometheus.Counter
}

// newMetrics registers them with the labels pipeline and source; reg may be nil.
func newMetrics(reg prometheus.Registerer, pipeline, source string, st *state) (*metrics, error) {
	rows := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "shelfstream_capture_rows_total", Help: "Row changes written to raw topics, by operation.",
	}, []string{"op"})
	m := &metrics{
		created: rows.WithLabelValues("create"),
		updated: rows.WithLabelValues("update"),
		deleted: rows.WithLabelValues("delete"),
		read:    rows.WithLabelValues("read"),
		transactions: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "shelfstream_capture_transactions_total", Help: "Source transactions read.",
		}),
		checkpoints: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "shelfstream_capture_checkpoints_total", Help: "Checkpoints acknowledged, heartbeats included.",
		}),
		checkpointSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "shelfstream_capture_checkpoint_seconds", Help: "From a checkpoint's mark to its acknowledgement.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}),
		snapshotRows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "shelfstream_capture_snapshot_rows_total", Help: "Rows that snapshots read from the source.",
		}),
		snapshotSame: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "shelfstream_capture_snapshot_unchanged_rows_total", Help: "Rows that snapshots read and the topic held already.",
		}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "shelfstream_capture_retries_total", Help: "Times that reading the source broke off and was begun again.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	reg = prometheus.WrapRegistererWith(prometheus.Labels{"pipeline": pipeline, "source": source}, reg)
	all := []prometheus.Collector{
		rows, m.transactions, m.checkpoints, m.checkpointSeconds, m.snapshotRows, m.snapshotSame, m.retries,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "shelfstream_capture_heartbeat_age_seconds", Help: "Seconds since the source last ended a transaction or sent a heartbeat; -1 never.",
		}, st.heartbeatAge),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "shelfstream_capture_lag_seconds", Help: "Age of the newest checkpointed commit while there is more to do; 0 = nothing to do, -1 unknown.",
		}, st.lag),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "shelfstream_capture_parked", Help: "Rows that cannot be written to their topic, held back with a reason.",
		}, func() float64 {
			n, _ := st.parked()
			return float64(n)
		}),
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of source %s.%s: %w", pipeline, source, err)
		}
	}
	return m, nil
}

// row counts one record of a change.
func (m *metrics) row(op Op) {
	switch op {
	case OpCreate:
		m.created.Inc()
	case OpUpdate:
		m.updated.Inc()
	case OpDelete:
		m.deleted.Inc()
	case OpRead:
		m.read.Inc()
	}
}

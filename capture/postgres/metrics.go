package postgres

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what can be seen of a source from outside.
type metrics struct {
	bytes        prometheus.Counter
	rows         prometheus.Counter
	transactions prometheus.Counter
	skipped      prometheus.Counter
	heartbeats   prometheus.Counter
	own          prometheus.Counter
	retained     prometheus.Gauge
}

// newMetrics registers them, or takes up those that an earlier source of the same name registered: the runner makes a new source
// after each error.
func newMetrics(reg prometheus.Registerer, pipeline, source string) (*metrics, error) {
	labels := prometheus.Labels{"pipeline": pipeline, "source": source}
	var failed error
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "shelfstream", Subsystem: "postgres", Name: name, Help: help, ConstLabels: labels})
		known, err := register(reg, c)
		failed = errors.Join(failed, err)
		return known
	}
	m := &metrics{
		bytes:        counter("received_bytes_total", "Bytes of change messages received from the walsender."),
		rows:         counter("row_changes_total", "Row changes of captured tables read from the stream."),
		transactions: counter("transactions_total", "Transactions read from the stream."),
		skipped:      counter("skipped_transactions_total", "Transactions that came again though a checkpoint covers them."),
		own:          counter("own_row_changes_total", "Row changes of captured tables that the pipeline's own sinks made, and that were dropped."),
		heartbeats:   counter("heartbeats_total", "Times the position moved without a row."),
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "shelfstream", Subsystem: "postgres", Name: "unconfirmed_wal_bytes", ConstLabels: labels,
		Help: "Bytes of WAL between the newest position told by the server and the newest confirmed one.",
	})
	var err error
	m.retained, err = register(reg, g)
	return m, errors.Join(failed, err)
}

func register[T prometheus.Collector](reg prometheus.Registerer, c T) (T, error) {
	if reg == nil {
		return c, nil
	}
	err := reg.Register(c)
	var known prometheus.AlreadyRegisteredError
	if errors.As(err, &known) {
		if old, ok := known.ExistingCollector.(T); ok {
			return old, nil
		}
	}
	return c, err
}

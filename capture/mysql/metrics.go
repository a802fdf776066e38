package mysql

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what can be seen of a source from outside.
type metrics struct {
	bytes        prometheus.Counter
	rows         prometheus.Counter
	transactions prometheus.Counter
	heartbeats   prometheus.Counter
	own          prometheus.Counter
	reread       prometheus.Counter
}

// newMetrics registers them, or takes up those that an earlier source of the same name registered: the runner makes a new source
// after each error.
func newMetrics(reg prometheus.Registerer, pipeline, source string) (*metrics, error) {
	labels := prometheus.Labels{"pipeline": pipeline, "source": source}
	var failed error
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "shelfstream", Subsystem: "mysql_source", Name: name, Help: help, ConstLabels: labels})
		known, err := register(reg, c)
		failed = errors.Join(failed, err)
		return known
	}
	m := &metrics{
		bytes:        counter("received_bytes_total", "Bytes of the binlog received from the server."),
		rows:         counter("row_changes_total", "Row changes of captured tables read from the binlog."),
		transactions: counter("transactions_total", "Transactions read from the binlog that changed captured tables."),
		heartbeats:   counter("heartbeats_total", "Times the position moved, or time passed, without a row."),
		own:          counter("own_events_total", "Binlog events with rows of captured tables that Shelfstream's own sinks wrote, which were dropped."),
		reread:       counter("tables_read_anew_total", "Captured tables that were read anew because the binlog does not tell what happened to their rows."),
	}
	return m, failed
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

package exchange

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	added, dropped, written prometheus.Counter
}

// newMetrics registers them; reg may be nil.
func newMetrics(reg prometheus.Registerer, topic string) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "shelfstream_exchange_" + name, Help: help, ConstLabels: prometheus.Labels{"topic": topic}})
	}
	m := &metrics{
		added:   counter("added_total", "Exchanges with outside systems, before like ones are merged."),
		dropped: counter("dropped_total", "Exchanges that were not recorded because too many came at once."),
		written: counter("written_total", "Records written to the topic of exchanges, tombstones included."),
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.added), reg.Register(m.dropped), reg.Register(m.written))
}

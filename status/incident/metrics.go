package incident

import (
	"github.com/prometheus/client_golang/prometheus"

	"shelfstream/status/escalate"
)

type metrics struct {
	keeping  prometheus.Gauge
	open     *prometheus.GaugeVec
	opened   prometheus.Counter
	messages *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, pipeline string) (*metrics, error) {
	labels := prometheus.Labels{"pipeline": pipeline}
	m := &metrics{
		keeping: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "shelfstream_incidents_keeper", Help: "1 in the process that keeps the pipeline's incidents and has people told of them.", ConstLabels: labels,
		}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "shelfstream_incidents_open", Help: "Open incidents that nothing else is the cause of, as the keeper has them.", ConstLabels: labels,
		}, []string{"severity"}),
		opened: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "shelfstream_incidents_opened_total", Help: "Incidents opened.", ConstLabels: labels,
		}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shelfstream_incidents_messages_total", Help: "Messages about incidents, by whether any channel took them.", ConstLabels: labels,
		}, []string{"outcome"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.keeping, m.open, m.opened, m.messages} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) count(before, after *State) {
	open := map[escalate.Severity]int{}
	for id, i := range after.Incidents {
		if before.Incidents[id] == nil {
			m.opened.Inc()
		}
		if i.Open() && i.Behind == "" {
			open[i.Severity]++
		}
	}
	for _, s := range severities {
		m.open.WithLabelValues(string(s)).Set(float64(open[s]))
	}
}

func (m *metrics) message(err error) {
	outcome := "delivered"
	if err != nil {
		outcome = "failed"
	}
	m.messages.WithLabelValues(outcome).Inc()
}

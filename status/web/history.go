package web

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"

	"shelfstream/status/chart"
)

// How the stages' numbers are kept, in this process's memory: every second for the pictures on the overview, and every ten seconds for the charts.
const (
	sampleEvery = time.Second
	pulseKept   = 5 * time.Minute
	coarse      = 10 * time.Second
	coarseKept  = 6 * time.Hour
	mostStages  = 200 // of which a history is kept
	mostTimings = 50
)

// history is what charts are drawn of. Its methods may be called by several goroutines.
type history struct {
	mu      sync.Mutex
	stages  map[string]*stageHistory
	timings map[string]*timingHistory
}

type stageHistory struct {
	records int64
	at      time.Time
	rate    float64 // smoothed over some seconds, for the number on the page
	pulse   *chart.Ring
	rates   *chart.Ring
	lag     *chart.Ring
	waiting *chart.Ring // records not done yet
	parked  *chart.Ring
}

// timingHistory is of one histogram.
type timingHistory struct {
	Timing
	name    string
	buckets map[float64]uint64
	p50     *chart.Ring
	p99     *chart.Ring
}

func newHistory() *history {
	return &history{stages: map[string]*stageHistory{}, timings: map[string]*timingHistory{}}
}

// sample takes the stages' numbers as they are at m.At.
func (h *history) sample(m *moment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, st := range m.Stages {
		if len(st.Workers) > 0 {
			h.stage(st, m.At)
		}
	}
}

func (h *history) stage(st *stageSum, at time.Time) {
	k := h.stages[st.id()]
	if k == nil {
		if len(h.stages) >= mostStages {
			return
		}
		n := int(coarseKept / coarse)
		k = &stageHistory{
			pulse: chart.NewRing(sampleEvery, int(pulseKept/sampleEvery)),
			rates: chart.NewRing(coarse, n), lag: chart.NewRing(coarse, n), waiting: chart.NewRing(coarse, n), parked: chart.NewRing(coarse, n),
		}
		h.stages[st.id()] = k
	}
	if d := at.Sub(k.at).Seconds(); !k.at.IsZero() && d > 0 {
		// Where a worker came or went the sum jumps; that is no rate.
		rate := float64(max(0, st.Records-k.records)) / d
		for t := at; t.After(k.at) && at.Sub(t) < 3*sampleEvery; t = t.Add(-sampleEvery) {
			k.pulse.Put(t, rate) // a sample that came late leaves no gap
		}
		k.rates.Put(at, rate)
		weight := 1 - math.Exp(-d/3)
		if k.rate += (rate - k.rate) * weight; k.rate < 0.05 {
			k.rate = 0
		}
	}
	k.at, k.records = at, st.Records
	seconds, waiting := st.Lag()
	if seconds >= 0 {
		k.lag.Put(at, seconds)
	}
	if waiting >= 0 {
		k.waiting.Put(at, float64(waiting))
	}
	k.parked.Put(at, float64(st.Parked))
}

// rate is how many records a second a stage takes in now, and pulse the last minute's picture of it.
func (h *history) rate(id string, now time.Time, points int) (rate float64, pulse []float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.stages[id]
	if k == nil {
		return 0, nil
	}
	return k.rate, k.pulse.Between(now.Add(-time.Duration(points)*sampleEvery), now, points)
}

// series gives a line's points, and the newest value.
func (h *history) series(id string, pick func(*stageHistory) *chart.Ring, from, to time.Time, most int) (points []float64, newest float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.stages[id]
	if k == nil {
		return nil, chart.None
	}
	r := pick(k)
	return r.Between(from, to, most), r.Newest()
}

// time takes the histograms as they are.
func (h *history) time(families []*dto.MetricFamily, wanted []Timing, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range wanted {
		i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == t.Metric })
		if i < 0 {
			continue
		}
		for _, m := range families[i].GetMetric() {
			name := ""
			for _, l := range m.GetLabel() {
				if l.GetName() == t.Label {
					name = l.GetValue()
				}
			}
			h.timing(t, name, m.GetHistogram(), at)
		}
	}
}

func (h *history) timing(t Timing, name string, m *dto.Histogram, at time.Time) {
	id := t.Metric + " " + name
	k := h.timings[id]
	if k == nil {
		if len(h.timings) >= mostTimings {
			return
		}
		n := int(coarseKept / coarse)
		k = &timingHistory{Timing: t, name: name, p50: chart.NewRing(coarse, n), p99: chart.NewRing(coarse, n)}
		h.timings[id] = k
	}
	now := map[float64]uint64{}
	for _, b := range m.GetBucket() {
		now[b.GetUpperBound()] = b.GetCumulativeCount()
	}
	now[math.Inf(1)] = m.GetSampleCount()
	if k.buckets != nil {
		if p50, ok := quantile(k.buckets, now, 0.5); ok {
			p99, _ := quantile(k.buckets, now, 0.99)
			k.p50.Put(at, p50)
			k.p99.Put(at, p99)
		}
	}
	k.buckets = now
}

// quantile estimates the q-quantile of what came to a histogram between two readings, evenly spread within a bucket; false if nothing came.
func quantile(before, now map[float64]uint64, q float64) (float64, bool) {
	bounds := slices.Sorted(maps.Keys(now))
	total := now[math.Inf(1)] - before[math.Inf(1)]
	if now[math.Inf(1)] <= before[math.Inf(1)] {
		return 0, false
	}
	want := q * float64(total)
	lower, below := 0.0, uint64(0)
	for _, b := range bounds {
		upTo := now[b] - before[b]
		if float64(upTo) >= want {
			if math.IsInf(b, 1) || upTo == below {
				return lower, true
			}
			return lower + (b-lower)*(want-float64(below))/float64(upTo-below), true
		}
		lower, below = b, upTo
	}
	return lower, true
}

// times gives the timings' lines.
func (h *history) times(from, to time.Time, most int, words func(float64) string) []chart.Line {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []chart.Line
	for _, id := range slices.Sorted(maps.Keys(h.timings)) {
		k := h.timings[id]
		out = append(out,
			chart.Line{Name: k.Title + " " + k.name + ", half of them within", Points: k.p50.Between(from, to, most), Now: words(k.p50.Newest())},
			chart.Line{Name: "99 of 100 within", Points: k.p99.Between(from, to, most), Now: words(k.p99.Newest())})
	}
	return out
}

// keepHistory samples until ctx ends.
func (s *Server) keepHistory(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	var timed time.Time
	for {
		s.history.sample(s.now())
		if now := s.cfg.Now(); s.cfg.Gatherer != nil && len(s.cfg.Timings) > 0 && now.Sub(timed) >= coarse {
			timed = now
			if families, err := s.cfg.Gatherer.Gather(); err == nil || len(families) > 0 {
				s.history.time(families, s.cfg.Timings, now)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

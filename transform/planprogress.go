package transform

import (
	"sync"
	"time"
)

// progressEvery is how often progress is told at most.
const progressEvery = 200 * time.Millisecond

// planProgress gathers how far the walks are, and tells it now and then.
type planProgress struct {
	tell func(PlanProgress)

	mu       sync.Mutex
	products int64
	parts    []float64
	told     time.Time
}

func newPlanProgress(tell func(PlanProgress), partitions int) *planProgress {
	return &planProgress{tell: tell, parts: make([]float64, partitions), told: time.Now()}
}

// at notes that a walk has done so many products more and stands at a key.
func (p *planProgress) at(w *planWalk, products int64, key []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.products += products
	if p.tell == nil || time.Since(p.told) < progressEvery {
		return
	}
	p.told = time.Now()
	// The part of the files' bytes before the key; what is still in memory only is left out.
	lower, upper := w.e.t.prefix.key(nil, kindProduct), w.e.t.prefix.key(nil, kindProduct+1)
	db := w.runner.cfg.Store.db
	if all, err := db.EstimateDiskUsage(lower, upper); err == nil && all > 0 {
		if done, err := db.EstimateDiskUsage(lower, key); err == nil {
			p.parts[w.index] = min(float64(done)/float64(all), 1)
		}
	}
	p.report()
}

// done notes that a walk has ended.
func (p *planProgress) done(index int, products int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.products += products
	p.parts[index] = 1
	if p.tell != nil {
		p.report()
	}
}

func (p *planProgress) report() {
	sum := 0.0
	for _, f := range p.parts {
		sum += f
	}
	p.tell(PlanProgress{Products: p.products, Fraction: sum / float64(len(p.parts))})
}

package chart

import (
	"math"
	"time"
)

// None is where there is no value: the line has a gap there.
var None = math.NaN()

// Ring is a series of values, one each Step, of which the last Len are kept. It is not safe for concurrent use.
type Ring struct {
	step   time.Duration
	values []float64
	last   int64 // the newest slot's number since the epoch
	begun  bool
}

// NewRing makes a ring of n values, one each step.
func NewRing(step time.Duration, n int) *Ring {
	r := &Ring{step: step, values: make([]float64, n)}
	for i := range r.values {
		r.values[i] = None
	}
	return r
}

// Put sets the value of the slot of at; of several in one slot the largest stays, so that a peak is not lost. Slots in between that nobody filled are None.
func (r *Ring) Put(at time.Time, v float64) {
	slot := at.UnixNano() / int64(r.step)
	n := int64(len(r.values))
	switch {
	case !r.begun:
		r.begun = true
	case slot <= r.last-n:
		return // the clock was set back by more than all of it
	case slot <= r.last:
		if old := r.values[slot%n]; math.IsNaN(old) || v > old {
			r.values[slot%n] = v
		}
		return
	default:
		for s := max(r.last+1, slot-n+1); s < slot; s++ {
			r.values[s%n] = None
		}
	}
	r.last = slot
	r.values[slot%n] = v
}

// Between gives at most most points of [from, to), each the largest value of its stretch, None where there is none.
func (r *Ring) Between(from, to time.Time, most int) []float64 {
	first, end := from.UnixNano()/int64(r.step), to.UnixNano()/int64(r.step)
	n := int64(len(r.values))
	count := end - first
	if count <= 0 || most <= 0 {
		return nil
	}
	points := int(min(int64(most), count))
	out := make([]float64, points)
	for i := range out {
		out[i] = None
		for s := first + count*int64(i)/int64(points); s < first+count*int64(i+1)/int64(points); s++ {
			if !r.begun || s > r.last || s <= r.last-n || s < 0 {
				continue
			}
			if v := r.values[s%n]; !math.IsNaN(v) && (math.IsNaN(out[i]) || v > out[i]) {
				out[i] = v
			}
		}
	}
	return out
}

// Newest is the newest value; None if there is none.
func (r *Ring) Newest() float64 {
	if !r.begun {
		return None
	}
	return r.values[r.last%int64(len(r.values))]
}

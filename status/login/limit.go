package login

import (
	"sync"
	"time"
)

// limit lets each key try some times at once, and then once in a while: a bucket of burst tries, refilled by one each every.
type limit struct {
	burst int
	every time.Duration
	now   func() time.Time

	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

// mostBuckets bounds the memory of callers that come from everywhere.
const mostBuckets = 10_000

func newLimit(burst int, every time.Duration, now func() time.Time) *limit {
	return &limit{burst: burst, every: every, now: now, buckets: map[string]bucket{}}
}

// take counts a try of key. wait is how long to rest before the next where none is left; 0 = go on.
func (l *limit) take(key string) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.refilled(key)
	if b.left < 1 {
		return time.Duration((1 - b.left) * float64(l.every))
	}
	b.left--
	l.room()
	l.buckets[key] = b
	return 0
}

// forgive gives a try back: it was right.
func (l *limit) forgive(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.refilled(key)
	if b.left++; b.left >= float64(l.burst) {
		delete(l.buckets, key)
		return
	}
	l.buckets[key] = b
}

func (l *limit) refilled(key string) bucket {
	now := l.now()
	b, ok := l.buckets[key]
	if !ok {
		return bucket{float64(l.burst), now}
	}
	b.left = min(float64(l.burst), b.left+float64(now.Sub(b.at))/float64(l.every))
	b.at = now
	return b
}

// room drops the buckets that are full again. Where every one of so many is in use, all are: guessing from ten thousand addresses at once is slowed by the
// user's own bucket, of which there are only as many as users.
func (l *limit) room() {
	if len(l.buckets) < mostBuckets {
		return
	}
	for key := range l.buckets {
		if l.refilled(key).left >= float64(l.burst) {
			delete(l.buckets, key)
		}
	}
	if len(l.buckets) >= mostBuckets {
		clear(l.buckets)
	}
}

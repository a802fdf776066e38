package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"shelfstream/internal/fault"
)

// Policy says how often and how long after one another a thing that failed is tried again. Trouble that passes by itself gets Tries tries soon after one another;
// by then a person should hear of it, and slower tries go on for ever, each wait twice the one before. So what comes back is found after about as
// long as it was away, and after Slow at the latest. What does not pass by itself is tried slowly from the first on: quick tries would
// only lock an account, or fill a log. The zero value has the defaults.
type Policy struct {
	// Tries is how many there are before the slow ones; 0 means 5.
	Tries int
	// First is the longest that the first wait can be, each of the following is up to twice as long; 0 means 200 ms.
	First time.Duration
	// Most bounds the waits between those tries; 0 means 2 s.
	Most time.Duration
	// Slow bounds all waits; 0 means 30 s.
	Slow time.Duration
	// Rand gives numbers in [0,1); nil means math/rand. Tests set it.
	Rand func() float64
}

// WithDefaults fills in what is zero.
func (p Policy) WithDefaults() Policy {
	if p.Tries <= 0 {
		p.Tries = 5
	}
	if p.First <= 0 {
		p.First = 200 * time.Millisecond
	}
	if p.Most <= 0 {
		p.Most = 2 * time.Second
	}
	if p.Slow <= 0 {
		p.Slow = 30 * time.Second
	}
	p.Most = max(p.Most, p.First)
	p.Slow = max(p.Slow, p.Most)
	return p
}

// mostAsked bounds what a RetryAfter is believed.
const mostAsked = time.Hour

// Delay is the wait after the failed-th try in a row (1, 2, …) ended with err: a random time between half and the whole of what the policy says for it. An error with
// a method RetryAfter() time.Duration is taken at its word, up to an hour: the wait is that, and up to a tenth more.
func (p Policy) Delay(failed int, err error) time.Duration {
	p = p.WithDefaults()
	r := rand.Float64
	if p.Rand != nil {
		r = p.Rand
	}
	if asked := askedFor(err); asked > 0 {
		asked = min(asked, mostAsked)
		return asked + time.Duration(r()*float64(asked)/10)
	}
	var ceil time.Duration
	switch slow := failed - p.Tries; {
	case !KindOf(err).Passes():
		ceil = doubled(p.Most, failed, p.Slow)
	case slow >= 0:
		ceil = doubled(p.Most, slow+1, p.Slow)
	default:
		ceil = doubled(p.First, failed-1, p.Most)
	}
	// Half of it is sure, so that the tries before an incident take their time; the random half keeps workers that failed together from coming back together.
	return ceil/2 + time.Duration(r()*float64(ceil-ceil/2))
}

// Wait waits Delay(failed, err), or until ctx ends, whose error it then returns.
func (p Policy) Wait(ctx context.Context, failed int, err error) error {
	return Sleep(ctx, p.Delay(failed, err))
}

// doubled is d·2^times, at most limit.
func doubled(d time.Duration, times int, limit time.Duration) time.Duration {
	times = max(times, 0)
	// Compared before shifting, so that a large number cannot overflow.
	if times < 62 && d <= limit>>times {
		return d << times
	}
	return limit
}

// askedFor is how long the other side asked to be left alone; 0 if it did not.
func askedFor(err error) time.Duration {
	var after interface{ RetryAfter() time.Duration }
	if errors.As(err, &after) {
		return after.RetryAfter()
	}
	return 0
}

// KindOf says what sort of trouble an error is: what the catalogue says of its fault's cause, else what the error itself tells. What says nothing counts as a
// lost connection, which is tried again. Of several faults one that waits for a person decides: no try can succeed before it is cured.
func KindOf(err error) fault.Kind {
	kind := fault.Kind("")
	for _, f := range fault.All(err) {
		k := kindOfFault(f)
		if kind == "" || kind.Passes() && !k.Passes() {
			kind = k
		}
	}
	if kind == "" {
		kind = kindOfError(err)
	}
	return kind
}

func kindOfFault(f *fault.Fault) fault.Kind {
	if e, known := fault.Lookup(f.Cause); known {
		return e.Kind
	}
	if f.Class == fault.Config {
		return fault.Invalid
	}
	return kindOfError(f.Err)
}

func kindOfError(err error) fault.Kind {
	if askedFor(err) > 0 {
		return fault.Throttled
	}
	var t interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout() {
		return fault.Timeout
	}
	return fault.Connection
}

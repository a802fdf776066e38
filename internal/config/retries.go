package config

import (
	"fmt"
	"time"
)

// Retries says how what failed is tried again; retry.Policy has the details.
type Retries struct {
	Tries int           `yaml:"tries" doc:"So many tries soon after one another get what passes by itself (a server that does not answer); then an incident opens, and slower tries go on."`
	First time.Duration `yaml:"first" doc:"The longest wait after the first try; each of the following is up to twice as long."`
	Most  time.Duration `yaml:"most" doc:"The longest wait between those tries."`
	Slow  time.Duration `yaml:"slow" doc:"The longest wait between the slower tries."`
}

// SetDefaults gives a person the time that a server needs to start, before an incident opens.
func (r *Retries) SetDefaults() {
	*r = Retries{Tries: 5, First: 200 * time.Millisecond, Most: 2 * time.Second, Slow: 30 * time.Second}
}

// longestWait bounds retries.slow: who waits longer is taken for dead.
const longestWait = time.Hour

func (v *validator) retries() {
	r := &v.p.Retries
	if r.Tries < 1 || r.Tries > 1000 {
		v.fail([]string{"retries", "tries"}, fmt.Sprintf("%d tries are not possible", r.Tries), "write a number from 1 to 1000; 5 is the default")
	}
	if r.First < time.Millisecond || r.First > longestWait {
		v.fail([]string{"retries", "first"}, fmt.Sprintf("%v is not possible", r.First), "write a time from 1ms to 1h; 200ms is the default")
	}
	if r.Most < r.First {
		v.fail([]string{"retries", "most"}, fmt.Sprintf("the longest wait, %v, is shorter than the first, %v", r.Most, r.First), "write most so that it is not below first; 2s is the default")
	}
	if r.Slow < r.Most || r.Slow > longestWait {
		v.fail([]string{"retries", "slow"}, fmt.Sprintf("%v is not possible", r.Slow), fmt.Sprintf("write a time from most, which is %v, to 1h; 30s is the default", r.Most))
	}
}

package escalate

import (
	"slices"
	"time"
)

// Ahead says whom the policies tell next if an incident stays as it is, and when; nobody at the zero time if they tell nobody any more. What is being sent now is not told of.
func (p *Policies) Ahead(s Subject, st State, now time.Time) (at time.Time, people []string) {
	st = st.clone()
	at = p.advance(s, &st, now)
	for range aheadSteps {
		if at.IsZero() {
			break
		}
		st.Waiting = nil
		then := p.advance(s, &st, at)
		for i := range st.Waiting {
			if name := st.Waiting[i].Person; !slices.Contains(people, name) {
				people = append(people, name)
			}
		}
		if len(people) > 0 {
			return at, people
		}
		at = then
	}
	return time.Time{}, nil
}

// aheadSteps bounds how far Ahead looks: the end of an acknowledgement, hours that begin, the step itself.
const aheadSteps = 4

package status

import (
	"strings"
	"time"
)

// Words says how many a trouble holds back, and which: "5,000 held back: 17, 42, …".
func (t *Trouble) Words() string {
	s := Count(t.Count) + " held back"
	if len(t.Samples) > 0 {
		s += ": " + strings.Join(t.Samples, ", ")
		if int64(len(t.Samples)) < t.Count {
			s += ", " + elided
		}
	}
	return s
}

// TriesWords says how a stage's tries go: "3 tries failed, the next comes in 4 s"; "" if none has failed.
func (s *Stage) TriesWords(now time.Time) string { return Tries(s.Attempt, s.NextTry, now) }

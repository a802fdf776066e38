package casefile

import (
	"fmt"
	"io"
	"strings"

	"shelfstream/transform/rules"
)

// Score is what the cases made of the mutants of the rules.
type Score struct {
	// Killed mutants made a case fail.
	Killed int
	// Refused mutants do not compile: no rule file like that could be started.
	Refused int
	// Survived mutants passed every case: nothing says that the rule must be as it is.
	Survived []Mutant
}

// Mutate turns the rules of every source that wanted accepts, one thing at a time, and runs the cases that use it.
func (s *Suite) Mutate(wanted func(rules.Source) bool) (*Score, error) {
	score := &Score{}
	done := map[string]bool{}
	for _, p := range s.programs {
		for _, src := range p.sources {
			if done[src.Name] || !wanted(src) {
				continue
			}
			done[src.Name] = true
			mutants, err := Mutants(src)
			if err != nil {
				return nil, err
			}
			for _, m := range mutants {
				switch killed, compiled := s.kills(m); {
				case killed:
					score.Killed++
				case compiled:
					score.Survived = append(score.Survived, m)
				default:
					score.Refused++
				}
			}
		}
	}
	return score, nil
}

// kills runs the cases with a mutant in place of its file until one fails.
func (s *Suite) kills(m Mutant) (killed, compiled bool) {
	for _, p := range s.programs {
		sources := make([]rules.Source, len(p.sources))
		uses := false
		for i, src := range p.sources {
			sources[i] = src
			if src.Name == m.Source.Name {
				sources[i], uses = m.Source, true
			}
		}
		if !uses {
			continue
		}
		prog, err := rules.Compile(sources, p.env)
		if err != nil {
			continue
		}
		compiled = true
		eval := prog.NewEvaluator()
		for _, f := range s.files {
			for _, c := range f.cases {
				if c.prog == p && c.fails(prog, eval) {
					return true, true
				}
			}
		}
	}
	return false, compiled
}

// fails says whether a case fails with other rules.
func (c *testCase) fails(prog *rules.Program, eval *rules.Evaluator) bool {
	var last outcome
	for _, st := range c.steps {
		o := st.run(prog, eval, nil, &last)
		if len(st.compare(&o, prog.Output())) > 0 || st.moved && len(st.slept(&last, &o)) > 0 {
			return true
		}
		last = o
	}
	return false
}

// Percent is how many of a hundred mutants that compile were killed, rounded down.
func (s *Score) Percent() int {
	if s.Killed+len(s.Survived) == 0 {
		return 100
	}
	return s.Killed * 100 / (s.Killed + len(s.Survived))
}

// Write prints the mutants that survived, and the score.
func (s *Score) Write(w io.Writer) error {
	var b strings.Builder
	for _, m := range s.Survived {
		fmt.Fprintf(&b, "%s:%d: no case notices: %s\n", m.Source.Name, m.Line, m.Name())
	}
	fmt.Fprintf(&b, "%d of %d mutants killed (%d %%), %d more do not compile\n", s.Killed, s.Killed+len(s.Survived), s.Percent(), s.Refused)
	_, err := io.WriteString(w, b.String())
	return err
}

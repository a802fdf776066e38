package casefile

import "shelfstream/transform/rules"

// Evaluation is what the rules are given in one step of a case.
type Evaluation struct {
	// Name is the case's.
	Name    string
	Program *rules.Program
	Input   *rules.Input
}

// Evaluations are the steps that end in a product, in the order of the files: the benchmark of rules runs them again and again.
func (s *Suite) Evaluations() []Evaluation {
	var out []Evaluation
	for _, f := range s.files {
		for _, c := range f.cases {
			for _, st := range c.steps {
				if st.kind == isProduct && st.input != nil {
					out = append(out, Evaluation{Name: c.name, Program: c.prog.prog, Input: st.input})
				}
			}
		}
	}
	return out
}

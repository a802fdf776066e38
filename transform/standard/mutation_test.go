package standard_test

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"shelfstream/transform/casefile"
	"shelfstream/transform/rules"
)

// TestMutants turns every rule of every standard layer, one small thing at a time. Each mutant must fail a case, or stand in cases/equivalent.txt with
// the reason why it gives the same products.
func TestMutants(t *testing.T) {
	suite, err := casefile.Load(caseFiles(t), casefile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("cases/equivalent.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct{ Layer, Mutant, Because string }
	if err := yaml.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	equivalent := map[string]bool{}
	for _, e := range list {
		if e.Because == "" {
			t.Errorf("%s: %s: no reason", e.Layer, e.Mutant)
		}
		equivalent[e.Layer+": "+e.Mutant] = true
	}
	score, err := suite.Mutate(func(s rules.Source) bool { return s.Layer == "standard" })
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	survived := score.Survived
	score.Survived = nil
	for _, m := range survived {
		id := m.Source.Name + ": " + m.Name()
		if !equivalent[id] {
			score.Survived = append(score.Survived, m)
		}
		delete(equivalent, id)
	}
	if err := score.Write(&b); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%sand %d that give the same products, for the reasons in cases/equivalent.txt", b.String(), len(survived)-len(score.Survived))
	if len(score.Survived) > 0 {
		t.Error("mutants survive: add a case that tells them apart")
	}
	for id := range equivalent {
		t.Errorf("cases/equivalent.txt: %s is no mutant, or a case notices it: remove the line", id)
	}
}

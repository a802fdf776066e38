package fault

import (
	"errors"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestYAMLError(t *testing.T) {
	for _, c := range []struct {
		text string
		into any
		line int
		what string
	}{
		{"a: 1\nb: c: d\n", &yaml.Node{}, 2, "mapping values are not allowed in this context"},
		{"a: {", &yaml.Node{}, 1, "did not find expected node content"},
		{"a: \x01", &yaml.Node{}, 0, "control characters are not allowed"},
		{"x: 1\na: text\nb: text\n", &struct{ A, B int }{}, 2, "cannot unmarshal !!str `text` into int"},
	} {
		err := yaml.Unmarshal([]byte(c.text), c.into)
		if err == nil {
			t.Fatalf("%q is YAML", c.text)
		}
		if line, what := YAMLError(err); line != c.line || what != c.what {
			t.Errorf("%q: %d %q, want %d %q; the parser says %q", c.text, line, what, c.line, c.what, err)
		}
	}
	if line, what := YAMLError(errors.New("read: no such file")); line != 0 || what != "read: no such file" {
		t.Errorf("another error: %d %q", line, what)
	}
}

package rules

import (
	"strings"
	"testing"
	"testing/quick"

	"shelfstream/schemas"
)

func keepProgram(t *testing.T, key schemas.Type, text string) (*Program, error) {
	t.Helper()
	root := &schemas.Table{Name: "p", Key: []int{0}, Columns: []schemas.Column{
		{Name: "no", Type: key}, {Name: "name", Type: textType, Nullable: true}, {Name: "n", Type: intType, Nullable: true},
	}}
	return Compile([]Source{{Name: "r.yaml", Data: []byte(text)}}, Env{View: "shop", Root: root})
}

func TestKeep(t *testing.T) {
	p, err := keepProgram(t, textType, `
rules:
  - { name: a, set: { title: name } }
  - { name: slug, keep: { field: slug, from: slug(name) } }
  - { name: own, keep: { field: own, from: slug(name), unique: true } }
`)
	if err != nil {
		t.Fatal(err)
	}
	if k := p.Kept(); len(k) != 2 || p.Output().Columns[k[0]].Name != "slug" || p.Output().Columns[k[1]].Name != "own" {
		t.Fatalf("kept: %v", p.Kept())
	}
	e := p.NewEvaluator()
	run := func(key, name string, previous ...schemas.Value) string {
		t.Helper()
		in := Input{Root: []schemas.Value{schemas.Text(key), schemas.Text(name), schemas.Null}, Previous: previous}
		if name == "" {
			in.Root[1] = schemas.Null
		}
		var res Result
		if err := e.Eval(&in, &res); err != nil {
			t.Fatal(err)
		}
		return res.Row[2].String() + " " + res.Row[3].String()
	}
	text, null := schemas.Text, schemas.Null
	for _, c := range []struct{ got, want string }{
		{run("47", "Rød vin"), "rod-vin rod-vin-47"},
		{run("47", "Hvit", text("rod-vin"), text("rod-vin-47")), "rod-vin rod-vin-47"},
		{run("47", "Hvit", null, null), "hvit hvit-47"},
		{run("47", "", null, null), "null null"},
		{run("47", "", text("rod"), text("rod-47")), "rod rod-47"},
		{run("47", "Hvit", text("rod"), text("rod")), "rod hvit-47"}, // published before it was unique
		{run("47", "___"), " 47"},
		{run("AB-1", "x"), "x x-abq2d1"},
		{run("ab-1", "x"), "x x-qzabq2d1"},
		{run("Q", "x"), "x x-q51"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestKeepIsChecked(t *testing.T) {
	for text, want := range map[string]string{
		"keep: { field: n2, from: n, unique: true }":                                      "only a text can be unique",
		"keep: { field: slug, from: name, unique: maybe }":                                "unique must be true or false",
		"keep: { from: name }":                                                            "field",
		"keep: { field: no, from: name }":                                                 "the view's key",
		"keep: { field: f, from: n }\n  - { name: b, set: { f: \"n * 1.5\" } }":           "published as decimal",
		"keep: { field: f, from: name, unique: true }\n  - { name: b, set: { f: name } }": "another rule sets it too",
	} {
		_, err := keepProgram(t, intType, "rules:\n  - name: a\n    "+text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestUniqueTextsDiffer: whatever two products are called, the one's text is never the other's, if their keys differ.
func TestUniqueTextsDiffer(t *testing.T) {
	p, err := keepProgram(t, textType, "rules: [{ name: slug, keep: { field: slug, from: name, unique: true } }]")
	if err != nil {
		t.Fatal(err)
	}
	e := p.NewEvaluator()
	const letters = "aAqQzZ01-_ å"
	word := func(seed []byte) string {
		var b strings.Builder
		for _, c := range seed[:min(len(seed), 5)] {
			b.WriteRune([]rune(letters)[int(c)%len([]rune(letters))])
		}
		return b.String()
	}
	slug := func(key, name string) string {
		var res Result
		in := Input{Root: []schemas.Value{schemas.Text(key), schemas.Text(name), schemas.Null}}
		if err := e.Eval(&in, &res); err != nil {
			t.Fatal(err)
		}
		return string(res.Row[1].Bytes)
	}
	err = quick.Check(func(k1, k2, n1, n2 []byte) bool {
		a, b := word(k1), word(k2)
		s1, s2 := slug(a, word(n1)), slug(b, word(n2))
		// The hardest name for a product is what another one's text would need to become its own.
		s3 := slug(b, strings.TrimSuffix(s1, "-"+s1[strings.LastIndexByte(s1, '-')+1:]))
		return a == b || s1 != s2 && s1 != s3
	}, &quick.Config{MaxCount: 20000})
	if err != nil {
		t.Fatal(err)
	}
}

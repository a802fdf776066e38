package rules

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"shelfstream/schemas"
)

// TestLongTextsTakeLinearTime: a megabyte of whatever is worst for a function. What is quadratic would need minutes.
func TestLongTextsTakeLinearTime(t *testing.T) {
	env := Env{View: "v", Root: &schemas.Table{Columns: []schemas.Column{{Name: "no", Type: intType}, {Name: "t", Type: textType}}, Key: []int{0}}}
	e := compileOne(t, `rules:
  - name: all
    set:
      a: strip_html(t)
      b: rtf_text('{\rtf1 ' || t || '}')
      c: clean(t)
      d: fold(t)
      e: truncate(t, 100)
      f: try(gtin(t), null)
      g: count_distinct(parts, value)
      h: slug(t)
      i: regex_replace(t, '-+', '')
      j: escape_html(t)
`, withParts(t, env)).NewEvaluator()
	begin := cpu(t)
	for _, s := range []string{"-", "<a", "<script></", "<!-- ", "&", "{\\par", "\\u", "a\u0301", ";a", "<p =\"", "}"} {
		text := strings.Repeat(s, 1<<20/len(s))
		var res Result
		if err := e.Eval(&Input{Root: []schemas.Value{schemas.Int(1), schemas.Text(text), partsOf(text)}}, &res); err != nil {
			t.Fatal(err)
		}
	}
	if took := cpu(t) - begin; took > time.Minute {
		t.Errorf("11 MB took %s", took)
	}
}

// cpu is the time that this process has computed for: another one beside it, or a machine that stands still, does not make it longer.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// withParts adds a list of texts to the root.
func withParts(t *testing.T, env Env) Env {
	t.Helper()
	env.Root.Columns = append(env.Root.Columns, schemas.Column{Name: "parts", Type: schemas.Type{Kind: schemas.KindArray, Elem: &textType}})
	return env
}

func partsOf(text string) schemas.Value {
	v := schemas.Value{Kind: schemas.KindArray}
	for part := range strings.SplitSeq(text[:min(len(text), 20000)], ";") {
		v.List = append(v.List, schemas.Text(part))
	}
	return v
}

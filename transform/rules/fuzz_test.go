package rules

import (
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// FuzzExpression: no expression makes lexer, parser, checker or evaluation panic, and every problem has a place inside the text.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		"trim(name)", "price * 1.25", "round(price / 3, 2)", "case when no > 1 then 'a' else 'b' end", "no in [1, 2, null]", "name || 'it''s'",
		"`name`", "row.x", "first(rows, line where line > 1 order line desc nulls last)", "map(name, {'a': 'b'}, null)", "-(-1)", "not not true",
		"date '2026-01-01' + 1", "no between 1 and 2 and true", "((((1))))", "1 +", "'", "`", "a.b.c", "x is not null", "concat_ws(',', name, text(no))",
		"slug(name)", "number(name, ',')", "sum(rows, line)", "int(price)", "floor(price / no)", "try(number(name), 1)", "missing(name, price)", "split(name, ',')", "convert(price, name, 'kg', 2)", "price_ending(price, 1, 0.90, 'down', no)",
		"round_currency(price / no, name)", "path(rows, no, line, line, name, '/' where line > 1)", "only(rows, line)", "count_distinct(rows, line)", "gtin(no)", "truncate(name, 3)",
		"regex_replace(name, 'a(b)', '$1')", "count(rows valid [date(line), null])", "rtf_text(name)", "strip_html(name)", "fold(name)", "no % 0", "date(no)", "year(date(no))",
	} {
		f.Add(s, "1 234,5-", int64(20260131))
	}
	env := simpleEnv()
	env.Children = []Child{{Name: "rows", Table: &schemas.Table{Columns: []schemas.Column{{Name: "line", Type: intType}}, Key: []int{0}}}}
	f.Fuzz(func(t *testing.T, src, name string, no int64) {
		n, problem := parseExpr(src)
		if problem != nil {
			if problem.pos < 0 || problem.pos > len(src) || problem.what == "" || problem.fix == "" {
				t.Fatalf("problem %+v of %q", problem, src)
			}
			return
		}
		fl := &file{name: "f.yaml", faults: &fault.List{}}
		e := &expression{src: src, node: n, origin: &origin{file: fl, start: place{1, 1}}}
		p := &Program{env: env, zone: time.UTC, output: &schemas.Table{}}
		p.env.Key = []string{"no"}
		p.keyColumns = []int{0}
		c := &compiler{env: &p.env, faults: fl.faults, functions: map[string]*function{}, rule: &rule{name: "r", file: fl}}
		for _, fn := range functionTable() {
			c.functions[fn.Name] = fn
		}
		k := c.value(e)
		if k.bad != (len(*fl.faults) > 0) {
			t.Fatalf("%q: bad %v with faults %v", src, k.bad, *fl.faults)
		}
		if k.bad {
			return
		}
		m := &machine{prog: p}
		m.reset(&Input{
			Root:     []schemas.Value{schemas.Int(no), schemas.Text(name), schemas.Dec(no, 2)},
			Children: [][][]schemas.Value{{{schemas.Int(no)}, {schemas.Null}, {schemas.Int(2)}}}, Now: time.Unix(0, 0),
		})
		v := k.eval(m)
		if m.fault != nil || v.Kind == schemas.KindNull {
			return
		}
		if k.typ.Kind == schemas.KindInt && v.Kind != schemas.KindInt || k.typ.Kind != schemas.KindDecimal && k.typ.Kind != schemas.KindText && v.Kind != k.typ.Kind {
			t.Fatalf("%q has type %s and gave %v of kind %d", src, typeName(k.typ), v, v.Kind)
		}
		if k.typ.Kind == schemas.KindDecimal && k.typ.Precision > 0 && v.Scale > k.typ.Scale {
			t.Fatalf("%q has type %s and gave scale %d", src, typeName(k.typ), v.Scale)
		}
	})
}

// FuzzFile: no rule file makes the reader or the compiler panic, and every fault has a place and a remedy.
func FuzzFile(f *testing.F) {
	files := goldenFiles(f)
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for s := range strings.SplitSeq(string(b), "\n== ") {
			if header, body, _ := strings.Cut(s, "\n"); strings.HasPrefix(header, "rules ") {
				f.Add(body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		env := simpleEnv()
		env.Children = []Child{{Name: "prices", Table: &schemas.Table{Columns: []schemas.Column{{Name: "line", Type: intType}, {Name: "price", Type: intType}}, Key: []int{0}}}}
		_, err := Compile([]Source{{Name: "f.yaml", Data: []byte(text)}}, env)
		for _, x := range fault.All(err) {
			if !strings.HasPrefix(x.Where, "f.yaml:") || x.What == "" || x.Fix == "" {
				t.Fatalf("fault %+v", x)
			}
		}
	})
}

// FuzzTexts: no text from outside makes a text function panic; what they promise of their results holds.
func FuzzTexts(f *testing.F) {
	for _, s := range []string{"Blåbær", "Bla\u030a", "<b>a</b> &amp; <", "<!--", "<script>", "{\\rtf1 \\'e5\\u8211?x}", "{\\rtf1\\", "7,03801E+12", "4006381333931", "a\xffb", "\u0301x", "<a href='", "&#xd800;"} {
		f.Add(s, s)
	}
	e := func() *Evaluator {
		p, err := Compile([]Source{{Name: "f.yaml", Data: []byte("rules:\n  - name: f\n    set:\n" +
			"      cut: truncate(t, 7)\n      clean: clean(t)\n      again: clean(clean(t))\n      fold: fold(t)\n      fold again: fold(fold(t))\n      plain: strip_html(t)\n      safe: escape_html(t)\n" +
			"      rtf: \"rtf_text('{\\\\rtf1 ' || t || '}')\"\n      ean: try(gtin(t), null)\n      parts: split(t, ';')\n      before: upper(s) || nfc(t)\n      beside: upper(s)\n      composed: nfc(t)\n")}},
			Env{View: "f", Root: &schemas.Table{Columns: []schemas.Column{{Name: "no", Type: intType}, {Name: "s", Type: textType}, {Name: "t", Type: textType}}, Key: []int{0}}})
		if err != nil {
			f.Fatal(err)
		}
		return p.NewEvaluator()
	}()
	f.Fuzz(func(t *testing.T, s, text string) {
		var res Result
		if err := e.Eval(&Input{Root: []schemas.Value{schemas.Int(1), schemas.Text(s), schemas.Text(text)}}, &res); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for i, c := range e.m.prog.Output().Columns {
			got[c.Name] = string(res.Row[i].Bytes)
			if utf8.ValidString(s) && utf8.ValidString(text) && !utf8.ValidString(got[c.Name]) {
				t.Errorf("%s of %q is no UTF-8: %q", c.Name, text, got[c.Name])
			}
		}
		switch {
		case utf8.RuneCountInString(got["cut"]) > 7:
			t.Errorf("%q is cut to %q", text, got["cut"])
		case got["clean"] != got["again"] || got["fold"] != got["fold again"]:
			t.Errorf("%q: clean %q, then %q; fold %q, then %q", text, got["clean"], got["again"], got["fold"], got["fold again"])
		case strings.ContainsAny(got["safe"], `<>"'`):
			t.Errorf("%q is escaped as %q", text, got["safe"])
		case got["before"] != got["beside"]+got["composed"]:
			t.Errorf("%q beside %q changes: %q, not %q and %q", text, s, got["before"], got["beside"], got["composed"])
		case got["ean"] != "" && gtinWrong(got["ean"]):
			t.Errorf("%q is taken for the GTIN %q", text, got["ean"])
		}
	})
}

// gtinWrong counts the check digit in the other direction, with weights 3 and 1 from the right.
func gtinWrong(s string) bool {
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			d *= 3
		}
		sum += d
	}
	return sum%10 != 0
}

package transform

import (
	"testing"

	"shelfstream/schemas"
)

// TestLookupsOfSeveralRows: a lookup has the rows that fit any row of a child, each once and by its key, another goes on from it; folded keys fit whatever their
// case; and rows that come later wake the products that wait for them.
func TestLookupsOfSeveralRows(t *testing.T) {
	l := newLab(t)
	text := schemas.Type{Kind: schemas.KindText}
	l.table("word", true, []string{"word"}, []string{"word"}, "word", text, "next", text)
	cfg := l.config(`
rules:
  - name: words
    set: { of: "join(words, word, ',')", on: "join(further, word, ',')" }
`)
	cfg.View.Children = cfg.View.Children[1:]
	cfg.View.Lookups = []Lookup{
		{Name: "further", Topic: "t.erp.word", On: []LookupOn{{Column: "word", Of: "next", From: "words"}}},
		{Name: "words", Topic: "t.erp.word", On: []LookupOn{{Column: "word", Of: "url", From: "images", Fold: true}}},
	}
	w := l.start(cfg)
	want := func(when, of string) {
		t.Helper()
		l.checkpoint()
		l.eventually(when+": "+of, func() bool { return l.newest("t.shop", "of", "on")["1"] == of })
		l.settled(w)
	}
	l.put("product", num(1), txt("one"), num(1), num(1))
	for id, url := range []string{"b", " A ", "B", "a", "c"} {
		l.put("image", num(int64(id)), num(1), num(int64(id)), txt(url))
	}
	want("nothing yet", "null null")
	l.put("word", txt("b"), txt("z"))
	l.put("word", txt("A"), txt("z"))
	l.put("word", txt("a"), txt("y"))
	want("two keys that fold to one", "A,a,b null")
	l.put("word", txt("z"), txt(""))
	l.put("word", txt("y"), txt(""))
	want("what they point at", "A,a,b y,z")
	l.del("word", txt("A"), txt("z"))
	want("one of two", "a,b y,z")
	l.put("word", txt("b"), txt("y"))
	want("both point at one", "a,b y")
	l.del("image", num(0), num(1), num(0), txt("b"))
	l.del("image", num(2), num(1), num(2), txt("B"))
	want("a child row that is gone", "a y")
	l.put("image", num(3), num(1), num(3), txt("c"))
	l.put("image", num(1), num(1), num(1), txt("c"))
	l.put("word", txt("C "), txt("z"))
	want("other values", "C  z")
}

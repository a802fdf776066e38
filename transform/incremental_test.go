package transform

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"shelfstream/schemas"
)

// The three views of the property test: products with children and lookups of every kind, their groups, and products beside their group.
const (
	wholeShop = `
rules:
  - name: shown
    include: "coalesce(name, '') <> 'hidden'"
  - name: facts
    set: { title: name, rev: rev, pct: tax.pct, land: land.name, open: "land.since <= today()", aliases: count(alias), alias: "first(alias, text order id)" }
  - name: lookups of several rows, and of folded texts
    set:
      by notes: join(of_notes, text(id) || '=' || text, ',')
      by those: join(lands, text(id) || name, ',')
      twins: join(twins, text(id), ',')
  - name: price
    pick:
      from: prices
      valid: [from, null]
      order: [from desc, qty]
      set: { net: price }
  - name: gross
    when: net is not null
    set: { gross: "round(net * (100 + tax.pct) / 100, 2)" }
  - name: known tax
    when: vat is not null and tax.pct is null
    set: { gross: "number('no tax')" }
  - name: images
    list: { from: images, order: [pos], set: { images: { id: id, url: url } } }
  - name: notes
    list: { from: notes, set: { notes: { id: id, text: text } } }
`
	wholeGroups = `
rules:
  - name: group
    set: { members: count(members), total: "sum(members, gross)", newest: "max_of(members, rev)", first: "first(members, no order rev desc, no)" }
  - name: list
    list: { from: members, set: { variants: { no: no, gross: gross, land: land } } }
`
	wholeListed = `
rules:
  - name: all
    set: { rev: rev, gross: gross, siblings: group.members, total: group.total, newest: group.newest }
`
)

// whole is the source of the property test: random transactions over its tables.
type whole struct {
	*lab
	rnd    *rand.Rand
	rev    int64
	images map[int64]schemas.Value // where each image's row is
	taxes  map[int64]bool          // codes that have a row
}

func newWhole(t *testing.T, seed uint64) *whole {
	l := newLab(t)
	text, n := schemas.Type{Kind: schemas.KindText}, schemas.Type{Kind: schemas.KindInt, Bits: 64}
	pct, date := schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}, schemas.Type{Kind: schemas.KindDate}
	l.table("note", false, []string{"id"}, []string{"id"}, "id", n, "no", n, "pos", n, "text", text)
	l.table("tax", true, []string{"code"}, []string{"code"}, "code", n, "pct", pct, "land", n)
	l.table("land", true, []string{"id"}, []string{"id"}, "id", n, "name", text, "since", date)
	l.table("alias", true, []string{"id"}, []string{"id"}, "id", n, "code", n, "text", text)
	return &whole{lab: l, rnd: rand.New(rand.NewPCG(seed, 4)), images: map[int64]schemas.Value{}, taxes: map[int64]bool{}}
}

// views are the three views in a pipeline of their own.
func (l *whole) views(pipeline string) []Config {
	on := [][2]string{{"no", "no"}}
	shop := l.config(wholeShop)
	shop.Announces = true
	shop.View.Children = []Child{
		{Name: "prices", Topic: "t.erp.price", On: on},
		{Name: "images", Topic: "t.erp.image", On: on},
		{Name: "notes", Topic: "t.erp.note", On: on, OrderBy: []Order{{Column: "pos", Desc: true}}, Scattered: true},
	}
	shop.View.Lookups = []Lookup{
		{Name: "land", Topic: "t.erp.land", On: []LookupOn{{Column: "id", Of: "land", From: "tax"}}},
		{Name: "tax", Topic: "t.erp.tax", On: []LookupOn{{Column: "code", Of: "vat"}}},
		{Name: "alias", Topic: "t.erp.alias", On: []LookupOn{{Column: "code", Of: "vat"}}},
		{Name: "lands", Topic: "t.erp.land", On: []LookupOn{{Column: "id", Of: "id", From: "of_notes"}}},
		{Name: "of_notes", Topic: "t.erp.alias", On: []LookupOn{{Column: "code", Of: "pos", From: "notes"}}},
		{Name: "twins", Topic: "t.erp.alias", On: []LookupOn{{Column: "text", Of: "name", Fold: true}}},
	}
	of := func(view string) string { return pipeline + "." + view }
	groups := l.config(wholeGroups)
	groups.Announces = true
	groups.View = View{Name: "group", Root: of("shop"), GroupBy: []string{"title"}, MembersOrder: []Order{{Column: "rev", Desc: true}}, Views: []string{of("shop")}}
	listed := l.config(wholeListed)
	listed.View = View{
		Name: "listed", Root: of("shop"), Views: []string{of("shop"), of("group")},
		Lookups: []Lookup{{Name: "group", Topic: of("group"), On: []LookupOn{{Column: "title", Of: "title"}}}},
	}
	out := []Config{shop, groups, listed}
	for i := range out {
		out[i].Pipeline = pipeline
	}
	return out
}

func (l *whole) n(below int64) schemas.Value { return num(l.rnd.Int64N(below)) }

// maybe is a value, now and then null.
func (l *whole) maybe(v schemas.Value) schemas.Value {
	if l.rnd.IntN(12) == 0 {
		return schemas.Null
	}
	return v
}

// date is a day from four days ago to four days ahead.
func (l *whole) date() schemas.Value {
	return schemas.Value{Kind: schemas.KindDate, Int: l.clock.Now().Unix()/86400 + l.rnd.Int64N(9) - 4}
}

// operation changes one row.
func (l *whole) operation() {
	l.rev++
	gone := l.rnd.IntN(5) == 0
	put := func(table string, row ...schemas.Value) { l.write(table, row, gone) }
	switch l.rnd.IntN(16) {
	case 0, 1, 2, 3:
		name := txt(fmt.Sprintf("title %d", l.rnd.IntN(12)))
		if l.rnd.IntN(12) == 0 {
			name = txt("hidden")
		}
		put("product", l.n(150), l.maybe(name), l.maybe(num(1+l.rnd.Int64N(6))), num(l.rev))
	case 4, 5, 6:
		put("price", l.n(150), l.n(12), dec(l.rnd.Int64N(100_000)), num(l.rev), l.maybe(l.date()))
	case 7, 8, 9:
		l.image(l.rnd.Int64N(80), gone)
	case 10, 11, 12:
		put("note", l.n(80), l.maybe(l.n(150)), l.maybe(l.n(4)), txt(fmt.Sprint("note ", l.rev)))
	case 13:
		code := 1 + l.rnd.Int64N(6)
		l.taxes[code] = !gone
		put("tax", num(code), dec(l.rnd.Int64N(3000)), l.maybe(l.n(4)))
	case 14:
		put("land", l.n(4), txt(fmt.Sprint("land ", l.rev)), l.maybe(l.date()))
	case 15:
		put("alias", l.n(10), l.maybe(num(1+l.rnd.Int64N(6))), txt(fmt.Sprintf(" TITLE  %d", l.rnd.IntN(12))))
	}
}

// image writes an image's row as capture does: where it moves to another partition, a tombstone goes to the one before.
func (l *whole) image(id int64, gone bool) {
	old, there := l.images[id]
	no := l.maybe(l.n(150))
	if there && (gone || !schemas.Equal(old, no)) {
		l.del("image", num(id), old)
		delete(l.images, id)
	}
	if !gone {
		l.put("image", num(id), no, l.maybe(l.n(4)), txt(fmt.Sprint(l.rev, ".jpg")))
		l.images[id] = no
	}
}

// transactions makes n operations, in transactions that now and then share a checkpoint, or have rows of the next one before theirs.
func (l *whole) transactions(n int) {
	var open []schemas.CheckpointTopic
	for n > 0 {
		for range min(n, 1+l.rnd.IntN(24)) {
			l.operation()
			n--
		}
		l.flush()
		if open != nil {
			l.announce(open)
		}
		open = nil
		switch l.rnd.IntN(4) {
		case 0, 1:
			l.announce(l.vector())
		case 2:
			open = l.vector()
		}
	}
}

// heal cures every parked product: what the incremental views hold back has no counterpart in views that begin anew. It touches no others, as
// evaluating everything would hide what was not evaluated before.
func (l *whole) heal() {
	for code := int64(1); code <= 6; code++ {
		if !l.taxes[code] {
			l.put("tax", num(code), dec(100*code), num(code%4))
			l.taxes[code] = true
		}
	}
	l.checkpoint()
}

func (l *lab) allSettled(ws []*worker) {
	l.t.Helper()
	for _, w := range ws {
		l.settled(w)
	}
}

// compare evaluates everything from nothing and sees that each view has the same bytes for the same keys.
func (l *whole) compare(ws []*worker, round int) {
	l.t.Helper()
	l.heal()
	l.allSettled(ws)
	mine := l.stateDir
	l.stateDir = l.t.TempDir()
	pipeline := fmt.Sprintf("anew%d", round)
	anew := l.startAll(l.views(pipeline)...)
	l.allSettled(anew)
	anew[0].stop()
	l.stateDir = mine
	for i, w := range ws {
		view := w.cfg.View.Name
		if n := w.Status().Parked + anew[i].Status().Parked; n != 0 {
			l.t.Errorf("round %d, view %s: %d products are parked", round, view, n)
		}
		have, want := l.newestBytes("t."+view), l.newestBytes(pipeline+"."+view)
		if len(want) < 5 {
			l.t.Errorf("round %d, view %s: only %d products, this shows nothing", round, view, len(want))
		}
		if !maps.Equal(have, want) {
			different := slices.DeleteFunc(slices.Sorted(maps.Keys(want)), func(k string) bool { return have[k] == want[k] })
			l.t.Fatalf("round %d, view %s: %d products, from nothing %d; different or missing: %q", round, view, len(have), len(want), different)
		}
	}
}

// TestIncrementalEqualsWhole: whatever happens to the rows, and however often the process ends, loses its state or lets time pass, the views are
// what an evaluation from nothing gives, byte for byte.
func TestIncrementalEqualsWhole(t *testing.T) {
	operations, rounds, seeds := 10_000, 25, uint64(1)
	if testing.Short() {
		operations, rounds, seeds = 1500, 4, 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { incrementalEqualsWhole(t, seed, operations, rounds) })
	}
}

func incrementalEqualsWhole(t *testing.T, seed uint64, operations, rounds int) {
	l := newWhole(t, seed)
	ws := l.startAll(l.views("t")...)
	const legs = 2 // of a round, each with an end of the process or a jump of the clock
	for round := range rounds {
		for range legs {
			l.transactions(operations / rounds / legs)
			switch l.rnd.IntN(4) {
			case 0: // the process ends; rows come and time passes before it is back
				ws[0].stop()
				l.transactions(40)
				l.clock.set(l.clock.Now().Add(time.Duration(l.rnd.IntN(60)) * time.Hour))
				ws = l.startAll(l.views("t")...)
			case 1: // its state is lost too
				ws[0].stop()
				l.stateDir = t.TempDir()
				l.transactions(40)
				ws = l.startAll(l.views("t")...)
			case 2: // time passes, and nothing else happens
				l.checkpoint()
				l.allSettled(ws)
				l.clock.set(l.clock.Now().Add(time.Duration(l.rnd.IntN(60)) * time.Hour))
				l.checkpoint()
			}
		}
		l.compare(ws, round)
	}
}

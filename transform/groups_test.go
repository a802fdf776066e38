package transform

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
	"shelfstream/transform/rules"
)

// simpleView gives each product its title and revision; other views read it.
func (l *lab) simpleView() Config {
	cfg := l.config("rules: [{ name: facts, set: { title: name, rev: rev, vat: vat } }]")
	cfg.View = View{Name: "shop", Root: "t.erp.product", Checkpoints: []string{"t.erp.checkpoints"}}
	cfg.Announces = true
	return cfg
}

const groupRules = `
rules:
  - name: group
    set: { members: count(members), oldest: "min_of(members, rev)", newest: "max_of(members, rev)", first: "first(members, no order no)" }
  - name: list
    list: { from: members, order: [no], set: { variants: { no: no, rev: rev } } }
`

// groupView groups the products of the simple view by their title.
func (l *lab) groupView() Config {
	cfg := l.config(groupRules)
	cfg.View = View{Name: "variant", Root: "t.shop", GroupBy: []string{"title"}, Views: []string{"t.shop"}}
	cfg.Rules[0].Name = "variant.rules.yaml"
	return cfg
}

// startAll runs several views on one store.
func (l *lab) startAll(cfgs ...Config) []*worker {
	l.t.Helper()
	store, err := OpenStore(l.stateDir, StoreOptions{CacheMB: 8})
	check(l.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, len(cfgs))
	var out []*worker
	stop := sync.OnceFunc(func() {
		cancel()
		for range cfgs {
			if err := <-done; err != nil {
				l.t.Errorf("run: %v", err)
			}
		}
		check(l.t, store.Close())
	})
	for _, cfg := range cfgs {
		cfg.Store = store
		r, err := NewRunner(cfg)
		check(l.t, err)
		go func() { done <- r.Run(ctx) }()
		out = append(out, &worker{Runner: r, store: store, stop: stop})
	}
	l.t.Cleanup(stop)
	return out
}

// records reads a cleaned topic, every record of it in the order of its partition.
func (l *lab) records(topic string, each func(key string, row map[string]string)) {
	l.t.Helper()
	ctx := l.t.Context()
	table, err := l.registry.Table(ctx, topic)
	if errors.Is(err, registry.ErrNotFound) {
		return
	}
	check(l.t, err)
	codec, err := schemas.Compile(table)
	check(l.t, err)
	for p := range int32(labPartitions) {
		check(l.t, l.client.Scan(ctx, topic, p, 0, -1, func(r *kafka.Record) error {
			_, body, err := schemas.ParseFrame(r.Key)
			check(l.t, err)
			key, err := codec.DecodeKey(nil, body)
			check(l.t, err)
			if r.Value == nil {
				each(key[0].String(), nil)
				return nil
			}
			_, body, err = schemas.ParseFrame(r.Value)
			check(l.t, err)
			row, err := codec.DecodeValue(nil, body)
			check(l.t, err)
			fields := map[string]string{}
			for i, v := range row {
				fields[table.Columns[i].Name] = v.String()
			}
			each(key[0].String(), fields)
			return nil
		}))
	}
}

// newest is the newest state of a cleaned topic, as key → "field=value …" of the named fields.
func (l *lab) newest(topic string, fields ...string) map[string]string {
	l.t.Helper()
	out := map[string]string{}
	l.records(topic, func(key string, row map[string]string) {
		if row == nil {
			delete(out, key)
			return
		}
		var parts []string
		for _, f := range fields {
			parts = append(parts, row[f])
		}
		out[key] = strings.Join(parts, " ")
	})
	return out
}

func (l *lab) simple(no int64, title string, rev int64) {
	l.put("product", num(no), txt(title), num(1), num(rev))
}

// TestGroupsFollowTheirMembers: members come, move, leave and come back; the last one that leaves takes its group with it.
func TestGroupsFollowTheirMembers(t *testing.T) {
	l := newLab(t)
	l.simple(1, "shirt", 1)
	l.simple(2, "shirt", 1)
	l.simple(3, "hat", 1)
	l.put("product", num(4), schemas.Null, num(1), num(1))
	l.checkpoint()
	ws := l.startAll(l.simpleView(), l.groupView())
	want := func(when, text string) {
		t.Helper()
		l.eventually(when, func() bool {
			return fmt.Sprint(l.newest("t.variant", "members", "first")) == text
		})
	}
	want("two groups, and none of the product without a title", "map[hat:1 3 shirt:2 1]")

	l.simple(1, "hat", 2)
	l.checkpoint()
	want("a member moved", "map[hat:2 1 shirt:1 2]")

	l.simple(2, "hat", 3)
	l.checkpoint()
	want("the last member left, and its group with it", "map[hat:3 1]")

	l.del("product", num(1))
	l.checkpoint()
	want("the first member is gone", "map[hat:2 2]")

	ws[0].stop()
	l.simple(2, "shirt", 4)
	l.checkpoint()
	l.stateDir = t.TempDir() // the state is lost too
	l.startAll(l.simpleView(), l.groupView())
	want("moved while nothing ran", "map[hat:1 3 shirt:1 2]")
}

// TestGroupsShowWholeTransactions writes the same revision to every member of some groups in each transaction; the members are
// spread over the tasks of the view below, which go at their own pace, and no group may ever show two revisions. It fails when a group goes to the
// newest that each task has announced instead of to a common cut.
func TestGroupsShowWholeTransactions(t *testing.T) {
	l := newLab(t)
	const groups, members, rounds = 3, 6, 300
	write := func(g, rev int64) {
		for m := range int64(members) {
			l.simple(g*members+m, fmt.Sprintf("group %d", g), rev)
		}
	}
	for g := range int64(groups) {
		write(g, 0)
	}
	l.checkpoint()
	l.startAll(l.simpleView(), l.groupView())
	l.eventually("the groups are there", func() bool { return len(l.newest("t.variant", "members")) == groups })

	rnd := rand.New(rand.NewPCG(1, 2))
	for rev := range int64(rounds) {
		for g := range int64(groups) {
			if g == rev%groups || rnd.IntN(3) == 0 {
				write(g, rev+1)
			}
		}
		l.checkpoint()
		if rev%10 == 9 { // a machine that stands still sees few of the states in between
			l.eventually("some states were seen", func() bool { return int64(l.recordsIn("t.variant")) > rev/10+groups })
		}
	}
	write(0, rounds+1)
	write(1, rounds+1)
	write(2, rounds+1)
	l.checkpoint()
	done := fmt.Sprint(rounds + 1)
	l.eventually("the last revision", func() bool {
		n := 0
		for _, v := range l.newest("t.variant", "newest") {
			if v == done {
				n++
			}
		}
		return n == groups
	})
	seen := 0
	l.records("t.variant", func(key string, row map[string]string) {
		seen++
		if row == nil || row["oldest"] != row["newest"] || row["members"] != fmt.Sprint(members) {
			t.Errorf("%s shows part of a transaction: %v", key, row)
		}
	})
	if seen < rounds/10 {
		t.Fatalf("only %d states of the groups were seen in %d transactions", seen, rounds)
	}
}

// TestViewReadsTwoViewsOfOneSource: a third view has the simple products as its root and looks their groups up.
func TestViewReadsTwoViewsOfOneSource(t *testing.T) {
	l := newLab(t)
	for no := range int64(8) {
		l.simple(no, fmt.Sprintf("group %d", no/2), 1)
	}
	l.checkpoint()
	groups, listed := l.groupView(), l.config("rules: [{ name: all, set: { rev: rev, siblings: variant.members, newest: variant.newest } }]")
	groups.Announces = true
	listed.View = View{
		Name: "listed", Root: "t.shop", Views: []string{"t.shop", "t.variant"},
		Lookups: []Lookup{{Name: "variant", Topic: "t.variant", On: []LookupOn{{Column: "title", Of: "title"}}}},
	}
	l.startAll(l.simpleView(), groups, listed)
	for rev := range int64(50) {
		for no := range int64(8) {
			l.simple(no, fmt.Sprintf("group %d", no/2), rev+2)
		}
		l.checkpoint()
	}
	l.eventually("all at the last revision", func() bool {
		got := l.newest("t.listed", "rev", "siblings", "newest")
		return len(got) == 8 && got["0"] == "51 2 51" && got["7"] == "51 2 51"
	})
	l.records("t.listed", func(key string, row map[string]string) {
		if row == nil || row["rev"] != row["newest"] {
			t.Errorf("product %s beside its group of another transaction: %v", key, row)
		}
	})
}

// TestLookupOfALookup: the rate's note is found by a column of the rate, and a settings table by nothing at all.
func TestLookupOfALookup(t *testing.T) {
	l := newLab(t)
	cfg := l.config("rules: [{ name: all, set: { pct: rate.pct, other: twin.name, any: \"count(everything)\" } }]")
	constant := "2"
	cfg.View = View{
		Name: "shop", Root: "t.erp.product", Checkpoints: []string{"t.erp.checkpoints"},
		Lookups: []Lookup{
			{Name: "twin", Topic: "t.erp.product2", On: []LookupOn{{Column: "no", Of: "code", From: "rate"}}},
			{Name: "rate", Topic: "t.erp.rate", On: []LookupOn{{Column: "code", Of: "vat"}}},
			{Name: "everything", Topic: "t.erp.rate"},
			{Name: "fixed", Topic: "t.erp.rate", On: []LookupOn{{Column: "code", Constant: &constant}}},
		},
	}
	text, n := schemas.Type{Kind: schemas.KindText}, schemas.Type{Kind: schemas.KindInt, Bits: 64}
	l.table("product2", true, []string{"no"}, []string{"no"}, "no", n, "name", text)
	cfg.Rules = []rules.Source{{Name: "x", Data: []byte("rules: [{ name: all, set: { pct: rate.pct, twin: twin.name, all: count(everything), fixed: fixed.pct } }]")}}
	l.simple(1, "a", 1)
	l.checkpoint()
	l.start(cfg)
	want := func(when, text string) {
		t.Helper()
		l.eventually(when+": "+text, func() bool { return l.newest("t.shop", "pct", "twin", "all", "fixed")["1"] == text })
	}
	want("nothing to look up", "null null 0 null")
	l.put("product2", num(1), txt("first"))
	l.checkpoint()
	l.put("rate", num(1), dec(2500))
	l.checkpoint()
	want("both arrived, the far one first", "25.00 first 1 null")
	l.put("product2", num(1), txt("second"))
	l.checkpoint()
	want("the far one changed", "25.00 second 1 null")
	l.put("rate", num(2), dec(100))
	l.checkpoint()
	want("the constant one arrived", "25.00 second 2 1.00")
	l.del("rate", num(1))
	l.checkpoint()
	want("the near one is gone", "null null 1 1.00")
}

func TestLookupsInACircleAreRefused(t *testing.T) {
	l := newLab(t)
	cfg := l.config(labRules)
	cfg.View.Children = nil
	cfg.View.Lookups = []Lookup{
		{Name: "a", Topic: "t.erp.rate", On: []LookupOn{{Column: "code", Of: "code", From: "b"}}},
		{Name: "b", Topic: "t.erp.rate", On: []LookupOn{{Column: "code", Of: "code", From: "a"}}},
	}
	_, err := Compile(cfg.View, cfg.Rules, time.UTC, func(topic string) *schemas.Table { return l.tables[strings.TrimPrefix(topic, "t.erp.")].codec.Table() })
	if err == nil || !strings.Contains(err.Error(), "lookups wait for each other: a → b → a") {
		t.Fatalf("err = %v", err)
	}
}

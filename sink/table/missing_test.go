package table

import (
	"strings"
	"testing"

	"shelfstream/schemas"
	"shelfstream/sink"
)

func TestMissingFaults(t *testing.T) {
	col := func(write string) map[string]ColumnConfig {
		return map[string]ColumnConfig{"name": {From: "short", Write: write}}
	}
	for want, c := range map[string]TableConfig{
		`.missing: "wait" is not possible`:                       {From: "wine", Missing: "wait"},
		".missing: rows of a list come and go with it":           {From: "wine.images", Missing: "park"},
		".delete: no row is deleted with missing: skip":          {From: "wine", Missing: "skip", Delete: "delete", Columns: col("")},
		".columns.name.write: no row is made with missing: park": {From: "wine", Missing: "park", Columns: col("create")},
		".keep_others: differs from table a":                     {From: "wine", Columns: col("")},
		".columns: nothing but the key is written, so no row":    {From: "wine", Missing: "park", Columns: map[string]ColumnConfig{"nr": {From: "no"}, "name": {Write: "never"}}},
		".delete: no row is deleted with missing: park, so":      {}, // not said: soft is right
	} {
		cfg := Config{Section: "mysql", Tables: map[string]TableConfig{"t": c}}
		if strings.HasPrefix(want, ".keep_others") {
			cfg.Tables["a"] = TableConfig{From: "wine", Missing: "park", Columns: col("")}
		}
		if c.From == "" {
			cfg.Tables["t"] = TableConfig{From: "wine", Missing: "park", Delete: "soft", Columns: col("empty")}
			want = ""
		}
		faults := cfg.Validate()
		if len(faults) == 0 {
			_, faults = plan(testDialect(), &cfg, []sink.View{wines()})
		}
		if want == "" && len(faults) > 0 || want != "" && (len(faults) != 1 || !strings.Contains(faults.Error(), "mysql.tables.t"+want) || faults[0].Fix == "") {
			t.Errorf("%+v: %v, want %q", c, faults, want)
		}
	}
}

// The user of a sink that only updates need not be allowed to insert or delete, and its table may have columns that only its owner can fill.
func TestUpdatesWantLittle(t *testing.T) {
	p := planOne(t, map[string]TableConfig{"t": {From: "wine", Missing: "park", Create: true, Delete: "soft", Columns: map[string]ColumnConfig{"name": {From: "short"}, "day": {From: "day", Write: "empty"}}}}).roots[0]
	made(p)
	info := &Info{Columns: map[string]ColumnInfo{"theirs": {Name: "theirs"}}, Uniques: []UniqueIndex{{Name: "PRIMARY", Columns: p.names(p.key)}}}
	for i := range p.columns {
		c := &p.columns[i]
		if c.origin == fromLiving {
			c.info = ColumnInfo{Name: c.name, Type: "int", Class: ClassInt}
		}
		info.Columns[c.name] = c.info
	}
	if said := p.check(info).Error(); strings.Contains(said, "theirs") || strings.Contains(said, "null") {
		t.Error(said)
	}
	if p.makes() || strings.Join(p.privileges(), " ") != "SELECT UPDATE" {
		t.Errorf("makes %v, wants %v", p.makes(), p.privileges())
	}
	e := encoder{sink: "shop"}
	vp := &viewPlan{d: p.d, view: p.view, roots: []*tablePlan{p}, tables: []*tablePlan{p}, order: []*tablePlan{p}}
	e.st.reset(vp)
	row := make([]schemas.Value, len(wines().Table.Columns))
	row[0], row[1], row[4] = schemas.Text("it's"), schemas.Int(2020), schemas.Text("Chablis")
	if f := e.add(vp, &sink.Record{KeyValues: row[:2], Row: row}); f != nil {
		t.Fatal(f)
	}
	b := packetBuilder{d: p.d, limit: 1000, rows: 10}
	b.add(&e.st, nil)
	want := "UPDATE `t` SET `day` = CASE WHEN `day` IS NULL THEN NULL ELSE `day` END, `name` = 'Chablis', `deleted` = 0 WHERE `no` = 'it''s' AND `year` = 2020"
	if got := string(b.finish()[0]); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The answers of a sink are a view like another, also where a view has a list of that name; only a list is no row of its own.
func TestAnswersOfASink(t *testing.T) {
	answers := wines()
	answers.Name, answers.Topic = "api.answers.wine", "p.api.answers.wine"
	survey := wines()
	survey.Name = "survey"
	text := schemas.Type{Kind: schemas.KindText}
	survey.Table = &schemas.Table{Key: []int{0}, Columns: []schemas.Column{{Name: "no", Type: text}, {Name: "answers", Type: schemas.Type{Kind: schemas.KindArray, Elem: &text}}}}
	theirs := func(field string) map[string]ColumnConfig { return map[string]ColumnConfig{"theirs": {From: field}} }
	for name, c := range map[string]struct {
		cfg  TableConfig
		want string
	}{
		"answers":            {TableConfig{From: "api.answers.wine", Missing: "park", Delete: "soft", Columns: theirs("short")}, ""},
		"no such column":     {TableConfig{From: "api.answers.wine", Columns: theirs("reply")}, `.columns.theirs: there is no field "reply" in api.answers.wine`},
		"of another view":    {TableConfig{From: "api.answers.more"}, `.from: there is no view "api"`},
		"a list":             {TableConfig{From: "survey.answers"}, ""},
		"a list's rows":      {TableConfig{From: "survey.answers", Delete: "soft"}, ".from: rows of a list come and go with it"},
		"a list's rows, too": {TableConfig{From: "survey.answers", Missing: "park"}, ".from: rows of a list come and go with it"},
		"too many points":    {TableConfig{From: "api.answers.wine.x"}, `.from: "api.answers.wine.x" is neither`},
	} {
		cfg := Config{Section: "mysql", Tables: map[string]TableConfig{"t": c.cfg}}
		faults := cfg.Validate()
		if len(faults) == 0 {
			_, faults = plan(testDialect(), &cfg, []sink.View{wines(), answers, survey})
		}
		if c.want == "" && len(faults) > 0 || c.want != "" && (len(faults) != 1 || !strings.Contains(faults.Error(), "mysql.tables.t"+c.want)) {
			t.Errorf("%s: %v, want %q", name, faults, c.want)
		}
	}
}

package table

import (
	"strings"
	"testing"

	"shelfstream/schemas"
	"shelfstream/sink"
)

// cols are columns in the short form.
type cols map[string]string

func (c cols) config() map[string]ColumnConfig {
	out := map[string]ColumnConfig{}
	for name, field := range c {
		out[name] = ColumnConfig{From: field}
	}
	return out
}

// made binds a table's plan to a table as the plan would have it.
func made(p *tablePlan, uniques ...UniqueIndex) {
	info := &Info{Columns: map[string]ColumnInfo{}, Uniques: append([]UniqueIndex{{Name: "PRIMARY", Columns: p.names(p.key)}}, uniques...)}
	for _, c := range p.columns {
		ci := ColumnInfo{Name: c.name, Type: "varchar(50)", Class: ClassText, Length: 50, Nullable: true, Padded: len(uniques) > 0}
		switch c.typ.Kind {
		case schemas.KindInt:
			ci = ColumnInfo{Name: c.name, Type: "int", Class: ClassInt, Nullable: true}
		case schemas.KindDate:
			ci = ColumnInfo{Name: c.name, Type: "date", Class: ClassDate, Nullable: true}
		case schemas.KindBytes:
			ci = ColumnInfo{Name: c.name, Type: "longblob", Class: ClassBytes, Nullable: true}
		}
		info.Columns[c.name] = ci
	}
	p.bind(info)
}

func TestOwnedColumnsInSQL(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  TableConfig
		want string
	}{
		"create, empty by type, never": {
			TableConfig{From: "wine", Columns: map[string]ColumnConfig{
				"name": {From: "short", Write: "create"}, "long": {Write: "empty"}, "bin": {Write: "empty"}, "day": {Write: "empty"}, "kind": {Write: "never"}, "theirs": {Write: "never"},
				"title": {From: "short", Write: "always"},
			}},
			"INSERT INTO `t` (`no`, `year`, `bin`, `day`, `long`, `name`, `title`)  ON DUPLICATE KEY UPDATE " +
				"`bin` = CASE WHEN COALESCE(LENGTH(`bin`), 0) = 0 THEN VALUES(`bin`) ELSE `t`.`bin` END, `day` = CASE WHEN `day` IS NULL THEN VALUES(`day`) ELSE `t`.`day` END, " +
				"`long` = CASE WHEN COALESCE(LENGTH(`long`), 0) = 0 THEN VALUES(`long`) ELSE `t`.`long` END, `title` = VALUES(`title`)",
		},
		"nothing but owned": {
			TableConfig{From: "wine", Columns: map[string]ColumnConfig{"name": {From: "short", Write: "create"}}},
			"INSERT INTO `t` (`no`, `year`, `name`)  ON DUPLICATE KEY UPDATE `no` = `t`.`no`",
		},
		"elements": {
			TableConfig{From: "wine.images", Columns: map[string]ColumnConfig{"url": {From: "url"}, "width": {Write: "create"}}, Key: []string{"no", "year", "url"}},
			"INSERT INTO `t` (`no`, `year`, `url`, `width`)  ON DUPLICATE KEY UPDATE `no` = `t`.`no`",
		},
		"all fields, softly deleted": {
			TableConfig{From: "wine", Delete: "soft", Columns: map[string]ColumnConfig{
				"short": {Write: "create"}, "any": {Write: "never"}, "kind": {Write: "never"}, "bin": {Write: "never"}, "day": {Write: "never"}, "at": {Write: "never"}, "clock": {Write: "never"}, "ok": {Write: "never"},
				"id": {Write: "never"}, "doc": {Write: "never"}, "f": {Write: "never"}, "g": {Write: "never"}, "tags": {Write: "never"},
			}},
			"INSERT INTO `t` (`no`, `year`, `price`, `short`, `long`, `deleted`)  ON DUPLICATE KEY UPDATE `price` = VALUES(`price`), `long` = VALUES(`long`), `deleted` = VALUES(`deleted`)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := planOne(t, map[string]TableConfig{"t": c.cfg}).tables[0]
			made(p)
			if got := p.insert + p.onDup; got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestOwnershipFaults(t *testing.T) {
	list := func(c map[string]ColumnConfig) TableConfig { return TableConfig{From: "wine.images", Columns: c} }
	for want, c := range map[string]TableConfig{
		".columns.no.write: no belongs to the key":                    {From: "wine", Columns: map[string]ColumnConfig{"no": {Write: "create"}}},
		".columns.year.write: year belongs to the key":                {From: "wine", Columns: map[string]ColumnConfig{"year": {Write: "never"}}},
		".columns.nr.write: nr belongs to the key":                    {From: "wine", Columns: map[string]ColumnConfig{"nr": {From: "no", Write: "empty"}}},
		".columns.No.write: No belongs to the key":                    {From: "wine", Columns: map[string]ColumnConfig{"name": {From: "short"}, "No": {Write: "never"}}},
		".columns.position.write: position belongs to the key":        list(map[string]ColumnConfig{"position": {Write: "never"}}),
		".key: the elements of the list are told apart by their":      list(map[string]ColumnConfig{"width": {Write: "create"}}),
		".columns.gone.write: gone marks deleted rows":                {From: "wine", Delete: "soft", SoftDeleteColumn: "gone", Columns: map[string]ColumnConfig{"gone": {Write: "never"}}},
		`.columns.prise: there is no field "prise" in wine`:           {From: "wine", Columns: map[string]ColumnConfig{"prise": {Write: "create"}}},
		`.columns.name: there is no field "name" in wine`:             {From: "wine", Columns: map[string]ColumnConfig{"title": {From: "short"}, "name": {Write: "empty"}}},
		`.columns.theirs: there is no field "sort" in wine`:           {From: "wine", Columns: map[string]ColumnConfig{"theirs": {From: "sort", Write: "never"}}},
		`.round: the table gets no column "price"`:                    {From: "wine", Round: []string{"price"}, Columns: map[string]ColumnConfig{"price": {Write: "never"}}},
		`.columns.url.write: url belongs to the key, which names the`: {From: "wine.images", Columns: map[string]ColumnConfig{"url": {Write: "create"}}, Key: []string{"no", "year", "url"}},
	} {
		_, faults := plan(testDialect(), &Config{Section: "mysql", Tables: map[string]TableConfig{"t": c}}, []sink.View{wines()})
		if len(faults) != 1 || !strings.Contains(faults.Error(), "mysql.tables.t"+want) || faults[0].Fix == "" {
			t.Errorf("%+v: %v, want %q", c, faults, want)
		}
	}
	bad := Config{Section: "mysql", Tables: map[string]TableConfig{"a": {From: "x", Columns: map[string]ColumnConfig{"b": {}, "c": {Write: "once"}, "d": {From: "d", Write: "always"}}}}}
	faults := bad.Validate()
	for _, want := range []string{"mysql.tables.a.columns.b: says nothing", `mysql.tables.a.columns.c: write: "once" is not possible`} {
		if len(faults) != 2 || !strings.Contains(faults.Error(), want) {
			t.Errorf("%v, want %q", faults, want)
		}
	}
}

// A name that neither the view nor the table has is a mistake, not a column of others.
func TestNeverWrittenMustExist(t *testing.T) {
	p := planOne(t, map[string]TableConfig{"t": {From: "wine", Columns: map[string]ColumnConfig{"name": {From: "short"}, "theirs": {Write: "never"}, "price": {Write: "never"}, "typo": {Write: "never"}}}}).roots[0]
	made(p)
	info := &Info{Columns: map[string]ColumnInfo{"theirs": {Name: "theirs", Fed: true}}, Uniques: []UniqueIndex{{Name: "PRIMARY", Columns: p.names(p.key)}}}
	for _, c := range p.columns {
		info.Columns[c.name] = c.info
	}
	said := p.check(info).Error()
	if !strings.Contains(said, `column typo: does not exist, and 'columns' leaves it to others`) || strings.Contains(said, "theirs") || strings.Contains(said, "price") {
		t.Error(said)
	}
}

package mysql

import (
	"fmt"
	"strings"
	"testing"

	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/table"
)

// wines is a view with a key of two columns, a list of records, a list of texts, and one column of each type.
func wines() sink.View {
	text := schemas.Type{Kind: schemas.KindText}
	image := schemas.Type{Kind: schemas.KindRecord, Fields: []schemas.Column{{Name: "url", Type: schemas.Type{Kind: schemas.KindText, Length: 300}}, {Name: "width", Type: schemas.Type{Kind: schemas.KindInt, Bits: 16}}}}
	col := func(name string, t schemas.Type) schemas.Column {
		return schemas.Column{Name: name, Type: t, Nullable: true}
	}
	return sink.View{Name: "wine", Topic: "p.wine", Table: &schemas.Table{Name: "p.wine", Key: []int{0, 1}, Columns: []schemas.Column{
		{Name: "no", Type: text},
		{Name: "year", Type: schemas.Type{Kind: schemas.KindInt, Bits: 32}},
		col("price", schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}), col("any", schemas.Type{Kind: schemas.KindDecimal}),
		col("short", schemas.Type{Kind: schemas.KindText, Length: 40}), col("long", text), col("kind", schemas.Type{Kind: schemas.KindEnum, Symbols: []string{"red", "white"}}),
		col("bin", schemas.Type{Kind: schemas.KindBytes}), col("day", schemas.Type{Kind: schemas.KindDate}), col("at", schemas.Type{Kind: schemas.KindTimestampTZ}),
		col("clock", schemas.Type{Kind: schemas.KindTime}), col("ok", schemas.Type{Kind: schemas.KindBool}), col("id", schemas.Type{Kind: schemas.KindUUID}),
		col("doc", schemas.Type{Kind: schemas.KindJSON}), col("f", schemas.Type{Kind: schemas.KindFloat, Bits: 64}), col("g", schemas.Type{Kind: schemas.KindFloat, Bits: 32}),
		col("images", schemas.Type{Kind: schemas.KindArray, Elem: &image}), col("tags", schemas.Type{Kind: schemas.KindArray, Elem: &text}),
	}}}
}

func TestCreateTable(t *testing.T) {
	column := func(name string, k schemas.Kind, n int32) table.NewColumn {
		return table.NewColumn{Name: name, Type: schemas.Type{Kind: k, Length: n, Bits: 32}}
	}
	key := []table.NewColumn{{Name: "no", Type: schemas.Type{Kind: schemas.KindText}, Key: true}, {Name: "year", Type: schemas.Type{Kind: schemas.KindInt, Bits: 32}, Key: true}}
	var root []table.NewColumn
	for i, c := range wines().Table.Columns {
		if c.Name != "images" {
			root = append(root, table.NewColumn{Name: c.Name, Type: c.Type, Key: i < 2})
		}
	}
	root = append(root, table.NewColumn{Name: "deleted", Mark: true})
	position := table.NewColumn{Name: "position", Type: schemas.Type{Kind: schemas.KindInt, Bits: 32}, Key: true}
	exact := " CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin"
	for name, c := range map[string]struct {
		n    table.NewTable
		want string
	}{
		"root": {table.NewTable{Name: "wine", Columns: root, Key: []string{"no", "year"}}, "CREATE TABLE IF NOT EXISTS `wine` (\n  `no` varchar(255)" + exact + " NOT NULL,\n  `year` int NOT NULL,\n  `price` decimal(12,2) NULL,\n  `any` decimal(65,30) NULL,\n" +
			"  `short` varchar(40)" + exact + " NULL,\n  `long` text" + exact + " NULL,\n  `kind` varchar(255)" + exact + " NULL,\n  `bin` longblob NULL,\n  `day` date NULL,\n  `at` datetime(6) NULL,\n" +
			"  `clock` time(6) NULL,\n  `ok` tinyint(1) NULL,\n  `id` char(36)" + exact + " NULL,\n  `doc` json NULL,\n  `f` double NULL,\n  `g` float NULL,\n  `tags` json NULL,\n" +
			"  `deleted` tinyint(1) NOT NULL DEFAULT 0,\n  PRIMARY KEY (`no`, `year`)\n) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;"},
		"list of records": {table.NewTable{Name: "image", Columns: append(key[:2:2], position, column("url", schemas.KindText, 300), table.NewColumn{Name: "width", Type: schemas.Type{Kind: schemas.KindInt, Bits: 16}}), Key: []string{"no", "year", "position"}}, "CREATE TABLE IF NOT EXISTS `image` (\n  `no` varchar(255)" + exact + " NOT NULL,\n  `year` int NOT NULL,\n  `position` int NOT NULL,\n" +
			"  `url` varchar(300)" + exact + " NULL,\n  `width` smallint NULL,\n  PRIMARY KEY (`no`, `year`, `position`)\n) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;"},
	} {
		if got := (&flavor{}).create(&c.n); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
	maria := &flavor{}
	maria.maria.Store(true)
	if got := maria.create(&table.NewTable{Columns: key}); !strings.Contains(got, "utf8mb4_nopad_bin") {
		t.Error("MariaDB's exact collation is missing")
	}
}

func TestValidate(t *testing.T) {
	good := Config{DSN: "u:p@tcp(127.0.0.1:3306)/shop", Tables: map[string]TableConfig{"product": {From: "product"}, "product_image": {From: "product.images"}}}
	if f := good.Validate(); len(f) > 0 {
		t.Fatal(f)
	}
	bad := Config{DSN: "secret:hunter2@nowhere", MaxRows: -1, Tables: map[string]TableConfig{
		"a": {}, "b": {From: "x.y.z"}, "c": {From: "x", Delete: "soon"}, "d": {From: "x", SoftDeleteColumn: "gone"}, "e": {From: "x.l", Delete: "soft"},
		"f": {From: "x", Infinity: "zero"}, "g": {From: "x", Unfit: "cut"}, "shelfstream_offsets": {From: "x"},
	}}
	faults := bad.Validate()
	for _, where := range []string{"mysql.dsn", "mysql.tables.a.from", "mysql.tables.b.from", "mysql.tables.c.delete", "mysql.tables.d.soft_delete_column", "mysql.tables.e.delete", "mysql.tables.f.infinity", "mysql.tables.g.unfit", "mysql.tables.shelfstream_offsets"} {
		if !strings.Contains(faults.Error(), where+":") {
			t.Errorf("nothing is said of %s", where)
		}
	}
	if strings.Contains(faults.Error(), "hunter2") {
		t.Errorf("the password is shown: %v", faults)
	}
}

// Columns of a created table fit one row and one index, however many and wide the fields are.
func TestCreatedColumnsFit(t *testing.T) {
	v := sink.View{Name: "v", Topic: "p.v", Table: &schemas.Table{Name: "p.v", Key: []int{0, 1, 2}}}
	for i := range 30 {
		n := int32(250)
		switch {
		case i < 3:
			n = 0
		case i >= 25:
			n = 4000
		}
		v.Table.Columns = append(v.Table.Columns, schemas.Column{Name: fmt.Sprintf("c%d", i), Type: schemas.Type{Kind: schemas.KindText, Length: n}, Nullable: i > 2})
	}
	var columns []table.NewColumn
	for i, c := range v.Table.Columns {
		columns = append(columns, table.NewColumn{Name: c.Name, Type: c.Type, Key: i < 3})
	}
	types := columnTypes(columns)
	got := fmt.Sprint(types[:4], types[24:])
	if want := "[varchar(191) varchar(191) varchar(191) varchar(250)] [varchar(250) text text text varchar(4000) varchar(4000)]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

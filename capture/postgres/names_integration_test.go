//go:build integration

package postgres

import (
	"strings"
	"testing"

	"shelfstream/capture"
)

// TestNamesThatNeedQuotes: schemas, tables, columns and the publication may be called anything.
func TestNamesThatNeedQuotes(t *testing.T) {
	d := newDatabase(t, `CREATE SCHEMA "Mitt Firma A.S"; CREATE TABLE "Mitt Firma A.S"."Sales ""Line"".x" ("No_" int PRIMARY KEY, "VAT %" numeric(5,2), "select" text, "a""b,c" int[], "Ærlig	tab" varchar(9));
		ALTER TABLE "Mitt Firma A.S"."Sales ""Line"".x" REPLICA IDENTITY FULL`,
		`INSERT INTO "Mitt Firma A.S"."Sales ""Line"".x" VALUES (1, 25, 'x', '{1,NULL}', 'ø')`,
		`CREATE TABLE "UPPER" (id int PRIMARY KEY, "n" int)`, `CREATE TABLE upper (id int PRIMARY KEY, n int)`, `INSERT INTO "UPPER" VALUES (1, 1)`)
	cfg := d.config(map[string]capture.TableConfig{
		"line": {Name: `Mitt Firma A.S.Sales "Line".x`, PartitionBy: []string{"VAT %"}}, "upper": {Name: "UPPER"},
	})
	cfg.Publication = `Mine, "quoted" 'and' all`
	faults, err := mustNew(t, cfg).Preflight(t.Context())
	if err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
	r := start(t, cfg, nil, false)
	r.wait("the snapshot", func() bool { return r.Rows("line")["1"] == "1|25.00|x|[1, null]|ø" && len(r.Rows("upper")) == 1 })
	d.exec(`UPDATE "Mitt Firma A.S"."Sales ""Line"".x" SET "VAT %" = 15, "a""b,c" = '{}'`, `INSERT INTO "UPPER" VALUES (2, 2)`, `INSERT INTO upper VALUES (3, 3)`)
	r.wait("the changes", func() bool { return r.Rows("line")["1"] == "1|15.00|x|[]|ø" && len(r.Rows("upper")) == 2 })
	r.stop()
	cfg.Tables = map[string]capture.TableConfig{"line": {Name: `Mitt Firma A.S.Sales Line`}}
	if l := preflight(t, cfg); len(l) != 1 || !strings.Contains(l[0], `did you mean Mitt Firma A.S.Sales "Line".x?`) {
		t.Error(l)
	}
}

// TestTruncateSeveral: one TRUNCATE may empty several tables, by CASCADE also such as it does not name, and rows may follow it in the same transaction.
func TestTruncateSeveral(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE head (id int PRIMARY KEY)", "CREATE TABLE line (id int PRIMARY KEY, head int REFERENCES head)", "CREATE TABLE note (id int PRIMARY KEY)", "CREATE TABLE rest (id int PRIMARY KEY, line int REFERENCES line)",
		"INSERT INTO head VALUES (1), (2); INSERT INTO line VALUES (10, 1), (11, 2); INSERT INTO note VALUES (5)")
	r := start(t, d.config(tables("head", "line", "note")), nil, false)
	r.wait("the snapshot", func() bool { return len(r.Rows("line")) == 2 && len(r.Rows("note")) == 1 })
	d.exec("BEGIN; INSERT INTO head VALUES (3); TRUNCATE head, note CASCADE; INSERT INTO head VALUES (4); INSERT INTO line VALUES (12, 4); COMMIT")
	r.wait("the truncate", func() bool {
		return len(r.Rows("head")) == 1 && r.has("head", "4") && len(r.Rows("line")) == 1 && r.has("line", "12") && len(r.Rows("note")) == 0
	})
	r.stop()
}

// TestPartitionPrivileges: the snapshot reads partitions one by one, so a grant on the whole table is not enough.
func TestPartitionPrivileges(t *testing.T) {
	d := newDatabase(t, `CREATE SCHEMA old; CREATE TABLE sale (id int PRIMARY KEY, n int, secret int) PARTITION BY RANGE (id); CREATE TABLE "Sale 1" PARTITION OF sale FOR VALUES FROM (0) TO (10);
		CREATE TABLE old.sale PARTITION OF sale FOR VALUES FROM (10) TO (20); INSERT INTO sale VALUES (1, 1), (11, 11);
		CREATE ROLE reader LOGIN REPLICATION; GRANT SELECT ON sale TO reader`)
	defer d.exec("DROP OWNED BY reader; DROP ROLE reader")
	cfg := d.config(map[string]capture.TableConfig{"sale": {Columns: []string{"id", "n"}}})
	cfg.DSN, cfg.Publication = server.DSNAs("reader", d.name), "sales"
	d.exec("CREATE PUBLICATION sales FOR TABLE sale WITH (publish_via_partition_root = true)")
	wantFaults(t, preflight(t, cfg),
		`sale: the role reader may not use the schemas of its partitions => GRANT USAGE ON SCHEMA "old" TO "reader";`,
		`sale: the role reader may not read its partitions, which the snapshot reads one by one => GRANT SELECT ON "old"."sale", "public"."Sale 1" TO "reader";`,
	)
	d.exec(`GRANT USAGE ON SCHEMA "old" TO "reader"`, `GRANT SELECT (id, n) ON "public"."Sale 1", "old"."sale" TO "reader"`)
	wantFaults(t, preflight(t, cfg))
	r := start(t, cfg, nil, false)
	r.wait("the snapshot", func() bool { return len(r.Rows("sale")) == 2 })
	r.stop()
	cfg.Tables = map[string]capture.TableConfig{"sale": {Columns: []string{"id", "n"}}, "part": {Name: "Sale 1", Columns: []string{"id", "n"}}}
	if l := preflight(t, cfg); len(l) == 0 || !strings.Contains(strings.Join(l, " "), `it is a partition of "public"."sale", which is captured too`) {
		t.Error(l)
	}
}

//go:build integration

package postgres

import (
	"errors"
	"strings"
	"testing"

	"shelfstream/capture"
	"shelfstream/internal/fault"
	"shelfstream/internal/testenv"
)

// preflight gives the faults as "what => fix", with the role's and the source's names taken out.
func preflight(t *testing.T, cfg Config) []string {
	t.Helper()
	faults, err := mustNew(t, cfg).Preflight(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var l []string
	for _, f := range faults {
		if f.Class != fault.Environment || f.Where == "" || f.What == "" || f.Fix == "" {
			t.Errorf("incomplete fault %+v", f)
		}
		l = append(l, f.Where[strings.LastIndexByte(f.Where, ' ')+1:]+": "+f.What+" => "+f.Fix)
	}
	return l
}

func wantFaults(t *testing.T, got []string, want ...string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(want):
			t.Errorf("unexpected: %s", got[i])
		case i >= len(got):
			t.Errorf("missing: %s", want[i])
		case got[i] != want[i]:
			t.Errorf("\ngot  %s\nwant %s", got[i], want[i])
		}
	}
}

func TestPreflightTables(t *testing.T) {
	d := newDatabase(t, `
		CREATE TABLE product (id int PRIMARY KEY, name text, g int GENERATED ALWAYS AS (id * 2) STORED);
		CREATE TABLE price (id int PRIMARY KEY, product int NOT NULL, amount numeric(8,2));
		CREATE TABLE keyless (id int);
		CREATE TABLE silent (id int PRIMARY KEY); ALTER TABLE silent REPLICA IDENTITY NOTHING;
		CREATE UNLOGGED TABLE quick (id int PRIMARY KEY);
		CREATE VIEW seen AS SELECT 1 AS id;
		CREATE TABLE keyed (name text PRIMARY KEY, n int);
		CREATE TABLE part (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
		CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10)`)
	cfg := d.config(map[string]capture.TableConfig{
		"product": {Columns: []string{"id", "nam", "g"}},
		"price":   {PartitionBy: []string{"product"}},
		"prices":  {Name: "public.prise"},
		"again":   {Name: "public.price"},
		"keyless": {}, "silent": {}, "quick": {}, "seen": {}, "keyed": {},
		"part": {},
		"name": {Name: "product"},
	})
	delete(cfg.Tables, "name")
	wantFaults(t, preflight(t, cfg),
		`keyless: the table has no primary key, so its rows cannot be told apart => ALTER TABLE "public"."keyless" ADD PRIMARY KEY (…); or, with a unique index on columns that are not null, ALTER TABLE "public"."keyless" REPLICA IDENTITY USING INDEX …;`,
		`part: old rows must come whole, since large values of v are stored out of line (TOAST), and an update that does not touch them leaves them out of the log => ALTER TABLE "public"."part" REPLICA IDENTITY FULL; ALTER TABLE "public"."part_1" REPLICA IDENTITY FULL;`,
		`price: it is the same table as `+d.name+`.again => capture it once, and let both views read that`,
		`public.prise: the table does not exist => did you mean price? correct its name under tables ("schema.table" outside the role's search_path)`,
		`product: columns names the column "nam", which does not exist => did you mean name? correct columns, or give the table the column back; the table has id, name, g`,
		`product: columns names the generated column "g", which PostgreSQL leaves out of the change stream => take it out of columns and compute it in a rule`,
		`quick: the table is unlogged, so its changes are in no log => ALTER TABLE "public"."quick" SET LOGGED;`,
		`seen: it is a view, which has no change log => capture the tables it is made of, and join them in a view of the pipeline`,
		`silent: its replica identity is NOTHING, so PostgreSQL refuses updates and deletes once it is published => ALTER TABLE "public"."silent" REPLICA IDENTITY FULL;`,
	)
	delete(cfg.Tables, "again")
	cfg.Tables = map[string]capture.TableConfig{"price": cfg.Tables["price"], "product": {}}
	wantFaults(t, preflight(t, cfg),
		`price: old rows must come whole, since partition_by has product, which is not in the key: when it changes, the old value must be known to take the row out of its old partition => ALTER TABLE "public"."price" REPLICA IDENTITY FULL;`,
		`product: old rows must come whole, since large values of name are stored out of line (TOAST), and an update that does not touch them leaves them out of the log => ALTER TABLE "public"."product" REPLICA IDENTITY FULL;`,
	)
	d.exec("ALTER TABLE price REPLICA IDENTITY FULL; ALTER TABLE product REPLICA IDENTITY FULL")
	wantFaults(t, preflight(t, cfg))
	// It changes nothing.
	if n := d.one("SELECT count(*) FROM pg_publication"); n != "0" {
		t.Error("preflight made a publication")
	}
}

func TestPreflightRole(t *testing.T) {
	d := newDatabase(t, `
		CREATE SCHEMA erp; CREATE TABLE erp.item (id int PRIMARY KEY);
		CREATE TABLE own (id int PRIMARY KEY);
		CREATE TABLE hidden (id int PRIMARY KEY); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
		CREATE ROLE clerk LOGIN; ALTER TABLE own OWNER TO clerk; GRANT SELECT ON hidden TO clerk`)
	defer d.exec("DROP OWNED BY clerk; DROP ROLE clerk")
	cfg := d.config(map[string]capture.TableConfig{"item": {Name: "erp.item"}, "own": {}, "hidden": {}})
	cfg.DSN = server.DSNAs("clerk", d.name)
	create := `CREATE PUBLICATION "` + d.slot() + `" FOR TABLE ONLY "public"."hidden", ONLY "erp"."item", ONLY "public"."own" WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true);`
	wantFaults(t, preflight(t, cfg),
		d.name+`: the role clerk may not replicate => ALTER ROLE "clerk" REPLICATION;`,
		`hidden: row-level security hides rows from the role clerk => ALTER ROLE "clerk" BYPASSRLS;`,
		`erp.item: the role clerk may not use the schema erp => GRANT USAGE ON SCHEMA "erp" TO "clerk";`,
		`erp.item: the role clerk may not read the table => GRANT SELECT ON "erp"."item" TO "clerk";`,
		d.name+`: publication "`+d.slot()+`" does not exist, and the role clerk may not make it => as a superuser or the tables' owner: `+create+` or GRANT CREATE ON DATABASE "`+d.name+`" TO "clerk";`,
	)
	// Each remedy, run as it is written, takes its fault away.
	d.exec(`ALTER ROLE "clerk" REPLICATION`, `ALTER ROLE "clerk" BYPASSRLS`, `GRANT USAGE ON SCHEMA "erp" TO "clerk"`, `GRANT SELECT ON "erp"."item" TO "clerk"`, create)
	wantFaults(t, preflight(t, cfg))
	r := start(t, cfg, nil, false)
	r.wait("the snapshot as that role", func() bool { return r.Checkpoint() != nil })
	d.exec("INSERT INTO own VALUES (1)")
	r.wait("a change", func() bool { return len(r.Rows("own")) == 1 })
	r.stop()
	d.exec("ALTER PUBLICATION "+d.slot()+" DROP TABLE own, hidden", "ALTER PUBLICATION "+d.slot()+" SET (publish = 'insert')")
	wantFaults(t, preflight(t, cfg),
		d.name+`: publication "`+d.slot()+`" lacks "public"."hidden", "public"."own", and the role clerk may not add that => as its owner: ALTER PUBLICATION "`+d.slot()+`" ADD TABLE ONLY "public"."hidden", ONLY "public"."own";`,
		d.name+`: publication "`+d.slot()+`" leaves out some operations => ALTER PUBLICATION "`+d.slot()+`" SET (publish = 'insert, update, delete, truncate');`,
	)
}

func TestPreflightServer(t *testing.T) {
	pg, err := testenv.StartPostgres(t.Context(), "", testenv.PostgresNoFsync(), testenv.PostgresSetting("wal_level", "replica"), testenv.PostgresSetting("max_replication_slots", "1"))
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Close()
	d := &database{TB: t, name: "postgres", dsn: pg.DSN("postgres")}
	d.reconnect()
	d.exec("CREATE TABLE a (id int PRIMARY KEY)", "SELECT pg_create_physical_replication_slot('taken')")
	wantFaults(t, preflight(t, d.config(tables("a"))),
		`postgres: wal_level is replica => ALTER SYSTEM SET wal_level = 'logical'; then restart the server`,
		`postgres: all 1 replication slots are taken => ALTER SYSTEM SET max_replication_slots = 5; then restart the server; or drop a slot that nobody uses`,
	)
	cfg := d.config(tables("a"))
	cfg.Slot = "taken"
	wantFaults(t, preflight(t, cfg),
		`postgres: wal_level is replica => ALTER SYSTEM SET wal_level = 'logical'; then restart the server`,
		`postgres: replication slot taken belongs to something else (plugin "", database "") => give this source another name with slot:, or SELECT pg_drop_replication_slot('taken'); if nobody needs it`,
	)
	d.conn.Close(t.Context())
	if err := pg.Kill(); err != nil {
		t.Fatal(err)
	}
	_, err = mustNew(t, cfg).Preflight(t.Context())
	var f *fault.Fault
	if !errors.As(err, &f) || f.Class != fault.Environment || f.What != "does not answer" {
		t.Errorf("a dead server gives %v", err)
	}
	cfg.DSN = server.DSN("nowhere")
	if _, err = mustNew(t, cfg).Preflight(t.Context()); !errors.As(err, &f) || f.What != "the database does not exist" {
		t.Errorf("a missing database gives %v", err)
	}
	cfg.DSN = server.DSNAs("nobody", "postgres")
	if _, err = mustNew(t, cfg).Preflight(t.Context()); !errors.As(err, &f) || f.What != "the database refuses the login" {
		t.Errorf("a missing role gives %v", err)
	}
}

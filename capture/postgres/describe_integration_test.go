//go:build integration

package postgres

import (
	"reflect"
	"strings"
	"testing"

	"shelfstream/capture"
)

// TestDescribe: the shapes are those that a run publishes, and nothing is made on the server.
func TestDescribe(t *testing.T) {
	d := newDatabase(t, `
		CREATE TYPE colour AS ENUM ('red', 'white');
		CREATE TABLE product (id int PRIMARY KEY, name varchar(40) NOT NULL, colour colour, price numeric(10,2), tags text[], twice int GENERATED ALWAYS AS (id * 2) STORED);
		CREATE TABLE part (id int, region text, v timestamptz, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
		CREATE TABLE part_no PARTITION OF part FOR VALUES IN ('no');
		CREATE TABLE keyless (id int)`)
	cfg := d.config(map[string]capture.TableConfig{"product": {Columns: []string{"name", "price", "colour", "tags"}}, "part": {}})
	told, err := mustNew(t, cfg).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := d.one("SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_replication_slots WHERE database = current_database())"); n != "0" {
		t.Errorf("%s publications and slots were made", n)
	}
	log := &collector{}
	_, stop := run(t, cfg, log)
	stop()
	for name, shape := range told {
		if !reflect.DeepEqual(shape, log.tables[name]) {
			t.Errorf("%s is told as\n%+v and published as\n%+v", name, shape, log.tables[name])
		}
	}
	cfg = d.config(tables("product", "keyless", "missing"))
	told, err = mustNew(t, cfg).Describe(t.Context())
	if len(told) != 1 || told["product"] == nil || err == nil || !strings.Contains(err.Error(), "keyless") {
		t.Errorf("told %v, error %v", told, err)
	}
}

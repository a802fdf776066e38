//go:build integration

package e2e

import (
	"encoding/json"
	"maps"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/demo"
	"shelfstream/internal/testenv"
)

// fetch is what an analyst writes who has kcat, fastavro and nothing of ours. It reads whole topics, keeps the newest record of every key as the log's
// cleaner would, and prints an object: the topic's rows, every value as the text that SQL has for it.
const fetch = `
import datetime, io, json, struct, subprocess, sys, urllib.request
import fastavro

broker, registry, topics = sys.argv[1], sys.argv[2], sys.argv[3:]
schemas = {}

def decode(frame):
    magic, number = struct.unpack(">bI", frame[:5])
    assert magic == 0, frame
    if number not in schemas:
        answer = json.load(urllib.request.urlopen(registry + "/schemas/ids/%d" % number))
        schemas[number] = fastavro.parse_schema(json.loads(answer["schema"]))
    body = io.BytesIO(frame[5:])
    record = fastavro.schemaless_reader(body, schemas[number], None)
    assert body.read() == b"", "bytes are left after the record"
    return record

def records(topic):
    """Every record of a topic: partition, key and value as bytes, the value None for a tombstone. A line of lengths goes before the bytes."""
    kcat = subprocess.Popen(["kcat", "-C", "-b", broker, "-t", topic, "-o", "beginning", "-e", "-q", "-u", "-f", "%p %K %S\n%k%s"], stdout=subprocess.PIPE)
    while line := kcat.stdout.readline():
        partition, key, value = map(int, line.split())
        yield partition, kcat.stdout.read(key), kcat.stdout.read(value) if value >= 0 else None
    assert kcat.wait() == 0, "kcat failed"

def seconds(moment):
    whole, _, fraction = moment.isoformat(timespec="microseconds").removesuffix("+00:00").partition(".")
    return (whole + "." + fraction).rstrip("0").rstrip(".")

def text(value):
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (datetime.datetime, datetime.time)):
        return seconds(value)
    if isinstance(value, list):
        return [text(v) for v in value]
    if isinstance(value, dict):
        return {name: text(v) for name, v in value.items()}
    return str(value)

out = {}
for topic in topics:
    newest, seen, tombstones = {}, 0, 0
    for partition, key, value in records(topic):
        seen += 1
        at = (partition, json.dumps(text(decode(key))))
        if value is None:
            tombstones += 1
            newest.pop(at, None)
            continue
        row = decode(value)
        for name, part in decode(key).items():
            assert row[name] == part, (topic, name, part, row)
        newest[at] = text(row)
    out[topic] = {"rows": list(newest.values()), "records": seen, "tombstones": tombstones}
json.dump(out, sys.stdout)
`

// read is what a foreign client makes of one topic.
type read struct {
	Rows                []map[string]any // text, nil, or for lists []any of map[string]any
	Records, Tombstones int
}

// ledger has the types that clients stumble over: exact numbers with and without a scale, zeros at their ends too, days before 1970, moments with and
// without a zone.
const ledger = `CREATE TABLE ledger (line_no bigint PRIMARY KEY, booked date, at timestamptz, wall timestamp, clock time, amount numeric(20,6), exact numeric, settled boolean, note text);
	ALTER TABLE ledger REPLICA IDENTITY FULL;
	INSERT INTO ledger SELECT i, date '1900-01-01' + i::int * 37, timestamptz '1969-12-31 23:59:59.000001+00' + i * interval '1 day 7 minutes 0.123457 seconds',
			timestamp '1899-12-31 23:59:59.999999' + i * interval '3 days 0.5 seconds', time '00:00' + i * interval '83.000007 seconds',
			(i - 500) * 12345678.000001, ((i - 500) || repeat('0', i::int % 40) || '.' || repeat('0', i::int % 20) || '1' || repeat('0', i::int % 7))::numeric, i % 3 = 0, 'bilag ' || i || E', «rød»\n'
		FROM generate_series(1, 1000) i;
	INSERT INTO ledger (line_no) VALUES (0), (-1);
	INSERT INTO ledger VALUES (-2, '9999-12-31', '9999-12-31 23:59:59.999999+00', '9999-12-31 23:59:59.999999', '23:59:59.999999', -99999999999999.999999,
		-123456789012345678901234567890123456789012345.678901234567891, true, ''),
		(-3, '0001-01-01', '0001-01-01 00:00:00+00', '0001-01-01 00:00:00', '00:00', 0, 0.000, false, repeat('lang ', 10000))`

// Raw and cleaned topics are for everybody: a client that knows Kafka, Avro and the registry's interface gets the ERP's rows out of the one and the
// shop's out of the other, each whole and exact.
func TestForeignClientReads(t *testing.T) {
	exe, err := testenv.FastavroPython(t.Context())
	must(t, err)
	w := newWorld(t, "foreign", options{
		products: 300,
		pipeline: strings.Replace(demo.Pipeline, "vat_rate:     { broadcast: true }", "vat_rate:     { broadcast: true }\n        ledger: {}", 1),
		rules:    demo.Rules,
		seed: func(w *world) {
			must(t, demo.Seed(w.ctx, w.erp(), w.products, 1))
			_, err := w.erp().Exec(w.ctx, ledger)
			must(t, err)
		},
	})
	w.startAll(1, 1, 1)
	w.equal()
	l := w.work(2, 2*time.Millisecond)
	l.goOn(3000)
	l.finish()
	// The last transaction: once the shop shows it, everything before it is on the topics too.
	_, err = w.erp().Exec(w.ctx, `UPDATE ledger SET amount = -amount, at = at + interval '1 microsecond', note = NULL WHERE line_no BETWEEN 100 AND 300;
		DELETE FROM ledger WHERE line_no BETWEEN 200 AND 250; UPDATE ledger SET line_no = 2000 WHERE line_no = 1; UPDATE product SET producer = 'the last'`)
	must(t, err)
	w.equal()

	raw := []string{"product", "price", "stock", "product_text", "image", "ledger"}
	args := []string{broker.Addr(), w.registry}
	for _, table := range raw {
		args = append(args, w.name+".erp."+table)
	}
	began := time.Now()
	topics := w.fetch(exe, append(args, w.name+".product"))
	t.Logf("read by kcat and fastavro in %v", time.Since(began).Round(time.Millisecond))
	for _, table := range raw {
		w.same(table, topics[w.name+".erp."+table], w.erpRows(table))
	}
	w.same("the cleaned product", topics[w.name+".product"], w.shopRows())
	for _, topic := range []string{".product", ".erp.ledger", ".erp.product"} {
		if r := topics[w.name+topic]; r.Tombstones == 0 || r.Records <= len(r.Rows)+r.Tombstones {
			t.Errorf("%s: %d records with %d tombstones: no history that a client has to get right", topic, r.Records, r.Tombstones)
		}
	}
}

// fetch runs the foreign client.
func (w *world) fetch(exe string, args []string) map[string]read {
	w.t.Helper()
	cmd := exec.CommandContext(w.ctx, exe, append([]string{"-c", fetch}, args...)...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("the client: %v\n%s", err, complaints.String())
	}
	var topics map[string]read
	must(w.t, json.Unmarshal(out, &topics))
	return topics
}

// erpRows are a table's rows, every value as text.
func (w *world) erpRows(table string) (out []map[string]any) {
	w.t.Helper()
	conn := w.erp()
	_, err := conn.Exec(w.ctx, "SET TimeZone = 'UTC'")
	must(w.t, err)
	rows, err := conn.Query(w.ctx, "SELECT (SELECT jsonb_object_agg(key, CASE WHEN key IN ('at', 'updated_at') THEN replace(value, '+00:00', '') ELSE value END) FROM jsonb_each_text(to_jsonb(t))) FROM "+table+" t")
	must(w.t, err)
	defer rows.Close()
	for rows.Next() {
		var row map[string]any
		must(w.t, rows.Scan(&row))
		out = append(out, row)
	}
	must(w.t, rows.Err())
	return out
}

// shopRows are the shop's products, every value as text and with the images under them.
func (w *world) shopRows() (out []map[string]any) {
	w.t.Helper()
	images := map[any][]any{}
	for _, i := range w.shopTable("SELECT product_no, position, url, alt FROM product_image ORDER BY product_no, position") {
		no := i["product_no"]
		delete(i, "product_no")
		images[no] = append(images[no], i)
	}
	for _, p := range w.shopTable("SELECT * FROM product") {
		p["images"] = append([]any{}, images[p["product_no"]]...)
		out = append(out, p)
	}
	return out
}

func (w *world) shopTable(query string) (out []map[string]any) {
	w.t.Helper()
	rows, err := w.shop.QueryContext(w.ctx, query)
	must(w.t, err)
	defer rows.Close()
	names, err := rows.Columns()
	must(w.t, err)
	for rows.Next() {
		values, dest := make([]*string, len(names)), make([]any, len(names))
		for i := range dest {
			dest[i] = &values[i]
		}
		must(w.t, rows.Scan(dest...))
		row := map[string]any{}
		for i, name := range names {
			row[name] = nil
			if values[i] != nil {
				row[name] = *values[i]
			}
		}
		out = append(out, row)
	}
	must(w.t, rows.Err())
	return out
}

// same compares rows whatever their order.
func (w *world) same(what string, got read, want []map[string]any) {
	w.t.Helper()
	texts := func(rows []map[string]any) []string {
		out := make([]string, 0, len(rows))
		for _, r := range rows {
			b, err := json.Marshal(r) // names in order
			must(w.t, err)
			out = append(out, string(b))
		}
		slices.Sort(out)
		return out
	}
	client, sql := texts(got.Rows), texts(want)
	w.t.Logf("%s: %d rows of %d records, %d of them tombstones", what, len(client), got.Records, got.Tombstones)
	if len(sql) == 0 {
		w.t.Errorf("%s: there is nothing to compare", what)
	}
	if reflect.DeepEqual(client, sql) {
		return
	}
	w.t.Errorf("%s: the client has %d rows, SQL %d", what, len(client), len(sql))
	has := map[string]int{}
	for _, s := range sql {
		has[s]++
	}
	for _, c := range client {
		has[c]--
	}
	complaints := 0
	for _, row := range slices.Sorted(maps.Keys(has)) {
		if has[row] == 0 {
			continue
		}
		if complaints++; complaints > 10 {
			break
		}
		w.t.Errorf("%s: %+d in SQL: %.600s", what, has[row], row)
	}
}

//go:build integration

package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"shelfstream/internal/kafka"
	"shelfstream/internal/testenv"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
)

// mediaPipeline has its items from one database and the list of an image server's files from another. A file belongs to the item that its row names, or to
// the one whose number its name begins with.
const mediaPipeline = `pipeline: wine
timezone: Europe/Oslo
sources:
  erp:
    postgres: { dsn: "${ERP_DSN}", tables: { item: {} } }
  media:
    postgres: { dsn: "${MEDIA_DSN}", tables: { file: {} } }
views:
  picture:
    from: media.file
    rules: [picture.rules.yaml]
  product:
    from: erp.item
    children:
      pictures: { from: picture, on: item_no, scattered: true, order_by: [position] }
    rules: [demo.rules.yaml]
sinks:
  shop:
    mysql:
      dsn: ${SHOP_DSN}
      tables:
        product:       { from: product, create: true }
        product_image: { from: product.images, create: true }
`

const pictureRules = `rules:
  - name: whose
    set:
      item_no: coalesce(item_no, int(regex_extract(path, '/([0-9]+)_[0-9]+[.]jpg$')))
      position: coalesce(position, int(regex_extract(path, '_([0-9]+)[.]jpg$')))
      caption: caption
`

const mediaRules = `rules:
  - name: facts
    set: { name: name, price: price }
  - name: images
    list:
      from: pictures
      order: [position, path]
      set: { images: { position: row_number(), url: "'https://img/' || path", alt: "coalesce(caption, name)" } }
      otherwise: { position: 1, url: "'https://img/placeholder.svg'", alt: name }
`

const mediaItems = 300

// media is the image server's database.
type media struct {
	*testenv.Postgres
	db string
}

func (m *media) exec(w *world, sql string) { must(w.t, m.Exec(w.ctx, m.db, sql)) }

// An outage of the image server takes no image from the shop: its database is killed, the ERP goes on changing prices, and the transform loses its state
// while nobody can say which images there are. What was known of them is in the log. When the server is back, what is new of it arrives.
func TestImageServerIsDown(t *testing.T) {
	server, err := testenv.StartPostgres(t.Context(), "", testenv.PostgresNoFsync())
	must(t, err)
	m := &media{server, "media"}
	t.Cleanup(func() { must(t, m.Close()) })
	dsn, err := m.CreateDatabase(t.Context(), m.db)
	must(t, err)
	w := newWorld(t, "images", options{pipeline: mediaPipeline, rules: mediaRules, more: []string{"MEDIA_DSN=" + dsn}, seed: func(w *world) {
		_, err := w.erp().Exec(w.ctx, fmt.Sprintf(`CREATE TABLE item (item_no bigint PRIMARY KEY, name text NOT NULL, price numeric(12,2) NOT NULL);
			ALTER TABLE item REPLICA IDENTITY FULL;
			INSERT INTO item SELECT i, 'wine ' || i, 100 + i FROM generate_series(1, %d) i`, mediaItems))
		must(t, err)
		m.exec(w, `CREATE TABLE file (path text PRIMARY KEY, item_no bigint, position int, caption text);
			ALTER TABLE file REPLICA IDENTITY FULL;
			INSERT INTO file SELECT 'wines/bottle-' || md5(i::text) || '.jpg', i, 1, 'bottle ' || i FROM generate_series(1, 100) i;
			INSERT INTO file SELECT 'wines/' || lpad(i::text, 5, '0') || '_' || n || '.jpg', NULL, NULL, NULL FROM generate_series(101, 200) i, generate_series(1, 2) n;
			INSERT INTO file VALUES ('wines/readme.txt', NULL, NULL, NULL)`)
	}})
	must(t, os.WriteFile(filepath.Join(w.dir, "picture.rules.yaml"), []byte(pictureRules), 0o600))
	w.startAll(1, 2, 1)
	images := map[int64]string{}
	for i := range int64(mediaItems) {
		switch no := i + 1; {
		case no <= 100:
			images[no] = fmt.Sprintf("1 wines/bottle bottle %d", no)
		case no <= 200:
			images[no] = fmt.Sprintf("1 wines/%05d_1.jpg wine %d, 2 wines/%05d_2.jpg wine %d", no, no, no, no)
		default:
			images[no] = fmt.Sprintf("1 placeholder.svg wine %d", no)
		}
	}
	w.showsImages("the first load", images)
	began := w.ends("product")

	must(t, m.Kill())
	w.reprice()
	w.showsImages("new prices while the image server is down", images)
	for _, k := range w.workers {
		if k.stage == "transform" {
			must(t, k.process.Stop(w.ctx))
			must(t, os.RemoveAll(k.state))
		}
	}
	w.reprice()
	for _, k := range w.workers {
		if k.stage == "transform" {
			k.again()
		}
	}
	w.showsImages("new prices after the transform has lost its state", images)
	w.reprice()
	w.showsImages("new prices after that", images)
	w.neverStripped(began)

	must(t, m.Restart(w.ctx))
	m.exec(w, `INSERT INTO file VALUES ('new/250_1.jpg', NULL, NULL, 'label'); INSERT INTO file VALUES ('wines/zoom.jpg', 150, 3, NULL); DELETE FROM file WHERE path = 'wines/00160_2.jpg'`)
	images[250] = "1 new/250_1.jpg label"
	images[150] += ", 3 wines/zoom.jpg wine 150"
	images[160] = "1 wines/00160_1.jpg wine 160"
	w.showsImages("a new image", images)
	w.neverStripped(began)
	w.alive()
}

// reprice changes every price, a transaction for each ten of them.
func (w *world) reprice() {
	w.t.Helper()
	c := w.erp()
	for i := range mediaItems / 10 {
		_, err := c.Exec(w.ctx, "UPDATE item SET price = price + 1 WHERE (item_no - 1) / 10 = $1", i)
		must(w.t, err)
	}
}

// showsImages waits until the shop has the ERP's prices and these images.
func (w *world) showsImages(what string, images map[int64]string) {
	w.t.Helper()
	want := map[int64]string{}
	rows, err := w.erp().Query(w.ctx, "SELECT item_no, price::text FROM item")
	must(w.t, err)
	var no int64
	var price string
	_, err = pgx.ForEachRow(rows, []any{&no, &price}, func() error { want[no] = price + ": " + images[no]; return nil })
	must(w.t, err)
	got := map[int64]string{}
	defer func() {
		if w.t.Failed() {
			w.t.Logf("%s: %s", what, difference(got, want))
		}
	}()
	w.until(what, func() (bool, error) {
		clear(got)
		rows, err := w.shop.QueryContext(w.ctx, `SELECT p.item_no, CONCAT(CAST(p.price AS CHAR), ': ', GROUP_CONCAT(i.position, ' ', REPLACE(REGEXP_REPLACE(i.url, '-[0-9a-f]{32}.jpg', ''), 'https://img/', ''), ' ', i.alt
			ORDER BY i.position SEPARATOR ', ')) FROM product p JOIN product_image i ON i.item_no = p.item_no GROUP BY p.item_no, p.price`)
		if err != nil {
			return false, nil // the sink makes the tables
		}
		defer rows.Close()
		for rows.Next() {
			var no int64
			var text string
			if err := rows.Scan(&no, &text); err != nil {
				return false, err
			}
			got[no] = text
		}
		return maps.Equal(got, want), rows.Err()
	})
}

// difference names the first item that is not as it should be.
func difference(got, want map[int64]string) string {
	for _, no := range slices.Sorted(maps.Keys(want)) {
		if got[no] != want[no] {
			return fmt.Sprintf("item %d: %q, want %q", no, got[no], want[no])
		}
	}
	return fmt.Sprintf("%d items, want %d", len(got), len(want))
}

// ends are where the partitions of a cleaned topic end.
func (w *world) ends(view string) []int64 {
	w.t.Helper()
	ends, err := w.client.EndOffsets(w.ctx, w.name+"."+view)
	must(w.t, err)
	return ends
}

// neverStripped reads what was sent of the products since then: the first 200 have images of their own in every record.
func (w *world) neverStripped(since []int64) {
	w.t.Helper()
	topic := w.name + ".product"
	table, err := registry.NewClient(w.registry).Table(w.ctx, topic)
	must(w.t, err)
	codec, err := schemas.Compile(table)
	must(w.t, err)
	n := 0
	for p, from := range since {
		must(w.t, w.client.Scan(w.ctx, topic, int32(p), from, -1, func(r *kafka.Record) error {
			_, body, err := schemas.ParseFrame(r.Key)
			must(w.t, err)
			key, err := codec.DecodeKey(nil, body)
			must(w.t, err)
			if n++; key[0].Int <= 200 && !bytes.Contains(r.Value, []byte("https://img/wines/")) {
				w.t.Errorf("item %d was sent without its images: %q", key[0].Int, r.Value)
			}
			return nil
		}))
	}
	if n < 3*mediaItems {
		w.t.Errorf("%d records were read, and three times %d prices changed", n, mediaItems)
	}
	w.t.Logf("%d records, each with its images", n)
}

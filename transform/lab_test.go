package transform

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/internal/kafka/embedded"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
	"shelfstream/transform/rules"
)

const labPartitions = 2

// lab is a source made by hand: tests write rows and checkpoints as capture would, on a real protocol, and read what comes out.
type lab struct {
	t        testing.TB
	client   *kafka.Client
	registry *registry.Client
	producer *kafka.Producer
	tables   map[string]*labTable
	clock    *labClock
	stateDir string
	seq      int64
	// brokerAddr and registryURL are for tests that speak to them on their own.
	brokerAddr  string
	registryURL string
}

type labTable struct {
	topic     string
	codec     *schemas.Codec
	keyID     int32
	valueID   int32
	broadcast bool
	part      []int
	next      []int64
}

// labClock is an instant that a test sets.
type labClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *labClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *labClock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = at
}

type memoryLog struct {
	mu      sync.Mutex
	records [][2][]byte
}

func (l *memoryLog) Append(_ context.Context, key, value []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, [2][]byte{key, value})
	return nil
}

func (l *memoryLog) Replay(_ context.Context, fn func(key, value []byte) error) error {
	for _, r := range l.records {
		if err := fn(r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newLab(t testing.TB) *lab { return newLabOn(t, embedded.Config{Listen: "127.0.0.1:0"}) }

// newLabOn makes a lab on a broker of a test's own settings.
func newLabOn(t testing.TB, cfg embedded.Config) *lab {
	t.Helper()
	ctx := t.Context()
	broker, err := embedded.Start(cfg)
	check(t, err)
	t.Cleanup(func() { _ = broker.Close() })
	client, err := kafka.Open(kafka.Config{Brokers: []string{broker.Addr()}})
	check(t, err)
	t.Cleanup(func() { _ = client.Close() })
	server, err := registry.NewServer(ctx, &memoryLog{})
	check(t, err)
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	l := &lab{
		t: t, client: client, registry: registry.NewClient(web.URL), tables: map[string]*labTable{}, stateDir: t.TempDir(),
		clock: &labClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}, brokerAddr: broker.Addr(), registryURL: web.URL,
	}
	l.producer, err = client.NewProducer(ctx, kafka.ProducerConfig{})
	check(t, err)
	t.Cleanup(func() { _ = l.producer.Close(context.Background()) })

	text, num := schemas.Type{Kind: schemas.KindText}, schemas.Type{Kind: schemas.KindInt, Bits: 64}
	dec, date := schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}, schemas.Type{Kind: schemas.KindDate}
	l.table("product", false, []string{"no"}, []string{"no"}, "no", num, "name", text, "vat", num, "rev", num)
	l.table("price", false, []string{"no", "qty"}, []string{"no"}, "no", num, "qty", num, "price", dec, "rev", num, "from", date)
	l.table("image", false, []string{"id"}, []string{"no"}, "id", num, "no", num, "pos", num, "url", text)
	l.table("rate", true, []string{"code"}, []string{"code"}, "code", num, "pct", dec)
	check(t, client.EnsureTopics(ctx, kafka.TopicSpec{Name: "t.erp.checkpoints", Partitions: 1}))
	return l
}

func (l *lab) table(name string, broadcast bool, key, by []string, columns ...any) {
	l.t.Helper()
	ctx := l.t.Context()
	tab := &schemas.Table{Name: "t.erp." + name}
	for i := 0; i < len(columns); i += 2 {
		n := columns[i].(string)
		tab.Columns = append(tab.Columns, schemas.Column{Name: n, Type: columns[i+1].(schemas.Type), Nullable: true})
	}
	for _, k := range key {
		tab.Key = append(tab.Key, tab.Column(k))
		tab.Columns[tab.Column(k)].Nullable = false
	}
	x := &labTable{topic: tab.Name, broadcast: broadcast, next: make([]int64, labPartitions)}
	for _, c := range by {
		x.part = append(x.part, tab.Column(c))
	}
	var err error
	x.codec, err = schemas.Compile(tab)
	check(l.t, err)
	check(l.t, l.client.EnsureTopics(ctx, kafka.TopicSpec{Name: tab.Name, Partitions: labPartitions, Configs: map[string]string{"cleanup.policy": "compact"}}))
	x.keyID, err = l.registry.Register(ctx, tab.Name+"-key", x.codec.KeySchema())
	check(l.t, err)
	x.valueID, err = l.registry.Register(ctx, tab.Name+"-value", x.codec.ValueSchema())
	check(l.t, err)
	l.tables[name] = x
}

// put writes a row; del a tombstone.
func (l *lab) put(table string, row ...schemas.Value) { l.write(table, row, false) }
func (l *lab) del(table string, row ...schemas.Value) { l.write(table, row, true) }

func (l *lab) write(table string, row []schemas.Value, tombstone bool) {
	l.t.Helper()
	x := l.tables[table]
	for len(row) < len(x.codec.Table().Columns) {
		row = append(row, schemas.Null)
	}
	key, err := x.codec.AppendKey(schemas.AppendFrame(nil, x.keyID), row)
	check(l.t, err)
	r := kafka.Record{Key: key, TimestampMS: 1}
	if !tombstone {
		r.Value, err = x.codec.AppendValue(schemas.AppendFrame(nil, x.valueID), row)
		check(l.t, err)
	}
	var by []schemas.Value
	for _, c := range x.part {
		by = append(by, row[c])
	}
	check(l.t, l.producer.Produce(l.t.Context(), x.topic, schemas.Partition(by, labPartitions), r))
}

// flush makes what was written readable, without a checkpoint.
func (l *lab) flush() {
	l.t.Helper()
	m := l.producer.Mark()
	check(l.t, m.Wait(l.t.Context()))
	for _, x := range l.tables {
		for p := range x.next {
			if n, ok := m.Next(x.topic, int32(p)); ok {
				x.next[p] = n
			}
		}
	}
}

// checkpoint seals everything written so far.
func (l *lab) checkpoint() {
	l.t.Helper()
	l.flush()
	l.announce(l.vector())
}

// vector is how far each topic is now.
func (l *lab) vector() []schemas.CheckpointTopic {
	var v []schemas.CheckpointTopic
	for name, x := range l.tables {
		v = append(v, schemas.CheckpointTopic{Table: name, Topic: x.topic, Next: append([]int64(nil), x.next...)})
	}
	sort.Slice(v, func(i, j int) bool { return v[i].Topic < v[j].Topic })
	return v
}

// announce appends a checkpoint with a vector.
func (l *lab) announce(v []schemas.CheckpointTopic) {
	l.t.Helper()
	l.seq++
	c := &schemas.Checkpoint{Source: "erp", Position: fmt.Sprintf("0/%X", l.seq), CommitTimeUS: 1_000_000 + l.seq, WrittenUS: time.Now().UnixMicro(), Topics: v}
	check(l.t, l.producer.Produce(l.t.Context(), "t.erp.checkpoints", 0, kafka.Record{Key: []byte("erp"), Value: c.Append(schemas.AppendFrame(nil, 1)), TimestampMS: 1}))
	check(l.t, l.producer.Flush(l.t.Context()))
}

const labRules = `
rules:
  - name: facts
    set: { title: name, rev: rev }
  - name: price
    pick:
      from: prices
      where: qty <= 1 and (from is null or from <= today())
      order: [from desc]
      set: { net: price, price_rev: rev }
  - name: vat
    when: net is not null
    set: { gross: "round(net * (100 + rate.pct) / 100, 2)" }
  - name: known vat
    when: vat is not null and rate.pct is null
    set: { gross: "number('no VAT rate')" }
  - name: images
    list:
      from: images
      order: [pos]
      set: { images: { url: url } }
`

func (l *lab) config(rulesText string) Config {
	on := [][2]string{{"no", "no"}}
	return Config{
		Pipeline: "t",
		View: View{
			Name: "shop", Root: "t.erp.product", Checkpoints: []string{"t.erp.checkpoints"},
			Children: []Child{{Name: "prices", Topic: "t.erp.price", On: on, OrderBy: []Order{{Column: "qty"}}}, {Name: "images", Topic: "t.erp.image", On: on, OrderBy: []Order{{Column: "pos"}}}},
			Lookups:  []Lookup{{Name: "rate", Topic: "t.erp.rate", On: []LookupOn{{Column: "code", Of: "vat"}}}},
		},
		Rules: []rules.Source{{Name: "shop.rules.yaml", Layer: "customer", Data: []byte(rulesText)}},
		Zone:  time.UTC, Client: l.client, Registry: l.registry, Partitions: labPartitions, Clock: l.clock.Now,
	}
}

// worker is a running view.
type worker struct {
	*Runner
	store *Store
	stop  func()
}

// running is start, and waits until everything there is was done.
func (l *lab) running(cfg Config) *worker {
	l.t.Helper()
	w := l.start(cfg)
	l.settled(w)
	return w
}

func (l *lab) start(cfg Config) *worker {
	l.t.Helper()
	store, err := OpenStore(l.stateDir, StoreOptions{CacheMB: 8})
	check(l.t, err)
	cfg.Store = store
	r, err := NewRunner(cfg)
	check(l.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	w := &worker{Runner: r, store: store}
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Errorf("run: %v", err)
		}
		check(l.t, store.Close())
	})
	l.t.Cleanup(w.stop)
	return w
}

// products reads the newest state of the cleaned topic as "field=value …" by key, and how many records it holds in all.
func (l *lab) products() (map[string]string, int) {
	l.t.Helper()
	ctx := l.t.Context()
	table, err := l.registry.Table(ctx, "t.shop")
	if errors.Is(err, registry.ErrNotFound) {
		return nil, 0
	}
	check(l.t, err)
	codec, err := schemas.Compile(table)
	check(l.t, err)
	out, n := map[string]string{}, 0
	for p := range int32(labPartitions) {
		check(l.t, l.client.Scan(ctx, "t.shop", p, 0, -1, func(r *kafka.Record) error {
			n++
			_, body, err := schemas.ParseFrame(r.Key)
			check(l.t, err)
			key, err := codec.DecodeKey(nil, body)
			check(l.t, err)
			if r.Value == nil {
				delete(out, key[0].String())
				return nil
			}
			_, body, err = schemas.ParseFrame(r.Value)
			check(l.t, err)
			row, err := codec.DecodeValue(nil, body)
			check(l.t, err)
			var parts []string
			for i := 1; i < len(row); i++ {
				parts = append(parts, table.Columns[i].Name+"="+row[i].String())
			}
			out[key[0].String()] = strings.Join(parts, " ")
			return nil
		}))
	}
	return out, n
}

// eventually polls a condition until it holds.
func (l *lab) eventually(what string, ok func() bool) {
	l.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			got, n := l.products()
			l.t.Fatalf("never came: %s\nproducts (%d records): %v", what, n, got)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// settled waits until every task has evaluated the newest checkpoint.
func (l *lab) settled(w *worker) {
	l.t.Helper()
	want := fmt.Sprintf("0/%X", l.seq)
	l.eventually("all tasks at "+want, func() bool {
		s := w.Status()
		if len(s.Positions) != labPartitions {
			return false
		}
		for _, p := range s.Positions {
			if p.Value != want {
				return false
			}
		}
		return s.State == "live"
	})
}

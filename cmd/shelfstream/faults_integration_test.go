//go:build integration

package main

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	kgo "github.com/segmentio/kafka-go"

	"shelfstream/internal/kafka"
	"shelfstream/internal/kafka/embedded"
	"shelfstream/internal/testenv"
)

// TestFaultsInSystems plays what needs an ERP and a shop. More prompts:
//
//	net>     cut or heal the way to erp, shop or registry
//	put>     topic text: a record with that text as key and value, or "gone" and a text: its tombstone
//	faults?  kind name: the stage's state, and its faults
//	ready?   what the admin port answers to whoever asks whether all is well
func TestFaultsInSystems(t *testing.T) {
	playAll(t, "systems", func(t *testing.T, d *dialogue) *playground {
		f := &faultWorld{env: map[string]string{}, proxies: map[string]*testenv.Proxy{}, runs: map[string]*backgroundRun{}}
		if strings.Contains(d.files["pipeline.yaml"], "${CHAT}") { // people are told, and nothing runs
			t.Parallel()
			f.playground = newPlayground(t, d, f.env)
			f.channels(t)
			f.followers()
			return f.playground
		}
		s := databases(t)
		if d.files["erp server"] != "" {
			s.erp = ownERP(t, strings.Fields(d.files["erp server"]))
		}
		f.erpServer, f.shopServer = s.erp, s.shop
		for name, addr := range map[string]string{"erp": s.erp.Addr(), "shop": s.shop.Addr()} {
			f.proxy(t, name, addr)
		}
		// Users other than the servers' own: the dialogue makes them.
		f.env["ERP_DSN"], f.env["SHOP_DSN"] = s.erp.DSNThrough(f.proxies["erp"], "it"), s.shop.DSNThrough(f.proxies["shop"], "it")
		f.env["ERP_AS_READER"] = strings.Replace(f.env["ERP_DSN"], "postgres@", "it_reader@", 1)
		f.env["SHOP_AS_WRITER"] = strings.Replace(f.env["SHOP_DSN"], "root@", "it_writer@", 1)
		if own, ok := d.files["kafka"]; ok {
			f.startKafka(t, strings.Fields(own))
		} else if strings.Contains(d.files["pipeline.yaml"], "${BROKER}") {
			f.startLog(t, d.files["registry"])
		}
		if strings.Contains(d.files["pipeline.yaml"], "${REST}") {
			f.startREST(t)
		}
		f.playground = newPlayground(t, d, f.env)
		f.hurry(t)
		f.connect(t, s)
		f.small = strings.TrimSpace(d.files["disk"])
		_, f.own = d.files["process"]
		if strings.Contains(d.files["pipeline.yaml"], "${ADMIN}") {
			var err error
			if f.env["ADMIN"], err = testenv.FreeAddr(); err != nil {
				t.Fatal(err)
			}
		}
		f.say["$"], f.say["erp"], f.say["shop"], f.say["log"] = f.commandOrRun, f.inERP, f.inShop, f.inLog
		f.say["net"], f.say["put"], f.say["faults"], f.say["ready"] = f.net, f.put, f.faults, f.ready
		f.diskPrompts()
		f.followers()
		return f.playground
	})
}

// faultWorld is a playground with systems.
type faultWorld struct {
	*playground
	env     map[string]string
	proxies map[string]*testenv.Proxy
	erp     *pgx.Conn
	shop    *sql.DB
	client  *kafka.Client // of the log outside the pipeline, if there is one

	running *shell // the newest in this process
	runs    map[string]*backgroundRun
	rest    *restServer
	small   string           // directory on a small disk; then the pipeline runs in a process of its own
	own     bool             // the pipeline runs in a process of its own
	room    *testenv.Process // that has a disk on which a server keeps a table
	process *testenv.Process

	log        *embedded.Broker // outside the pipeline
	kafka      *testenv.Kafka   // instead of it
	broken     damaged          // in its files
	logDir     string
	taken      net.Listener
	erpServer  *testenv.Postgres
	standby    *testenv.Postgres
	replica    *testenv.MariaDB
	shopServer *testenv.MariaDB
	member     *kgo.ConsumerGroup
	login      *url.Userinfo // that the registry asks for
	erp2       *pgx.Conn     // prompts of their own
	shop2      *sql.Conn
}

// hurry lets what waits for a person be tried again each second, below everything that has a place in the file.
func (f *faultWorld) hurry(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(f.config())
	if err == nil && !strings.Contains(string(text), "\nretries:") {
		err = os.WriteFile(f.config(), append(text, "retries: { most: 1s, slow: 1s }\n"...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (f *faultWorld) proxy(t *testing.T, name, addr string) {
	t.Helper()
	p, err := testenv.NewProxy(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	f.proxies[name] = p
}

// startLog starts a log and a registry outside the pipeline.
func (f *faultWorld) startLog(t *testing.T, login string) {
	t.Helper()
	f.logDir = t.TempDir()
	addr, err := testenv.FreeAddr() // it is free while the log is stopped, too
	if err != nil {
		t.Fatal(err)
	}
	b, err := embedded.Start(embedded.Config{Dir: f.logDir, Listen: addr})
	if err != nil {
		t.Fatal(err)
	}
	f.log = b
	t.Cleanup(func() { closeServer(t, func() error { return f.log.Close() }) })
	f.startRegistry(t, b.Addr(), login)
}

// startRegistry starts the registry outside the pipeline; login is the user and the password that it asks for, "" for none.
func (f *faultWorld) startRegistry(t *testing.T, broker, login string) {
	t.Helper()
	var url string
	f.client, url = registryOn(t, broker)
	if login != "" {
		url = f.front(t, url, login)
	}
	f.proxy(t, "registry", strings.TrimPrefix(url, "http://"))
	f.env["BROKER"], f.env["REGISTRY"] = broker, "http://"+f.proxies["registry"].Addr()
}

// connect opens the tests' own connections, and makes the tables.
func (f *faultWorld) connect(t *testing.T, s servers) {
	t.Helper()
	var err error
	if f.erp, err = pgx.Connect(t.Context(), s.erp.DSN("it")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, func() error { return f.erp.Close(context.Background()) }) })
	if f.shop, err = sql.Open("mysql", s.shop.DSN("it")+"?multiStatements=true"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, f.shop.Close) })
	for name, run := range map[string]func(*testing.T, string) string{"erp.sql": f.inERP, "shop.sql": f.inShop} {
		text, err := os.ReadFile(filepath.Join(f.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if out := run(t, string(text)); strings.HasPrefix(out, "error") {
			t.Fatal(out)
		}
	}
}

func (f *faultWorld) inERP(t *testing.T, statements string) string {
	t.Helper()
	return answerOf(t, f.erp, f.onRoom(statements))
}

func answerOf(t *testing.T, c *pgx.Conn, statements string) string {
	t.Helper()
	results, err := c.PgConn().Exec(t.Context(), statements).ReadAll()
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	for _, r := range results {
		for _, row := range r.Rows {
			var cells []string
			for _, c := range row {
				cells = append(cells, string(c))
			}
			b.WriteString(strings.Join(cells, " | ") + "\n")
		}
	}
	return b.String()
}

func (f *faultWorld) inShop(t *testing.T, statement string) string {
	t.Helper()
	rows, err := f.shop.QueryContext(t.Context(), f.onRoom(statement))
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for rows.Next() {
		cells, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, c := range cells {
			if !c.Valid {
				c.String = "null"
			}
			texts = append(texts, c.String)
		}
		b.WriteString(strings.Join(texts, " | ") + "\n")
	}
	if err := rows.Err(); err != nil {
		return "error: " + err.Error() + "\n"
	}
	return b.String()
}

// backgroundRun is a command that goes on beside the dialogue.
type backgroundRun struct {
	shell *shell
	stop  func()
}

// commandOrRun runs a command line; "run &" goes on beside the dialogue, "stop" ends all of those and "stop run" that one.
func (f *faultWorld) commandOrRun(t *testing.T, line string) string {
	t.Helper()
	if line, ok := strings.CutSuffix(line, " &"); ok {
		switch {
		case f.small != "":
			f.runOnSmallDisk(t)
			return ""
		case f.own:
			f.runInProcess(t, line)
			return ""
		}
		shell, stop := begin(t, f.env, f.arguments(line)...)
		f.running, f.runs[line] = shell, &backgroundRun{shell, stop}
		return ""
	}
	if one, ok := strings.CutPrefix(line, "stop "); ok {
		f.runs[one].stop()
		return ""
	}
	if line == "stop" {
		if f.process != nil {
			if err := f.process.Stop(t.Context()); err != nil {
				return err.Error() + "\n"
			}
			return ""
		}
		for _, r := range f.runs {
			r.stop()
		}
		clear(f.runs)
		return ""
	}
	return f.command(t, line)
}

var logTime = regexp.MustCompile(`^time=\S+ `)

// inLog gives the first line of the running pipeline's log that has the words.
func (f *faultWorld) inLog(t *testing.T, words string) string {
	t.Helper()
	var text string
	if f.process != nil {
		b, err := os.ReadFile(filepath.Join(f.dir, "run.log"))
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	} else {
		text = f.running.stderr.String()
	}
	for line := range strings.Lines(text) {
		if strings.Contains(line, words) {
			return logTime.ReplaceAllString(line, "")
		}
	}
	return ""
}

// net cuts or heals a way: "cut shop"; "point standby erp" lets the address of one lead to another's server.
func (f *faultWorld) net(t *testing.T, what string) string {
	t.Helper()
	verb, name, _ := strings.Cut(what, " ")
	name, other, _ := strings.Cut(name, " ")
	p := f.proxies[name]
	if p == nil {
		t.Fatalf("no way to %q", name)
	}
	if verb == "point" {
		p.Close()
		to, err := testenv.NewProxyAt(p.Addr(), f.proxies[other].Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(to.Close)
		f.proxies[name] = to
		return ""
	}
	if verb == "cut" {
		p.Cut()
		return ""
	}
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	return ""
}

// put writes a record by hand into partition 0 of a topic of the running pipeline.
func (f *faultWorld) put(t *testing.T, what string) string {
	t.Helper()
	topic, text, _ := strings.Cut(what, " ")
	record := kafka.Record{Key: []byte(text), Value: []byte(text)}
	if key, ok := strings.CutPrefix(text, "gone "); ok {
		record = kafka.Record{Key: []byte(key)}
	}
	client := f.client
	if client == nil {
		cfg, err := loadPipeline(f.config(), func(name string) (string, bool) { v, ok := f.env[name]; return v, ok })
		if err != nil {
			t.Fatal(err)
		}
		e, ok := readEndpoints(t.Context(), cfg)
		if !ok {
			t.Fatal("the pipeline does not run")
		}
		if client, err = kafka.Open(kafka.Config{Brokers: []string{e.Broker}}); err != nil {
			t.Fatal(err)
		}
		defer client.Close()
	}
	f.produce(t, client, topic, record)
	return ""
}

func (f *faultWorld) produce(t *testing.T, client *kafka.Client, topic string, record kafka.Record) {
	t.Helper()
	p, err := client.NewProducer(t.Context(), kafka.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Produce(t.Context(), topic, 0, record), p.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
}

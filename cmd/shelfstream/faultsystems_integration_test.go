//go:build integration

package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"shelfstream/internal/testenv"
)

// Sections of a dialogue that has a server of its own: "erp server" names settings (name=value; a name alone is left to the server's own files), "kafka" the properties of an
// Apache Kafka with a listener (BROKER_USERS) where the user it has the password right. Prompts:
//
//	erp2> shop2>  SQL on a second connection, which keeps its transaction and its locks
//	stock>        SQL in the database stock of the ERP's server, on a connection that ends with it
//	kafka>        Class arguments: one of Kafka's own tools
//	rest>         what the server at REST has, and what it says
//	standby>      start or stop a standby of the ERP's own server, ERP_STANDBY
//	replica>      start: a replica of the shop's server, SHOP_REPLICA, that writes no log; my.cnf name=value…: lines in its my.cnf, and a restart
func (f *faultWorld) moreSystems() {
	f.registryPrompts()
	f.say["erp2"], f.say["shop2"], f.say["kafka"], f.say["standby"] = f.inERP2, f.inShop2, f.kafkaTool, f.switchStandby
	f.say["rest"], f.say["replica"], f.say["stock"] = f.inREST, f.configureReplica, f.inStock
}

func (f *faultWorld) inERP2(t *testing.T, statements string) string {
	t.Helper()
	if f.erp2 == nil {
		var err error
		if f.erp2, err = pgx.Connect(t.Context(), f.erpServer.DSN("it")); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closeServer(t, func() error { return f.erp2.Close(context.Background()) }) })
	}
	return answerOf(t, f.erp2, statements)
}

func (f *faultWorld) inStock(t *testing.T, statements string) string {
	t.Helper()
	c, err := pgx.Connect(t.Context(), f.erpServer.DSN("stock"))
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	defer closeServer(t, func() error { return c.Close(context.Background()) })
	return answerOf(t, c, statements)
}

func (f *faultWorld) inShop2(t *testing.T, statement string) string {
	t.Helper()
	if f.shop2 == nil {
		var err error
		if f.shop2, err = f.shop.Conn(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := f.shop2.Close(); err != nil && !strings.Contains(err.Error(), "already closed") {
				t.Error(err)
			}
		})
	}
	if _, err := f.shop2.ExecContext(t.Context(), statement); err != nil {
		return "error: " + err.Error() + "\n"
	}
	return ""
}

// startKafka starts an Apache Kafka and a registry outside the pipeline.
func (f *faultWorld) startKafka(t *testing.T, properties []string) {
	t.Helper()
	opts := []testenv.KafkaOption{testenv.KafkaUsers(map[string]string{"it": "right"})}
	for _, p := range properties {
		name, value, _ := strings.Cut(p, "=")
		opts = append(opts, testenv.KafkaProperty(name, value))
	}
	k, err := testenv.StartKafka(t.Context(), "", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, k.Close) })
	f.kafka = k
	f.startRegistry(t, k.Addr(), "")
	f.env["BROKER_USERS"] = k.SASLAddr()
}

func (f *faultWorld) kafkaTool(t *testing.T, line string) string {
	t.Helper()
	words := strings.Fields(line)
	for i, w := range words {
		if name, ok := strings.CutPrefix(w, "./"); ok {
			words[i] = filepath.Join(f.dir, name)
		}
	}
	out, err := f.kafka.Tool(t.Context(), words[0], append([]string{"--bootstrap-server", f.kafka.Addr()}, words[1:]...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return ""
}

func (f *faultWorld) switchStandby(t *testing.T, what string) string {
	t.Helper()
	if what == "stop" {
		closeServer(t, f.standby.Close)
		return ""
	}
	var err error
	if f.standby, err = f.erpServer.StartStandby(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, f.standby.Close) })
	f.proxy(t, "standby", f.standby.Addr())
	f.env["ERP_STANDBY"] = f.standby.DSNThrough(f.proxies["standby"], "it")
	return ""
}

func (f *faultWorld) configureReplica(t *testing.T, what string) string {
	t.Helper()
	if lines, ok := strings.CutPrefix(what, "my.cnf "); ok {
		for line := range strings.FieldsSeq(lines) {
			name, value, _ := strings.Cut(line, "=")
			f.replica.Set(name, value)
		}
		if err := f.replica.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		return ""
	}
	var err error
	// What a sink writes into the shop goes into tables that were made before.
	f.replica, err = f.shopServer.StartReplica(t.Context(), "it", testenv.MariaDBSetting("skip_log_bin", ""),
		testenv.MariaDBSetting("replicate_wild_ignore_table", "it.product"), testenv.MariaDBSetting("replicate_wild_ignore_table", "it.shelfstream%"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, f.replica.Close) })
	f.env["SHOP_REPLICA"] = f.replica.DSNAs("it_writer", "", "it")
	return ""
}

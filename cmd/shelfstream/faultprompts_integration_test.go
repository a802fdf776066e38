//go:build integration

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	kgo "github.com/segmentio/kafka-go"

	"shelfstream/internal/kafka/embedded"
	"shelfstream/internal/testenv"
)

// More prompts, for what people do who follow a fault's text:
//
//	edit>     file: old => new, in a file of the pipeline
//	file>     make a file of that name, with "name <= text" one that says something, or remove it with "gone name"
//	folder?   what lies in a folder: names and contents
//	port>     take or leave an address of the environment
//	slot>     take name: another client reads a replication slot, until the server ends it
//	topic>    delete name, set name setting=value, records name: how many it has, or trim name: what goes up to the broken batch is deleted
//	broker>   stop or start the log outside the pipeline; keep or put back its files, as a backup does; damage topic: a batch of it on the disk
//	group>    join or leave name: a program of another kind that is a member of a consumer group
//	causes>   a command line, of which only the causes of its faults are shown
//	registry> METHOD path body
//	server>   restart the ERP's server, of a dialogue that has one of its own
func (f *faultWorld) followers() {
	f.say["edit"], f.say["file"], f.say["port"], f.say["slot"] = f.edit, f.makeFile, f.port, f.takeSlot
	f.say["topic"], f.say["broker"], f.say["registry"] = f.topic, f.switchBroker, f.askRegistry
	f.say["server"], f.say["folder"], f.say["group"] = f.server, f.folder, f.group
	f.moreSystems()
	f.say["causes"] = func(t *testing.T, line string) string {
		t.Helper()
		return causesIn(newShell(f.env).program.dispatch(t.Context(), append(strings.Fields(line), "-config", f.config())))
	}
}

func (f *faultWorld) edit(t *testing.T, what string) string {
	t.Helper()
	name, change, _ := strings.Cut(what, ": ")
	from, to, ok := strings.Cut(change, " => ")
	path := filepath.Join(f.dir, name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !ok || strings.Count(string(text), from) != 1 {
		t.Fatalf("%s has not once %q", name, from)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return ""
}

func (f *faultWorld) makeFile(t *testing.T, what string) string {
	t.Helper()
	what, text, _ := strings.Cut(what, " <= ")
	name, gone := strings.CutPrefix(what, "gone ")
	path := filepath.Join(f.dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if gone {
		err = os.RemoveAll(path)
	} else if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ""
}

// folder lists a folder; of a small disk that only the pipeline's process sees, it asks there. Long contents are counted.
func (f *faultWorld) folder(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(f.dir, name)
	if f.process != nil {
		dir = fmt.Sprintf("/proc/%d/root%s", f.process.PID(), dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return "error: " + err.Error() + "\n"
		}
		if text := strings.TrimSpace(string(content)); len(text) < 200 {
			fmt.Fprintf(&b, "%s: %s\n", e.Name(), text)
		} else {
			fmt.Fprintf(&b, "%s: %d bytes\n", e.Name(), len(content))
		}
	}
	return b.String()
}

func (f *faultWorld) port(t *testing.T, what string) string {
	t.Helper()
	verb, name, _ := strings.Cut(what, " ")
	if verb == "leave" {
		closeServer(t, f.taken.Close)
		return ""
	}
	var err error
	if f.taken, err = net.Listen("tcp", f.env[name]); err != nil {
		t.Fatal(err)
	}
	return ""
}

// takeSlot reads a slot as another program would, until the server ends the connection.
func (f *faultWorld) takeSlot(t *testing.T, what string) string {
	t.Helper()
	c, err := pgconn.Connect(t.Context(), f.env["ERP_DSN"]+"&replication=database&application_name=somebody")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, func() error { return c.Close(context.Background()) }) })
	slot := strings.TrimPrefix(what, "take ")
	start := "START_REPLICATION SLOT " + slot + " LOGICAL 0/0 (proto_version '1', publication_names '" + slot + "')"
	// The answer is a stream without an end; what matters is that it began. While the server has not noticed that the one before has gone, it refuses.
	err = testenv.WaitFor(t.Context(), "the slot", func() (bool, error) {
		c.Frontend().SendQuery(&pgproto3.Query{String: start})
		if err := c.Frontend().Flush(); err != nil {
			return false, err
		}
		for {
			switch m, err := c.ReceiveMessage(t.Context()); m.(type) {
			case *pgproto3.CopyBothResponse:
				return true, nil
			case *pgproto3.ReadyForQuery:
				return false, nil
			default:
				if err != nil {
					return false, err
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return ""
}

// broker is the address of the log, the pipeline's own or the one outside.
func (f *faultWorld) broker(t *testing.T) string {
	t.Helper()
	if b := f.env["BROKER"]; b != "" {
		return b
	}
	cfg, err := loadPipeline(f.config(), func(name string) (string, bool) { v, ok := f.env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	e, ok := readEndpoints(t.Context(), cfg)
	if !ok {
		t.Fatal("the pipeline does not run")
	}
	return e.Broker
}

func (f *faultWorld) topic(t *testing.T, what string) string {
	t.Helper()
	words := strings.Fields(what)
	c := &kgo.Client{Addr: kgo.TCP(f.broker(t))}
	switch words[0] {
	case "records":
		return fmt.Sprintf("%d\n", f.records(t, words[1]))
	case "trim":
		f.trim(t, words[1])
	case "delete":
		r, err := c.DeleteTopics(t.Context(), &kgo.DeleteTopicsRequest{Topics: words[1:]})
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range r.Errors {
			if err != nil {
				t.Fatal(err)
			}
		}
	case "set":
		name, value, _ := strings.Cut(words[2], "=")
		r, err := c.IncrementalAlterConfigs(t.Context(), &kgo.IncrementalAlterConfigsRequest{Resources: []kgo.IncrementalAlterConfigsRequestResource{{
			ResourceType: kgo.ResourceTypeTopic, ResourceName: words[1],
			Configs: []kgo.IncrementalAlterConfigsRequestConfig{{Name: name, Value: value, ConfigOperation: kgo.ConfigOperationSet}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Resources[0].Error; err != nil {
			t.Fatal(err)
		}
	default:
		t.Fatalf("%q is nothing to do with a topic", what)
	}
	return ""
}

func (f *faultWorld) switchBroker(t *testing.T, what string) string {
	t.Helper()
	var err error
	switch {
	case strings.HasPrefix(what, "damage "):
		f.damage(t, strings.TrimPrefix(what, "damage "))
	case f.kafka != nil && what == "stop":
		err = f.kafka.Stop(t.Context())
	case f.kafka != nil:
		err = f.kafka.Restart(t.Context())
	case what == "stop":
		err = f.log.Close()
	case what == "keep":
		err = os.CopyFS(f.logDir+"-kept", os.DirFS(f.logDir))
	case what == "put back":
		err = errors.Join(os.RemoveAll(f.logDir), os.CopyFS(f.logDir, os.DirFS(f.logDir+"-kept")))
	default:
		f.log, err = embedded.Start(embedded.Config{Dir: f.logDir, Listen: f.env["BROKER"]})
	}
	if err != nil {
		t.Fatal(err)
	}
	return ""
}

func (f *faultWorld) askRegistry(t *testing.T, what string) string {
	t.Helper()
	if what == "move" {
		f.moveRegistry(t)
		return ""
	}
	words := strings.SplitN(what, " ", 3)
	var body io.Reader = http.NoBody
	if len(words) == 3 {
		body = strings.NewReader(words[2])
	}
	req, err := http.NewRequestWithContext(t.Context(), words[0], f.registryOfOthers()+words[1], body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	if f.login != nil {
		password, _ := f.login.Password()
		req.SetBasicAuth(f.login.Username(), password)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode == http.StatusOK {
		return ""
	}
	return strconv.Itoa(r.StatusCode) + " " + strings.TrimSpace(string(text)) + "\n"
}

// ownERP starts a server with a database of its own, in which the settings named are the server's defaults.
func ownERP(t *testing.T, defaults []string) *testenv.Postgres {
	t.Helper()
	opts := []testenv.PostgresOption{testenv.PostgresNoFsync()}
	for _, name := range defaults {
		if name, value, ok := strings.Cut(name, "="); ok {
			opts = append(opts, testenv.PostgresSetting(name, value))
			continue
		}
		opts = append(opts, testenv.PostgresDefault(name))
	}
	p, err := testenv.StartPostgres(t.Context(), "", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, p.Close) })
	if _, err := p.CreateDatabase(t.Context(), "it"); err != nil {
		t.Fatal(err)
	}
	return p
}

// server stops and starts the ERP's own server again.
func (f *faultWorld) server(t *testing.T, _ string) string {
	t.Helper()
	if err := f.erpServer.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.erpServer.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	var err error
	if f.erp, err = pgx.Connect(t.Context(), f.erpServer.DSN("it")); err != nil {
		t.Fatal(err)
	}
	return ""
}

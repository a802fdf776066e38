//go:build integration

package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/linkedin/goavro/v2"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
)

// The section "registry" names the user and the password that the registry asks for. More prompts:
//
//	registry>  besides METHOD path body: "move" starts another registry, REGISTRY_NEW, that has all schemas of the first; those that register> sends go there then
//	write>     topic subject key value: a record as a program of somebody else writes it, both parts as Avro's JSON, the value under the newest schema of the subject
func (f *faultWorld) registryPrompts() {
	f.say["write"] = f.write
}

// registryFront stands before a registry: it asks for a login, and is read-only when it is told to be, as Confluent's is with PUT /mode.
type registryFront struct {
	inner    http.Handler
	user     string
	password string
	readOnly atomic.Bool
}

func (f *faultWorld) front(t *testing.T, inner, login string) string {
	t.Helper()
	target, err := url.Parse(inner)
	if err != nil {
		t.Fatal(err)
	}
	r := &registryFront{inner: httputil.NewSingleHostReverseProxy(target)}
	r.user, r.password, _ = strings.Cut(strings.TrimSpace(login), " ")
	f.login = url.UserPassword(r.user, r.password)
	web := httptest.NewServer(r)
	t.Cleanup(web.Close)
	return web.URL
}

func (r *registryFront) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	answer := func(status, code int, message string) {
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error_code": code, "message": message}) // the client may be gone
	}
	user, password, _ := req.BasicAuth()
	switch {
	case user != r.user || password != r.password:
		answer(http.StatusUnauthorized, http.StatusUnauthorized, "Unauthorized")
	case req.Method == http.MethodPut && req.URL.Path == "/mode":
		var mode struct{ Mode string }
		if err := json.NewDecoder(req.Body).Decode(&mode); err != nil {
			answer(http.StatusUnprocessableEntity, 42204, err.Error())
			return
		}
		r.readOnly.Store(mode.Mode == "READONLY")
		_, _ = io.WriteString(w, `{"mode":"`+mode.Mode+`"}`)
	case r.readOnly.Load() && (req.Method == http.MethodPut || req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/versions")):
		answer(http.StatusUnprocessableEntity, 42205, "Subject "+strings.Split(req.URL.Path, "/")[2]+" is in read-only mode")
	default:
		r.inner.ServeHTTP(w, req)
	}
}

// moveRegistry starts a second registry with what the first has.
func (f *faultWorld) moveRegistry(t *testing.T) {
	t.Helper()
	from := &registryLog{client: f.client, topic: "_schemas"}
	to, err := openRegistryLog(t.Context(), f.client, registryConfig{topic: "_schemas_new", owner: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := from.Replay(t.Context(), func(key, value []byte) error { return to.Append(t.Context(), key, value) }); err != nil {
		t.Fatal(err)
	}
	closeServer(t, func() error { return to.Close(context.Background()) })
	r, err := startRegistry(t.Context(), f.client, registryConfig{topic: "_schemas_new", listen: "127.0.0.1:0", owner: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, func() error { return r.Close(context.Background()) }) })
	f.env["REGISTRY_NEW"] = r.url
}

// registryOfOthers is where other programs register their schemas.
func (f *faultWorld) registryOfOthers() string {
	if moved := f.env["REGISTRY_NEW"]; moved != "" {
		return moved
	}
	return f.env["REGISTRY"]
}

func (f *faultWorld) write(t *testing.T, what string) string {
	t.Helper()
	words := strings.Fields(what)
	topic, subject, key, value := words[0], words[1], words[2], strings.Join(words[3:], " ")
	c := registry.NewClient(f.registryOfOthers())
	record := kafka.Record{Key: f.avro(t, c, topic+"-key", key), Value: f.avro(t, c, subject, value)}
	f.produce(t, f.client, topic, record)
	return ""
}

// avro encodes Avro's JSON under the newest schema of a subject, in the form that is on topics.
func (f *faultWorld) avro(t *testing.T, c *registry.Client, subject, text string) []byte {
	t.Helper()
	id, schema, err := c.Latest(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := goavro.NewCodec(schema)
	if err != nil {
		t.Fatal(err)
	}
	native, _, err := codec.NativeFromTextual([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	b, err := codec.BinaryFromNative(schemas.AppendFrame(nil, id), native)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

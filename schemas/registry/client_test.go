package registry

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

func product(columns ...schemas.Column) *schemas.Table {
	key := schemas.Column{Name: "Item No.", Type: schemas.Type{Kind: schemas.KindText, Length: 20}}
	return &schemas.Table{Name: "moestue.erp.product", Key: []int{0}, Columns: append([]schemas.Column{key}, columns...)}
}

func register(t *testing.T, c *Client, table *schemas.Table) (key, value int32) {
	t.Helper()
	codec, err := schemas.Compile(table)
	if err != nil {
		t.Fatal(err)
	}
	if key, err = c.Register(t.Context(), table.Name+"-key", codec.KeySchema()); err != nil {
		t.Fatal(err)
	}
	if value, err = c.Register(t.Context(), table.Name+"-value", codec.ValueSchema()); err != nil {
		t.Fatal(err)
	}
	return key, value
}

func TestClientAndServer(t *testing.T) {
	log := &memoryLog{}
	web, _ := start(t, log)
	client := NewClient(web.URL)
	ctx := t.Context()
	_, err := client.Table(ctx, "moestue.erp.product")
	var f *fault.Fault
	if !errors.Is(err, ErrNotFound) || !errors.As(err, &f) || !strings.Contains(f.Where, web.URL) {
		t.Errorf("a topic that is not there: %v", err)
	}
	first := product(schemas.Column{Name: "name", Type: schemas.Type{Kind: schemas.KindText}})
	key, value := register(t, client, first)
	got, err := client.Table(ctx, first.Name)
	if err != nil || !reflect.DeepEqual(got, first) {
		t.Errorf("table %+v, %v; want %+v", got, err, first)
	}
	// The ERP drops the column and adds one that must not be null: neither is compatible with what was.
	second := product(schemas.Column{Name: "brand", Type: schemas.Type{Kind: schemas.KindText}})
	sameKey, newValue := register(t, client, second)
	if sameKey != key || newValue == value {
		t.Errorf("ids %d and %d after %d and %d", sameKey, newValue, key, value)
	}
	if id, schema, err := client.Latest(ctx, first.Name+"-value"); id != newValue || err != nil || !strings.Contains(schema, "brand") {
		t.Errorf("latest is %d %s, %v", id, schema, err)
	}
	if _, err := client.Schema(ctx, 99); !errors.Is(err, ErrNotFound) {
		t.Errorf("an id that is not there: %v", err)
	}
	// What is known needs no registry.
	records := len(log.records)
	web.Close()
	again, sameValue := register(t, client, first)
	if again != key || sameValue != value {
		t.Errorf("ids %d and %d, want %d and %d", again, sameValue, key, value)
	}
	if schema, err := client.Schema(ctx, newValue); err != nil || !strings.Contains(schema, "brand") {
		t.Errorf("schema %s, %v", schema, err)
	}
	if len(log.records) != records {
		t.Error("registering what is there wrote to the log")
	}
}

// A foreign client does with the server what it does with Confluent's.
func TestFranzGoClient(t *testing.T) {
	web, _ := start(t, &memoryLog{})
	cl, err := sr.NewClient(sr.URLs(web.URL))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	v1 := sr.Schema{Schema: recordOf(fieldA)}
	v2 := sr.Schema{Schema: recordOf(fieldA + `,{"name":"b","type":["null","int"],"default":null}`)}
	created, err := cl.CreateSchema(ctx, "t-value", v1)
	if err != nil || created.ID != 1 || created.Version != 1 || created.Subject != "t-value" {
		t.Fatalf("created %+v, %v", created, err)
	}
	check, err := cl.CheckCompatibility(ctx, "t-value", -1, v2)
	if err != nil || !check.Is {
		t.Errorf("compatibility %+v, %v", check, err)
	}
	if id, err := cl.RegisterSchema(ctx, "t-value", v2, -1, -1); id != 2 || err != nil {
		t.Errorf("registered as %d, %v", id, err)
	}
	if all, err := cl.Schemas(ctx, "t-value"); len(all) != 2 || err != nil {
		t.Errorf("schemas %+v, %v", all, err)
	}
	if all, err := cl.AllSchemas(ctx); len(all) != 2 || err != nil {
		t.Errorf("all schemas %+v, %v", all, err)
	}
	found, err := cl.LookupSchema(ctx, "t-value", v2)
	if err != nil || found.Version != 2 {
		t.Errorf("looked up %+v, %v", found, err)
	}
	if uses, err := cl.SchemaUsagesByID(ctx, 2); len(uses) != 1 || err != nil {
		t.Errorf("uses %+v, %v", uses, err)
	}
	if subjects, err := cl.SubjectsByID(ctx, 2); !reflect.DeepEqual(subjects, []string{"t-value"}) || err != nil {
		t.Errorf("subjects %v, %v", subjects, err)
	}
	if text, err := cl.SchemaTextByVersion(ctx, "t-value", 1); text != v1.Schema || err != nil {
		t.Errorf("text %s, %v", text, err)
	}
	if refs, err := cl.SchemaReferences(ctx, "t-value", 1); len(refs) != 0 || err != nil {
		t.Errorf("references %v, %v", refs, err)
	}
	for _, r := range cl.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFullTransitive}, "t-value") {
		if r.Err != nil {
			t.Error(r.Err)
		}
	}
	if level := cl.Compatibility(ctx, "t-value", ""); level[0].Level != sr.CompatFullTransitive || level[1].Level != sr.CompatBackward {
		t.Errorf("levels %+v", level)
	}
	_, err = cl.RegisterSchema(ctx, "t-value", sr.Schema{Schema: recordOf(fieldB)}, -1, -1)
	var refused *sr.ResponseError
	if !errors.As(err, &refused) || refused.ErrorCode != 409 {
		t.Errorf("an incompatible schema: %v", err)
	}
	if _, err = cl.SchemaByID(ctx, 9); !errors.As(err, &refused) || !errors.Is(refused.SchemaError(), sr.ErrSchemaNotFound) {
		t.Errorf("a missing id: %v", err)
	}
	if modes := cl.Mode(ctx); modes[0].Mode != sr.ModeReadWrite || modes[0].Err != nil {
		t.Errorf("mode %+v", modes)
	}
	if err := cl.DeleteSchema(ctx, "t-value", 2, sr.SoftDelete); err != nil {
		t.Error(err)
	}
	if versions, err := cl.DeleteSubject(ctx, "t-value", sr.SoftDelete); !reflect.DeepEqual(versions, []int{1}) || err != nil {
		t.Errorf("deleted %v, %v", versions, err)
	}
}

// failing answers 503 to the first requests.
func failing(times int32, h http.Handler) (http.Handler, *atomic.Int32) {
	var n atomic.Int32
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) <= times {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		h.ServeHTTP(w, r)
	}), &n
}

func TestClientOutlastsAnOutage(t *testing.T) {
	s, err := NewServer(t.Context(), &memoryLog{})
	if err != nil {
		t.Fatal(err)
	}
	h, n := failing(3, s)
	web := httptest.NewServer(h)
	defer web.Close()
	id, err := NewClient(web.URL).Register(t.Context(), "s", `"int"`)
	if id != 1 || err != nil || n.Load() != 6 {
		t.Errorf("id %d, %v after %d requests", id, err, n.Load())
	}
}

// A proxy that answers 404 for a registry in maintenance, in whatever form, is no answer: the call waits, and an id is never taken for unknown.
func TestForeignNotFound(t *testing.T) {
	s, err := NewServer(t.Context(), &memoryLog{})
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{"a page": "<html>404 Not Found</html>", "nothing": "", "JSON": `{"message":"no route"}`, "HTTP's own code": `{"error_code":404,"message":"HTTP 404 Not Found"}`} {
		t.Run(name, func(t *testing.T) {
			var left atomic.Int32
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if left.Add(-1) >= 0 {
					w.WriteHeader(http.StatusNotFound)
					w.Write([]byte(body))
					return
				}
				s.ServeHTTP(w, r)
			}))
			defer web.Close()
			id, err := NewClient(web.URL).Register(t.Context(), "s", `"int"`)
			if err != nil {
				t.Fatal(err)
			}
			c := NewClient(web.URL)
			left.Store(3)
			if schema, err := c.Schema(t.Context(), id); err != nil || schema != `"int"` || left.Load() >= 0 {
				t.Errorf("after the maintenance: %s, %v", schema, err)
			}
			left.Store(1 << 20)
			_, err = NewClient(web.URL, WithRetry(100*time.Millisecond)).Schema(t.Context(), id)
			var f *fault.Fault
			if errors.Is(err, ErrNotFound) || !errors.As(err, &f) || f.Class != fault.Environment || !strings.Contains(f.Fix, "proxy") {
				t.Errorf("during the maintenance: %v", err)
			}
			left.Store(0)
			if _, err := c.Schema(t.Context(), id+1); !errors.Is(err, ErrNotFound) {
				t.Errorf("an id that the registry does not know: %v", err)
			}
		})
	}
}

// deadAddress is a port of loopback at which nobody listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://erp:s3cret@" + l.Addr().String()
}

func TestClientGivesUp(t *testing.T) {
	_, err := NewClient(deadAddress(t), WithRetry(200*time.Millisecond)).Register(t.Context(), "s", `"int"`)
	var f *fault.Fault
	if !errors.As(err, &f) || f.Class != fault.Environment || f.Fix == "" || !strings.Contains(f.What, "register a schema of s, after ") {
		t.Errorf("%v", err)
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the password is shown: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := NewClient(deadAddress(t), WithRetry(-1)).Schema(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a client that never gives up: %v", err)
	}
}

func TestClientFaults(t *testing.T) {
	s, err := NewServer(t.Context(), &memoryLog{})
	if err != nil {
		t.Fatal(err)
	}
	guarded := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "erp" || password != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.ServeHTTP(w, r)
	}))
	defer guarded.Close()
	trust := WithTLS(guarded.Client().Transport.(*http.Transport).TLSClientConfig)
	if id, err := NewClient(guarded.URL, trust, WithBasicAuth("erp", "s3cret")).Register(t.Context(), "s", `"int"`); id != 1 || err != nil {
		t.Errorf("with user, password and certificate: %d, %v", id, err)
	}
	inAddress := strings.Replace(guarded.URL, "https://", "https://erp:s3cret@", 1)
	if _, err := NewClient(inAddress, trust).Schema(t.Context(), 1); err != nil {
		t.Errorf("with the password in the address: %v", err)
	}
	strict := httptest.NewServer(s)
	defer strict.Close()
	if status, _ := call(t, strict, "POST", "/subjects/made-by-others/versions", wrapped(recordOf(fieldA))); status != 200 {
		t.Fatal(status)
	}
	for _, c := range []struct {
		client  *Client
		subject string
		class   fault.Class
		want    string
	}{
		{NewClient(guarded.URL, trust), "s", fault.Environment, "check the registry's user and password"},
		{NewClient(strict.URL), "made-by-others", fault.Environment, "set it to NONE"},
		{NewClient("registry:8081"), "s", fault.Config, "correct the registry's address"},
		{NewClient("http://erp:s3cret@:x/"), "s", fault.Config, "correct the registry's address"},
		{NewClient(strict.URL+"/elsewhere", WithRetry(0)), "s", fault.Environment, "check that the address is a schema registry's"},
	} {
		_, err := c.client.Register(t.Context(), c.subject, recordOf(fieldB))
		var f *fault.Fault
		if !errors.As(err, &f) || f.Class != c.class || !strings.Contains(f.Fix, c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v, want class %d and %q", err, c.class, c.want)
		}
	}
	broken := httptest.NewServer(s)
	defer broken.Close()
	for _, side := range []string{"key", "value"} {
		if status, body := call(t, broken, "POST", "/subjects/odd-"+side+"/versions", wrapped(`"int"`)); status != 200 {
			t.Fatal(body)
		}
	}
	if _, err := NewClient(broken.URL).Table(t.Context(), "odd"); err == nil || !strings.Contains(err.Error(), "cannot be read as a table") {
		t.Errorf("a topic of another shape: %v", err)
	}
}

// Many at once, over few schemas: one id a schema, no gaps, and the log replays to the same.
func TestManyClientsAtOnce(t *testing.T) {
	log := &memoryLog{}
	web, _ := start(t, log)
	ids := make([]int32, 64)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			var err error
			subject := "s" + strconv.Itoa(i%16)
			if ids[i], err = NewClient(web.URL).Register(t.Context(), subject, recordOf(`{"name":"f`+strconv.Itoa(i%8)+`","type":"int"}`)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, id := range ids {
		if id != ids[i%8] || id < 1 || id > 8 {
			t.Errorf("schema %d got the ids %d and %d", i%8, ids[i%8], id)
		}
	}
	again, _ := start(t, log)
	if id, err := NewClient(again.URL).Register(t.Context(), "s0", recordOf(`{"name":"f0","type":"int"}`)); id != ids[0] || err != nil {
		t.Errorf("after a replay %d, %v; want %d", id, err, ids[0])
	}
}

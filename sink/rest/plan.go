package rest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/render"
)

// plan is how the records of one view are delivered. Immutable, but for the sizes of batches.
type plan struct {
	name   string // of the entry under tables
	view   string
	once   bool
	table  *schemas.Table
	create *call
	update *call // nil: create
	remove *call // nil: nothing is called
	lookup *lookup
	header string           // of the idempotency key; "" none
	key    *render.Template // its value; nil: prefix and the record's key
	prefix string           // "<pipeline>.<sink>/<view>/"
}

// call makes requests of records and understands their answers.
type call struct {
	kind        string // for exchanges
	method      string
	path        *render.Template
	fixed       bool // the path is the same for all records
	headers     []header
	body        *render.Template // nil: none
	contentType string
	answer, err path
	named       bool // an answer must have what 'answer' names
	batch       *batch
}

type header struct {
	name  string
	value *render.Template
}

type batch struct {
	max      int
	path     string
	body     *render.Template
	items    path
	key      path
	match    *render.Template // nil: the record's key
	status   path
	now      atomic.Int32 // how many records a call has at present
	straight atomic.Int32 // full calls in a row that went well
}

type lookup struct {
	path   *render.Template
	found  path
	answer path
}

const extraAnswer = "_answer"

// compile reads the templates of one table. Without a shape only their own form is looked at.
func compile(c *Config, name string, t *TableConfig, table *schemas.Table, zone *time.Location, prefix string) (*plan, error) {
	k := compiler{where: "rest.tables." + name, table: table, zone: zone}
	p := &plan{name: name, view: t.From, once: t.Once, table: table, header: t.header(), prefix: prefix + "/" + t.From + "/"}
	p.create = k.call("", "create", &t.Call, "POST", "{{.}}")
	if t.Update != nil {
		p.update = k.call(".update", "update", t.Update, "POST", "{{.}}")
	}
	if t.Delete != nil {
		p.remove = k.call(".delete", "delete", t.Delete, "DELETE", "")
	}
	if l := t.Lookup; l != nil {
		p.lookup = &lookup{path: k.template(".lookup.path", l.Path, render.FormatURL), found: mustPath(l.Found), answer: mustPath(l.Answer)}
		if l.Answer == "" {
			p.lookup.answer = p.lookup.found
		}
	}
	if t.IdempotencyKey != "" {
		p.key = k.template(".idempotency_key", t.IdempotencyKey, render.FormatHeader)
	}
	return p, k.faults.Err()
}

type compiler struct {
	where  string
	table  *schemas.Table
	zone   *time.Location
	faults fault.List
}

func (k *compiler) template(where, text string, f render.Format) *render.Template {
	t, err := render.Compile(render.Config{Name: k.where + where, Text: text, Format: f, Table: k.table, Extra: []string{extraAnswer}, Zone: k.zone})
	if err != nil {
		k.faults = append(k.faults, fault.All(err)...)
	}
	return t
}

var formats = map[string]struct {
	format      render.Format
	contentType string
}{
	"": {render.FormatJSON, "application/json"}, "json": {render.FormatJSON, "application/json"},
	"xml": {render.FormatXML, "application/xml; charset=utf-8"}, "text": {render.FormatText, "text/plain; charset=utf-8"},
}

func (k *compiler) call(where, kind string, c *Call, method, body string) *call {
	out := &call{kind: kind, method: method, fixed: !strings.Contains(c.Path, "{{"), answer: mustPath(c.Answer), err: mustPath(c.Error), named: c.Answer != ""}
	if c.Method != "" {
		out.method = c.Method
	}
	out.path = k.template(where+".path", c.Path, render.FormatURL)
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		out.headers = append(out.headers, header{name, k.template(where+".headers."+name, c.Headers[name], render.FormatHeader)})
	}
	if c.Body != "" {
		body = c.Body
	} else if out.method == "GET" || out.method == "DELETE" {
		body = ""
	}
	f := formats[c.Format]
	out.contentType = f.contentType
	if body != "" {
		out.body = k.template(where+".body", body, f.format)
	}
	if c.Batch != nil {
		out.batch = k.batch(where+".batch", c, out)
	}
	return out
}

func (k *compiler) batch(where string, c *Call, of *call) *batch {
	b := &batch{max: c.Batch.Size, path: c.Batch.Path, items: mustPath(c.Batch.Items), key: mustPath(c.Batch.Key), status: mustPath(c.Batch.Status)}
	b.now.Store(int32(b.max))
	bad := func(what, fix string) {
		k.faults.Add(&fault.Fault{Class: fault.Config, Where: k.where + where, What: what, Fix: fix})
	}
	if b.path == "" {
		b.path = c.Path
	}
	if strings.Contains(b.path, "{{") {
		bad("a call for several records has one path", "name it with 'path' in batch, without {{ }}")
	}
	if of.body == nil || len(of.headers) > 0 && slices.ContainsFunc(of.headers, func(h header) bool { return strings.Contains(c.Headers[h.name], "{{") }) {
		bad("a call for several records has a body, and headers without {{ }}", "correct method and headers")
	}
	body := c.Batch.Body
	if body == "" {
		body = "{{.items}}"
	}
	var err error
	if b.body, err = render.Compile(render.Config{Name: k.where + where + ".body", Text: body, Format: render.FormatJSON}); err != nil {
		k.faults = append(k.faults, fault.All(err)...)
	}
	if c.Batch.Match != "" {
		b.match = k.template(where+".match", c.Batch.Match, render.FormatText)
	}
	return b
}

// size is how many records a call has at present.
func (b *batch) size() int { return int(b.now.Load()) }

// growAfter is how many full calls in a row must go well before they become larger.
const growAfter = 3

// went notes that a call with n records went well: after some full ones, size doubles.
func (b *batch) went(n int) {
	now := b.now.Load()
	if n < int(now) || int(now) >= b.max {
		return
	}
	if b.straight.Add(1) >= growAfter {
		b.straight.Store(0)
		b.now.CompareAndSwap(now, min(2*now, int32(b.max)))
	}
}

// shrink notes that a call with n records was too much.
func (b *batch) shrink(n int) {
	b.straight.Store(0)
	half := int32(max(1, n/2))
	for now := b.now.Load(); now > half && !b.now.CompareAndSwap(now, half); now = b.now.Load() {
	}
}

// record is a record as the plan's templates see it.
func (p *plan) record(r *sink.Record, answer string) render.Record {
	extra := map[string]any{extraAnswer: answer}
	if r.Row == nil {
		return render.KeyRecord(p.table, r.KeyValues, extra)
	}
	return render.NewRecord(p.table, r.Row, extra)
}

// request renders a call of one record.
func (c *call) request(r render.Record) (*request, error) {
	out := &request{method: c.method, contentType: c.contentType}
	b, err := c.path.Append(nil, r)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	out.path = string(b)
	for _, h := range c.headers {
		if b, err = h.value.Append(nil, r); err != nil {
			return nil, fmt.Errorf("header %s: %w", h.name, err)
		}
		out.headers = append(out.headers, [2]string{h.name, string(b)})
	}
	if c.body != nil {
		if out.body, err = c.body.Append(nil, r); err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
	}
	return out, nil
}

// hash is of everything that a request says; never 0 or 1 (see deliveries).
func (r *request) hash() uint64 {
	d := xxhash.New()
	for _, s := range []string{r.method, r.path} {
		_, _ = d.WriteString(s)
		_, _ = d.Write([]byte{0})
	}
	for _, h := range r.headers {
		_, _ = d.WriteString(h[0] + "\x00" + h[1] + "\x00")
	}
	_, _ = d.Write(r.body)
	return max(d.Sum64(), 2)
}

// nameOf is the idempotency key of a record's attempt-th delivery.
func (p *plan) nameOf(r render.Record, key string, attempt int) (string, error) {
	name := p.prefix + key
	if p.key != nil {
		b, err := p.key.Append(nil, r)
		if err != nil {
			return "", fmt.Errorf("idempotency_key: %w", err)
		}
		if name = string(b); name == "" {
			return "", errors.New("idempotency_key: is empty")
		}
	}
	if attempt > 1 {
		name += fmt.Sprintf("/%d", attempt)
	}
	return name, nil
}

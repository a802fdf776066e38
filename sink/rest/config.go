package rest

import (
	"slices"
	"time"
)

// Config is the section "rest" of a sink.
type Config struct {
	URL     string                 `yaml:"url" required:"true" doc:"Address of the interface; the paths of calls are added to it: https://erp.example.com/api/v1"`
	Auth    *Auth                  `yaml:"auth" doc:"How calls prove who makes them: token, user and password, or oauth2. A header of another name goes under headers."`
	Headers map[string]string      `yaml:"headers" doc:"Headers of every call, with fixed values; they count as secrets."`
	TLS     *TLS                   `yaml:"tls" doc:"Certificates, where the system's are not enough."`
	Timeout time.Duration          `yaml:"timeout" doc:"A call that takes longer is given up; 30s if left out."`
	Rate    float64                `yaml:"rate" doc:"Most calls a second, over all workers of a process; no limit if left out."`
	Workers int                    `yaml:"workers" doc:"Calls that are under way at once, each for another partition; the number of partitions, at most 4, if left out."`
	Probe   string                 `yaml:"probe" doc:"Path that 'check -connect' asks for with GET, and that tells whether the other side is well when it fails for a record."`
	Tables  map[string]TableConfig `yaml:"tables" required:"true" doc:"What is delivered, by a name of your own: the calls for the records of one view."`
}

// Auth is how calls prove who makes them; one of its three kinds.
type Auth struct {
	Token    string  `yaml:"token" secret:"true" doc:"A token that does not expire: Authorization: Bearer …"`
	User     string  `yaml:"user" doc:"User name for HTTP basic authentication."`
	Password string  `yaml:"password" secret:"true" doc:"Password for HTTP basic authentication; best as ${NAME} or file:/path."`
	OAuth2   *OAuth2 `yaml:"oauth2" doc:"OAuth 2.0 client credentials: a token is asked for, kept, and renewed before it expires or when it is refused."`
}

// OAuth2 is the client credentials grant (RFC 6749, 4.4).
type OAuth2 struct {
	TokenURL     string            `yaml:"token_url" required:"true" doc:"Address that gives tokens."`
	ClientID     string            `yaml:"client_id" required:"true" doc:"Name of this client."`
	ClientSecret string            `yaml:"client_secret" required:"true" secret:"true" doc:"The client's secret; best as ${NAME} or file:/path."`
	Scopes       []string          `yaml:"scopes" doc:"Scopes to ask for."`
	Params       map[string]string `yaml:"params" doc:"Further parameters of the request, e.g. audience."`
}

// TLS is how connections are secured.
type TLS struct {
	CA         string `yaml:"ca" doc:"File with the certificates trusted; the system's if left out."`
	Cert       string `yaml:"cert" doc:"File with this program's certificate."`
	Key        string `yaml:"key" doc:"File with this program's private key."`
	ServerName string `yaml:"server_name" doc:"Name the server's certificate must have; the address's host if left out."`
	Insecure   bool   `yaml:"insecure_skip_verify" doc:"Accept any certificate. For tests only."`
}

// TableConfig is what is delivered of one view. Paths, headers and bodies are templates over a record: see sink/render.
type TableConfig struct {
	From   string `yaml:"from" required:"true" doc:"A view: each of its records is delivered."`
	Call   `yaml:",inline"`
	Once   bool    `yaml:"once" doc:"A record is delivered once; its later changes are not sent. For orders."`
	Update *Call   `yaml:"update" doc:"The call for a record that was delivered before; the same call as for a new one if left out. {{._answer}} is what was answered then."`
	Delete *Call   `yaml:"delete" doc:"The call for a record that is gone, with its key and {{._answer}}; none is made if left out."`
	Lookup *Lookup `yaml:"lookup" doc:"A GET that tells whether the other side has a record already. It is asked before a call is repeated whose answer got lost."`

	IdempotencyHeader string `yaml:"idempotency_header" doc:"Header by which the other side knows a repeated call; Idempotency-Key if left out, none for none."`
	IdempotencyKey    string `yaml:"idempotency_key" doc:"Template of that header's value; <pipeline>.<sink>/<view>/<key> if left out. A second call for the same record that is no repetition gets /2 at its end, and so on."`
}

// Call is one kind of request and what is understood of its answer.
type Call struct {
	Method  string            `yaml:"method" enum:"POST,PUT,PATCH,DELETE,GET" doc:"POST if left out; DELETE for delete."`
	Path    string            `yaml:"path" doc:"Added to the sink's url, a template: /orders/{{.order_no}}. What is printed is percent-encoded."`
	Headers map[string]string `yaml:"headers" doc:"Further headers, templates."`
	Body    string            `yaml:"body" doc:"The body, a template: {\"orderNo\": {{.order_no}}, \"lines\": {{.lines}}}. In JSON values are quoted by themselves; the whole record if left out. With batch, one item of it."`
	Format  string            `yaml:"format" enum:"json,xml,text" doc:"How values are written into the body, and its Content-Type; json if left out."`
	Answer  string            `yaml:"answer" doc:"Path in the JSON answer to what the other side calls the record (its order number): data.orderNo. It is kept, and written to the topic <pipeline>.<sink>.answers. An answer without it is a refusal."`
	Error   string            `yaml:"error" doc:"Path in the JSON answer to a text that says why not; where it is there, the record is refused, whatever the status."`
	Batch   *Batch            `yaml:"batch" doc:"Several records in one call."`
}

// Batch is a call for several records. Paths to the answer's parts are those of the call, in each item.
type Batch struct {
	Size   int    `yaml:"size" required:"true" doc:"Most records in one call. It is halved while calls time out, are too large or fail, and grows again."`
	Path   string `yaml:"path" doc:"Path of the batch call; the call's if left out."`
	Body   string `yaml:"body" doc:"The whole body, a template where {{.items}} is the JSON list of the items: {\"create\": {{.items}}}. The list alone if left out."`
	Items  string `yaml:"items" doc:"Path in the JSON answer to the list of items; the answer itself if left out."`
	Key    string `yaml:"key" doc:"Path in an item to the key that 'match' gives; items come in the order of the request if left out, and an item without it counts by its place."`
	Match  string `yaml:"match" doc:"Template that gives what stands at 'key'; the record's key if left out."`
	Status string `yaml:"status" doc:"Path in an item to its HTTP status: error.data.status. An item without one was taken, unless 'error' is there."`
}

// Lookup tells whether the other side has a record.
type Lookup struct {
	Path   string `yaml:"path" required:"true" doc:"Path of the GET, a template: /orders?externalId={{.order_no}}."`
	Found  string `yaml:"found" doc:"Path in the JSON answer that is there if the record is: items[0].orderNo. Without it any status below 300 means that it is there. 404 and 410 mean that it is not."`
	Answer string `yaml:"answer" doc:"Path in the JSON answer to what the other side calls the record; 'found' if left out."`
}

const (
	defaultTimeout = 30 * time.Second
	headerNone     = "none"
)

// Views names the views that are delivered, each once, sorted.
func (c *Config) Views() []string {
	var v []string
	for _, t := range c.Tables {
		if !slices.Contains(v, t.From) {
			v = append(v, t.From)
		}
	}
	slices.Sort(v)
	return v
}

func (t *TableConfig) header() string {
	switch t.IdempotencyHeader {
	case "":
		return "Idempotency-Key"
	case headerNone:
		return ""
	}
	return t.IdempotencyHeader
}

package tabletest

import (
	"context"
	"strings"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
	"shelfstream/sink/table"
)

// ServerSettings tests that neither what a server does by default nor what it has become changes how rows are written.
func ServerSettings(t *testing.T, k *Kit) {
	k.run(t, map[string]func(*testing.T, *Kit){
		"SessionIsOurs":  sessionIsOurs,
		"ReadOnlyServer": readOnlyServer,
	})
}

// Session is what the connector's connections are set to.
type Session struct {
	// Wrong are statements that set the server's defaults otherwise, Right those that undo it.
	Wrong, Right []string
	// Params are parameters of an address that would set a session otherwise.
	Params string
	// Query asks a session for its settings, and Want is the row that it gives.
	Query, Want string
}

// pooled are clients of a pool.
type pooled struct{ table.Pool }

// Query implements Client.
func (p pooled) Query(ctx context.Context, statement string) (out [][]*string, err error) {
	c, err := p.Get(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Release(false)
	err = c.Query(ctx, []byte(statement), func(vals [][]byte) error {
		row := make([]*string, len(vals))
		for i, v := range vals {
			if v != nil {
				text := string(v)
				row[i] = &text
			}
		}
		out = append(out, row)
		return nil
	})
	return out, err
}

// Neither the server's defaults nor parameters of the address change how we write.
func sessionIsOurs(t *testing.T, k *Kit) {
	d := k.Database(t)
	d.Exec(k.Session.Wrong...)
	defer d.Exec(k.Session.Right...)
	sep := "?"
	if strings.Contains(d.DSN, "?") {
		sep = "&"
	}
	p, _, err := k.Pool(d.DSN + sep + k.Session.Params)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	d.WantBy(pooled{p}, k.Session.Query, k.Session.Want)
}

// A server that takes no writes any more: the fault says so, and the connection is given up, for the address may lead to another server by now.
func readOnlyServer(t *testing.T, k *Kit) {
	d := k.Database(t, oneDDL)
	p, name, err := k.Pool(k.Plain(d))
	if err != nil {
		t.Fatal(err)
	}
	dialect := k.Dialect()
	tg := d.checked(d.opened(table.Open(table.Config{Section: dialect.Section, Tables: oneTable}, dialect, p, table.Options{Sink: "shop", Database: name}), nil), []sink.View{sinktest.View()})
	s := Open(t, tg, sinktest.View(), 0)
	before := d.RowsBy(pooled{p}, "SELECT {connection}")[0]
	b := &sink.Batch{Records: []sink.Record{sinktest.Record(0, 1, "one", 1)}, Next: 1}
	d.Exec(k.ReadOnly...)
	_, err = s.Apply(t.Context(), b)
	_, oerr := tg.Open(t.Context(), sink.Partition{View: sinktest.View(), ID: 1})
	d.Exec(k.Writable...)
	for _, err := range []error{err, oerr} {
		if f := fault.All(err); len(f) != 1 || f[0].Class != fault.Environment || !strings.Contains(f[0].What, "read-only") {
			t.Errorf("%v", err)
		}
	}
	if after := d.RowsBy(pooled{p}, "SELECT {connection}")[0]; after == before {
		t.Error("the connection to the read-only server is kept")
	}
	Apply(t, s, b)
	d.Want("SELECT no, name, counter FROM product", "1|one|1")
}

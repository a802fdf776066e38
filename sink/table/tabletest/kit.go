package tabletest

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"shelfstream/internal/testenv"
	"shelfstream/sink"
	"shelfstream/sink/table"
)

// Kit is a connector, and what has to be known of its server.
type Kit struct {
	// Server is shared: each test has a database of its own in it. Start starts another one.
	Server Server
	Start  func(ctx context.Context) (Server, error)
	// Connect makes a client of a database, given its address.
	Connect func(dsn string) (Client, error)
	// Open opens a target as the pipeline does; Pool and Dialect are what it is made of. The sink's name is "shop".
	Open    func(dsn string, tables Tables, logger *slog.Logger) (*table.Target, error)
	Pool    func(dsn string) (p table.Pool, database string, err error)
	Dialect func() *table.Dialect
	// Narrow makes a user who may only read, and insert into and update the table product, and gives the database's address for it.
	Narrow func(d *Database) (dsn string)
	// Plain makes a user who may write everywhere in the database but is not above the server's own rules, and gives the address for it.
	Plain func(d *Database) (dsn string)
	// ReadOnly are statements after which the server takes no writes, Writable undo it.
	ReadOnly, Writable []string
	Session            Session
	// Deadlocks counts those that the server has broken up, and tells of the last.
	Deadlocks func(d *Database) (n int, last string)
	// Begin are statements that every new database gets first.
	Begin []string
	Words Words
	// NoNUL says that the server has no form for the character U+0000 in a text.
	NoNUL bool

	databases atomic.Int64
}

// Words are what the suite's texts say as {word}, in statements and in what is said of them. {database} is the test's own.
//
//	exact         makes a column of text tell apart what differs in case, accents and trailing blanks
//	fold          makes a column of text take letters in either case for the same, and a blank for nothing
//	serial        a number that the server gives out
//	flag          a small number
//	text          a text of any length
//	json, datetime  those types
//	rank          the column rank, which some take for a word of their own
//	connection    the number of the connection that asks
//	true          a condition that holds, and that the server cannot know beforehand
//	erp           before a table's name, that of its schema and a point, where there are schemas
//	schema        the database's tables in information_schema.columns
//	waiting       where running statements are listed, up to the column of their text: "list WHERE state = 'waits' AND text"
//	varchar, int, smallint, decimal  what a check calls those types of a column
//	not utf8      what is said of a text that is none
//	folded key, too small, engine    a text that takes different keys for the same, a whole number too small for 32 bits with sign, and what ends a bad table; with " fault", what is said of it
//	narrow, narrow lacks, narrow grant  the user of Kit.Narrow, what it lacks for a table of ours, and where and to whom DELETE on product is granted
type Words map[string]string

// Server is a server of testenv.
type Server interface {
	CreateDatabase(ctx context.Context, name string) (dsn string, err error)
	Addr() string
	DSNThrough(proxy *testenv.Proxy, db string) string
	Stop(ctx context.Context) error
	Kill() error
	Restart(ctx context.Context) error
	Close() error
}

// Client is a connection to a database that is not the connector's, made anew when it was lost. One goroutine uses it.
type Client interface {
	// Query runs a statement, and gives the rows of its result as the server's text, nil for null.
	Query(ctx context.Context, statement string) ([][]*string, error)
	Close() error
}

// Tables are the configuration of a sink's tables.
type Tables = map[string]table.TableConfig

// Fields are columns and the view's field that each takes.
type Fields map[string]string

// Columns are fields as the configuration has them.
func (f Fields) Columns() map[string]table.ColumnConfig {
	out := map[string]table.ColumnConfig{}
	for name, field := range f {
		out[name] = table.ColumnConfig{From: field}
	}
	return out
}

// run runs tests by their names.
func (k *Kit) run(t *testing.T, tests map[string]func(*testing.T, *Kit)) {
	t.Helper()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, k) })
	}
}

// Database is a test's own.
type Database struct {
	T         *testing.T
	Name, DSN string

	kit    *Kit
	client Client
}

// Database makes a database, and runs statements in it.
func (k *Kit) Database(t *testing.T, statements ...string) *Database {
	t.Helper()
	return k.DatabaseOf(t, k.Server, statements...)
}

// DatabaseOf makes a database of another server.
func (k *Kit) DatabaseOf(t *testing.T, s Server, statements ...string) *Database {
	t.Helper()
	name := "suite" + strconv.FormatInt(k.databases.Add(1), 10)
	dsn, err := s.CreateDatabase(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	d := &Database{T: t, Name: name, DSN: dsn, kit: k}
	d.client = d.another()
	d.Exec(k.Begin...)
	d.Exec(statements...)
	return d
}

// another is another client, which ends with the test.
func (d *Database) another() Client {
	d.T.Helper()
	c, err := d.kit.Connect(d.DSN)
	if err != nil {
		d.T.Fatal(err)
	}
	d.T.Cleanup(func() { _ = c.Close() })
	return c
}

// say puts the server's words into a text.
func (d *Database) say(text string) string {
	for word, own := range d.kit.Words {
		text = strings.ReplaceAll(text, "{"+word+"}", own)
	}
	return strings.ReplaceAll(text, "{database}", d.Name)
}

// Exec runs statements.
func (d *Database) Exec(statements ...string) {
	d.T.Helper()
	for _, s := range statements {
		if _, err := d.client.Query(d.T.Context(), d.say(s)); err != nil {
			d.T.Fatalf("%s: %v", s, err)
		}
	}
}

// Rows gives the result of a query, values joined by "|", null as "-".
func (d *Database) Rows(query string) []string {
	d.T.Helper()
	return d.RowsBy(d.client, query)
}

// RowsBy gives the result of a query of another client.
func (d *Database) RowsBy(c Client, query string) []string {
	d.T.Helper()
	rows, err := texts(d.T.Context(), c, d.say(query))
	if err != nil {
		d.T.Fatalf("%s: %v", query, err)
	}
	return rows
}

func texts(ctx context.Context, c Client, query string) ([]string, error) {
	rows, err := c.Query(ctx, query)
	out := []string{}
	for _, r := range rows {
		parts := make([]string, len(r))
		for i, v := range r {
			parts[i] = "-"
			if v != nil {
				parts[i] = *v
			}
		}
		out = append(out, strings.Join(parts, "|"))
	}
	return out, err
}

// Want ends the test unless a query gives these rows.
func (d *Database) Want(query string, want ...string) {
	d.T.Helper()
	d.WantBy(d.client, query, want...)
}

// WantBy does the same by another client.
func (d *Database) WantBy(c Client, query string, want ...string) {
	d.T.Helper()
	if got := d.RowsBy(c, query); !slices.Equal(got, want) {
		d.T.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Unchecked opens a target.
func (d *Database) Unchecked(tables Tables) *table.Target {
	d.T.Helper()
	tg, err := d.kit.Open(d.DSN, tables, slog.New(slog.NewTextHandler(d.T.Output(), nil)))
	return d.opened(tg, err)
}

func (d *Database) opened(tg *table.Target, err error) *table.Target {
	d.T.Helper()
	if err != nil {
		d.T.Fatal(err)
	}
	d.T.Cleanup(func() { tg.Close() })
	return tg
}

// Target opens a target and checks it.
func (d *Database) Target(tables Tables, views ...sink.View) *table.Target {
	d.T.Helper()
	return d.checked(d.Unchecked(tables), views)
}

func (d *Database) checked(tg *table.Target, views []sink.View) *table.Target {
	d.T.Helper()
	if faults, err := tg.Check(d.T.Context(), views); err != nil || len(faults) > 0 {
		d.T.Fatalf("Check: %v %v", faults, err)
	}
	return tg
}

// Open takes a partition over.
func Open(t *testing.T, tg *table.Target, v sink.View, id int32) sink.Session {
	t.Helper()
	s, err := tg.Open(t.Context(), sink.Partition{View: v, ID: id, Owner: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Apply writes a batch.
func Apply(t *testing.T, s sink.Session, b *sink.Batch) []sink.Parked {
	t.Helper()
	parked, err := s.Apply(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return parked
}

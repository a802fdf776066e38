package table

import (
	"context"
	"fmt"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// Pool gives connections to one database. Each has the session settings that its dialect needs, whatever the server's defaults are.
type Pool interface {
	// Get waits for a connection until ctx ends.
	Get(ctx context.Context) (Conn, error)
	// Reset closes what is idle: the address may lead to another server by now.
	Reset()
	Close() error
}

// Conn is one connection. One goroutine uses it.
type Conn interface {
	// Exec runs statements separated by semicolons in one go; the first that fails ends it.
	Exec(ctx context.Context, statements []byte) error
	// Query does the same, and gives each row of each result as the database's own text, nil for null, valid until row returns.
	Query(ctx context.Context, statements []byte, row func(vals [][]byte) error) error
	// Release gives the connection back; one that is broken is closed, and the server rolls back what was open.
	Release(broken bool)
}

// Loader is an extra ability of a Conn: it fills tables of its own session, faster than statements could fill the target's.
type Loader interface {
	// Load begins a transaction, and in it fills temporary tables with rows in the dialect's form (LineWriter). The tables' names are returned, in the order of loads. They are
	// empty again after the transaction.
	Load(ctx context.Context, loads []Load) (names []string, err error)
}

// Load is what goes into one temporary table.
type Load struct {
	// Like is the table of which it gets the columns.
	Like    string
	Columns []string
	// Version differs when the columns' types do.
	Version uint64
	Rows    []byte
}

// Dialect is what differs between databases, as far as the engine is concerned.
type Dialect struct {
	// Section is the connector's name in the configuration, "mysql".
	Section string
	Causes  Causes

	// Quote makes an identifier, Table one of a table's name as the configuration has it.
	Quote, Table func(name string) string
	// Text and Bytes append literals.
	Text, Bytes func(dst, b []byte) []byte
	// ParseBytes undoes what the database's text makes of bytes.
	ParseBytes func(text []byte) []byte
	// Parse makes a value of the database's text, so that keys of the target meet keys of the topic.
	Parse func(t schemas.Type, text []byte) schemas.Value
	// Mark is a statement that marks a transaction as ours, for whoever captures changes of the target; "" if there is none.
	Mark string
	// Now is the time as a column of our own tables takes it, Micros such a column as whole microseconds since 1970.
	Now    string
	Micros func(column string) string
	// Careful begins a transaction in which each row's constraints are looked at when it is written.
	Careful string
	// Conflict begins the assignments of an upsert, and New is in them the value that was to be inserted.
	Conflict func(key []string) string
	New      func(column string) string
	// Guard is an assignment that fails unless the row met by an upsert is the one with the key of the row to write; nil where an upsert meets no other.
	Guard func(key []*ColumnInfo) string
	// Same is the condition that a column has exactly a literal's value, Empty that it has nothing in it, Stored a literal of the database's text of one of its values, and Spare a value that nobody
	// has there, "" if there is none that is sure to be allowed.
	Same   func(c *ColumnInfo, literal string) string
	Empty  func(c *ColumnInfo) string
	Stored func(dst []byte, c *ColumnInfo, text []byte) []byte
	Spare  func(c *ColumnInfo) string
	// ByIndex is a hint to look rows up by an index; "" where none is needed.
	ByIndex func(index string) string
	// FewAtOnce says whether a DELETE must name few keys, lest the server read through a table of so many rows and wait for rows of others.
	FewAtOnce func(rows int64) int
	// AsksFirst says that rows that left their list are asked for before the transaction, since a DELETE with their condition would lock neighbours.
	AsksFirst bool

	// Offsets and Parked make our own tables, ParkedUpgrades are what older tables lack.
	Offsets, Parked string
	ParkedUpgrades  []Upgrade

	// Facts asks for what else is to be known of the server.
	Facts func(ctx context.Context, c Conn) (Facts, error)
	// Catalog reads the named tables; those that do not exist are not in the result.
	Catalog func(ctx context.Context, c Conn, want []string) (map[string]*Info, error)
	// Grants says what the connected user may do.
	Grants func(ctx context.Context, c Conn, tables []string) (Grants, error)
	// ColumnType is the type a created column gets, Create and Add the statements that make a table and a column.
	ColumnType func(t schemas.Type, key bool) string
	Create     func(t *NewTable) string
	Add        func(table string, c *NewColumn) string
	// Alter is the statement that gives a column another type; nullness "" keeps it as it is. AlterKey adds a unique index.
	Alter    func(c *ColumnInfo, columnType, nullness string) string
	AlterKey func(table string, key []string) string
	// Precise is the column's type with all digits of the second.
	Precise func(c *ColumnInfo) string
	// KeyUnfit says why a column cannot tell keys apart, and what mends it; "" if it can.
	KeyUnfit func(c *ColumnInfo) (what, fix string)
	// Writer binds a column.
	Writer func(c *ColumnInfo, o WriterOptions) Writer

	// Kind classifies an error of the server.
	Kind func(err error) ErrorKind
	// Environment turns an error into a fault that says who has to act; what passes by itself becomes sink.ErrContention, and others stay as they are.
	Environment func(where string, err error) error
	// Refusal tells a person why the server refused one record; it fills cause, what and fix.
	Refusal func(f *fault.Fault, err error)
}

// Causes are the catalogue's names of what can be wrong with the target.
type Causes struct {
	Unreachable, Privilege, TableMissing, ColumnMissing, ColumnUnfit, ColumnUnfed, Key fault.Cause
}

// Facts are what a server allows.
type Facts struct {
	// MaxPacket is the largest packet of statements that it takes, in bytes.
	MaxPacket int
	// LoadFrom is the number of records from which Loader is faster than INSERT; 0 never.
	LoadFrom int
	// PlainNotes says that our own tables may have no form for what is not ASCII; it is escaped there.
	PlainNotes bool
}

// Upgrade is a column that a table of ours got in a later version.
type Upgrade struct{ Column, Statement string }

// Grants are the privileges of the connected user.
type Grants interface {
	// Lacks lists those of "CREATE", "ALTER", "SELECT", "INSERT", "UPDATE", "DELETE" that the user does not have for a table, which may not exist yet, and what grants them.
	Lacks(table string, privileges []string) (lacks []string, fix string)
	// User is the user's name for people.
	User() string
}

// NewTable is a table to make.
type NewTable struct {
	Name    string
	Columns []NewColumn // those of the key first
	Key     []string
}

// NewColumn is a column to make. Only key columns take no null: rules may leave any other field unset one day.
type NewColumn struct {
	Name string
	Type schemas.Type
	Key  bool
	// Mark is a soft delete column.
	Mark bool
}

// WriterOptions are what the configuration says of a column.
type WriterOptions struct {
	Type schemas.Type // of the field
	// Round allows to lose digits after the point or of the second, Null makes null of what the database has no form for.
	Round, Null bool
}

// Writer writes a column's values. Unless it says Unfit, the column holds each of them unchanged.
type Writer interface {
	// Literal appends a value as SQL.
	Literal(dst []byte, v schemas.Value) ([]byte, *Unfit)
}

// LineWriter is an extra ability of a Writer, for connections that are Loaders.
type LineWriter interface {
	// Load appends a value in the form that Loader.Load takes.
	Load(dst []byte, v schemas.Value) ([]byte, *Unfit)
}

// Unfit says why a value cannot stand in a column. It is made only on the failing path, so that the usual path allocates nothing.
type Unfit struct {
	What  string      // "has 312 characters, and the column holds 255"
	Fix   string      // an ALTER, or words
	Cause fault.Cause // "" = fault.ProductUnfit
}

// ErrorKind is what an error of the server means to the engine.
type ErrorKind uint8

// The kinds of errors. Broken also is what no server said: the connection cannot be used any more.
const (
	ErrOther     ErrorKind = iota
	ErrBroken              // or a server that takes no writes any more: a new connection may find another
	ErrData                // blames a row: the same row fails again whenever it is sent
	ErrUnique              // such a one, because of another row's value in a unique index
	ErrFenced              // the place in shelfstream_offsets was not what the session knows
	ErrPrivilege           // the user may not
	ErrNoTable             // or no such column
	ErrThere               // what was to be made is there already: another process was quicker
)

// data says whether err blames a row.
func (d *Dialect) data(err error) bool {
	if err == nil {
		return false
	}
	k := d.Kind(err)
	return k == ErrData || k == ErrUnique || k == ErrFenced // a column of the shop may have the name of the fence's
}

// spent says whether a connection is of no more use after err. One that was denied something may go by the rights that its user had when it was made.
func (d *Dialect) spent(err error) bool {
	if err == nil {
		return false
	}
	k := d.Kind(err)
	return k == ErrBroken || k == ErrPrivilege
}

func (d *Dialect) unique(err error) bool {
	if err == nil {
		return false
	}
	k := d.Kind(err)
	return k == ErrUnique || k == ErrFenced
}

func (d *Dialect) text(s string) string { return string(d.Text(nil, []byte(s))) }

func (d *Dialect) quoteNames(names []string) string {
	var b []byte
	for i, n := range names {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, d.Quote(n)...)
	}
	return string(b)
}

// query is Query with a text.
func query(ctx context.Context, c Conn, q string, row func(vals [][]byte) error) error {
	return c.Query(ctx, []byte(q), row)
}

// queryRow scans the only row of a result; found is false if there is none.
func queryRow(ctx context.Context, c Conn, q string, dest ...any) (found bool, err error) {
	err = query(ctx, c, q, func(vals [][]byte) error {
		if found {
			return nil
		}
		found = true
		return Scan(vals, dest...)
	})
	return found, err
}

// Scan reads values of the database's text into *string, **string (nil is null), *[]byte (copied), *int, *int32, *int64 and *bool; a null is the zero value.
func Scan(vals [][]byte, dest ...any) error {
	for i, d := range dest {
		if i >= len(vals) {
			return fmt.Errorf("%d values for %d variables", len(vals), len(dest))
		}
		if err := scanOne(vals[i], d); err != nil {
			return fmt.Errorf("value %d: %w", i+1, err)
		}
	}
	return nil
}

// null is the same everywhere.
const null = "NULL"

package postgres

import (
	"github.com/jackc/pgx/v5/pgconn"

	"shelfstream/internal/fault"
	"shelfstream/sink/table"
)

// section is the connector's name in the configuration.
const section = "postgres"

// writeDSN shows the form; the password is a word, not one.
const writeDSN = "write postgres://user:password@host:5432/database" //nolint:gosec // an example

// Config is the section "postgres" of a sink.
type Config struct {
	// DSN is the address in libpq's form, as a URL or as key=value.
	DSN string `yaml:"dsn" required:"true" secret:"true" doc:"Address of the database: postgres://user:password@host:5432/database; a reference like ${SHOP_DSN}."`
	// Tables are the target's tables by name, "product" or "erp.product".
	Tables map[string]TableConfig `yaml:"tables" required:"true" doc:"The database's tables by name (schema.table where it is not in the search_path), and what each is made of."`
	// MaxRows is the largest number of rows in one statement.
	MaxRows int `yaml:"max_rows" doc:"Most rows in one INSERT; 1000 if left out."`
	// Workers is the number of database connections that write.
	Workers int `yaml:"workers" doc:"Connections that write at once; the number of partitions, at most 4, if left out."`
}

// TableConfig says what one table is made of.
type TableConfig = table.TableConfig

// ColumnConfig says which field a column takes, and when it is written.
type ColumnConfig = table.ColumnConfig

func (c *Config) tables() *table.Config {
	return &table.Config{Section: section, Tables: c.Tables, MaxRows: c.MaxRows, Workers: c.Workers}
}

// Validate returns every fault in the section that can be seen without a connection. Where is "postgres.tables.product".
func (c *Config) Validate() fault.List {
	var l fault.List
	if _, err := pgconn.ParseConfig(c.DSN); err != nil {
		l.Add(&fault.Fault{Class: fault.Config, Where: section + ".dsn", What: "is no address of a PostgreSQL database", Fix: writeDSN, Err: err})
	} else if p, _ := pgconn.ParseConfig(c.DSN); p.Database == "" {
		l.Add(&fault.Fault{Class: fault.Config, Where: section + ".dsn", What: "names no database", Fix: "add /database after the host"})
	}
	return append(l, c.tables().Validate()...)
}

// Views names the views the tables are made of, each once, sorted.
func (c *Config) Views() []string { return c.tables().Views() }

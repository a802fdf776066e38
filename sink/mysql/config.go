package mysql

import (
	"strings"

	driver "github.com/go-sql-driver/mysql"

	"shelfstream/internal/fault"
	"shelfstream/sink/table"
)

// Config is the section "mysql" of a sink.
type Config struct {
	// DSN is the address in go-sql-driver's form.
	DSN string `yaml:"dsn" required:"true" secret:"true" doc:"Address of the database: user:password@tcp(host:3306)/database; a reference like ${SHOP_DSN}."`
	// Tables are the target's tables by name.
	Tables map[string]TableConfig `yaml:"tables" required:"true" doc:"The database's tables by name, and what each is made of."`
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
	return &table.Config{Section: "mysql", Tables: c.Tables, MaxRows: c.MaxRows, Workers: c.Workers}
}

// Validate returns every fault in the section that can be seen without a connection. Where is "mysql.tables.product".
func (c *Config) Validate() fault.List {
	var l fault.List
	if d, err := driver.ParseDSN(c.DSN); err != nil {
		l.Add(&fault.Fault{Class: fault.Config, Where: "mysql.dsn", What: "is no address of a MySQL database", Fix: "write user:password@tcp(host:3306)/database", Err: err})
	} else if d.DBName == "" {
		l.Add(&fault.Fault{Class: fault.Config, Where: "mysql.dsn", What: "names no database", Fix: "add /database after the host"})
	}
	return append(l, c.tables().Validate()...)
}

// Views names the views the tables are made of, each once, sorted.
func (c *Config) Views() []string { return c.tables().Views() }

// quoteName quotes an identifier.
func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func quoteNames(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = quoteName(n)
	}
	return strings.Join(q, ", ")
}

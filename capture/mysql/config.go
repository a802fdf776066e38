package mysql

import (
	"log/slog"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/prometheus/client_golang/prometheus"

	"shelfstream/capture"
	"shelfstream/internal/fault"
)

// Config is one MySQL or MariaDB source. Required: DSN, Pipeline, Source, Tables.
type Config struct {
	DSN           string        `yaml:"dsn" doc:"Address of the database, user:password@tcp(host:3306)/database, with a user that may replicate and read the tables."`
	ServerID      uint32        `yaml:"server_id" doc:"Number by which the server knows this reader among its replicas; no other may have it. Default: made of the pipeline's and the source's names."`
	SnapshotLanes int           `yaml:"snapshot_lanes" doc:"Connections that read tables at once during a snapshot (default 4)."`
	Heartbeat     time.Duration `yaml:"heartbeat" doc:"How often the server says where its log ends while nothing changes (default 1s)."`
	Cascades      bool          `yaml:"cascades" doc:"Capture tables with a foreign key of CASCADE or SET NULL all the same. What such a key changes is in no log; only where it never does anything is this safe."`
	OwnWrites     string        `yaml:"own_writes" enum:"drop,keep" doc:"What becomes of rows that a sink of the same pipeline wrote to a captured table: drop (the default), or keep."`

	// Pipeline and Source are the names in the configuration.
	Pipeline string `yaml:"-"`
	Source   string `yaml:"-"`
	// Tables are the captured tables by the name the pipeline gives them; a TableConfig without a Name has that name in the database too.
	Tables map[string]capture.TableConfig `yaml:"-"`

	// Logger and Registerer may be nil.
	Logger     *slog.Logger          `yaml:"-"`
	Registerer prometheus.Registerer `yaml:"-"`
}

// exampleDSN shows the form; the password is a word, not one.
const exampleDSN = "dsn: user:password@tcp(host:3306)/database"

// withDefaults fills in what is left out.
func (c Config) withDefaults() Config {
	if c.ServerID == 0 {
		c.ServerID = defaultServerID(c.Pipeline, c.Source)
	}
	if c.SnapshotLanes <= 0 {
		c.SnapshotLanes = 4
	}
	if c.Heartbeat <= 0 {
		c.Heartbeat = time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// defaultServerID makes a number of the names, from 2^31 on: people give their servers small ones (FNV-1a).
func defaultServerID(pipeline, source string) uint32 {
	h := uint32(2166136261)
	for _, c := range []byte(pipeline + "." + source) {
		h = (h ^ uint32(c)) * 16777619
	}
	return h | 1<<31
}

// validate finds what no server needs to be asked for.
func (c Config) validate() error {
	var l fault.List
	where := "source " + c.Source
	if c.DSN == "" {
		l.Add(&fault.Fault{Class: fault.Config, Where: where, What: "no dsn is given", Fix: exampleDSN})
	} else if d, err := mysqldriver.ParseDSN(c.DSN); err != nil {
		l.Add(&fault.Fault{Class: fault.Config, Where: where, What: "dsn cannot be read", Fix: exampleDSN, Err: err})
	} else if d.DBName == "" {
		l.Add(&fault.Fault{Class: fault.Config, Where: where, What: "dsn names no database", Fix: exampleDSN})
	}
	if c.OwnWrites != "" && c.OwnWrites != "drop" && c.OwnWrites != ownKeep {
		l.Add(&fault.Fault{Class: fault.Config, Where: where, What: "own_writes: " + c.OwnWrites + " is not possible", Fix: "write drop or keep"})
	}
	if len(c.Tables) == 0 {
		l.Add(&fault.Fault{Class: fault.Config, Where: where, What: "no table is configured", Fix: "list the tables to capture under tables"})
	}
	return l.Err()
}

// tableName is a table's name in the database as the configuration gives it.
func (c *Config) tableName(table string) string {
	if t := c.Tables[table]; t.Name != "" {
		return t.Name
	}
	return table
}

// where names a table for people.
func (c *Config) where(table string) string {
	return c.Source + "." + table + ": table " + c.tableName(table)
}

// resnapshot is the remedy where rows of the source, or of one table of it, may have been missed.
func (c *Config) resnapshot(table string) string {
	s := "shelfstream capture resnapshot -source " + c.Source
	if table != "" {
		s += " -table " + table
	}
	return s
}

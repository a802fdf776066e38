package postgres

import (
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"

	"shelfstream/capture"
	"shelfstream/internal/fault"
)

// Config is one PostgreSQL source. Required: DSN, Pipeline, Source, Tables.
type Config struct {
	DSN string `yaml:"dsn" doc:"Address of the database (URL or key=value), with a role that may replicate. The primary, not a standby."`
	// Slot and Publication default to shelfstream_<pipeline>_<source>.
	Slot          string        `yaml:"slot" doc:"Replication slot; made if it is missing. Default shelfstream_<pipeline>_<source>."`
	Publication   string        `yaml:"publication" doc:"Publication; made, and tables added to it, if the role may. Default shelfstream_<pipeline>_<source>."`
	SnapshotLanes int           `yaml:"snapshot_lanes" doc:"Connections that read tables at once during a snapshot (default 4)."`
	Heartbeat     time.Duration `yaml:"heartbeat" doc:"How often the server is asked for its position while nothing changes (default 1s)."`
	StatusEvery   time.Duration `yaml:"status" doc:"How often the server is told what is durable (default 1s)."`
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

// ownKeep has rows captured that a sink of the same pipeline wrote.
const ownKeep = "keep"

// maxName is what PostgreSQL allows for the name of a slot or publication.
const maxName = 63

// exampleDSN shows the form; the password is a word, not one.
const exampleDSN = "dsn: postgres://user:password@host:5432/database" //nolint:gosec // an example

// withDefaults fills in what is left out.
func (c Config) withDefaults() Config {
	name := defaultName(c.Pipeline, c.Source)
	if c.Slot == "" {
		c.Slot = name
	}
	if c.Publication == "" {
		c.Publication = name
	}
	if c.SnapshotLanes <= 0 {
		c.SnapshotLanes = 4
	}
	if c.Heartbeat <= 0 {
		c.Heartbeat = time.Second
	}
	if c.StatusEvery <= 0 {
		c.StatusEvery = time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// validate finds what no server needs to be asked for.
func (c Config) validate() error {
	var l fault.List
	where := "source " + c.Source
	if c.DSN == "" {
		l.Add(&fault.Fault{Class: fault.Config, Where: where, What: "no dsn is given", Fix: exampleDSN})
	} else if _, err := pgconn.ParseConfig(c.DSN); err != nil {
		// pgconn's message leaves the password out.
		l.Add(&fault.Fault{Class: fault.Config, Where: where, What: "dsn cannot be read", Fix: exampleDSN, Err: err})
	}
	if len(c.Slot) > maxName || strings.Trim(c.Slot, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		l.Add(&fault.Fault{
			Class: fault.Config, Where: where, What: "slot " + c.Slot + " is no name for a replication slot",
			Fix: "use lower-case letters, digits and underscores, at most 63, e.g. slot: " + defaultName(c.Pipeline, c.Source),
		})
	}
	if len(c.Publication) > maxName {
		l.Add(&fault.Fault{Class: fault.Config, Where: where, What: "publication " + c.Publication + " is longer than 63 bytes", Fix: "give a shorter name"})
	}
	if c.OwnWrites != "" && c.OwnWrites != "drop" && c.OwnWrites != ownKeep {
		l.Add(&fault.Fault{Class: fault.Config, Where: where, What: "own_writes: " + c.OwnWrites + " is not possible", Fix: "write drop or keep"})
	}
	if len(c.Tables) == 0 {
		l.Add(&fault.Fault{Class: fault.Config, Where: where, What: "no table is configured", Fix: "list the tables to capture under tables"})
	}
	return l.Err()
}

// defaultName makes a name for the slot and the publication.
func defaultName(pipeline, source string) string {
	name := []byte(strings.ToLower("shelfstream_" + pipeline + "_" + source))
	for i, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			name[i] = '_'
		}
	}
	return string(name[:min(len(name), maxName)])
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

// applicationName is how the server sees this source's connections; by it a worker knows those of its own predecessor.
func (c *Config) applicationName() string {
	return ("shelfstream " + c.Slot)[:min(maxName, len("shelfstream ")+len(c.Slot))]
}

package mysql

import (
	"log/slog"

	"shelfstream/internal/fault"
	"shelfstream/sink/table"
)

// Options are what is not in the configuration.
type Options struct {
	// Sink is the sink's name; it is the key of its rows in shelfstream_offsets and shelfstream_parked.
	Sink   string
	Logger *slog.Logger
}

// Target is one database; see table.Target.
type Target = table.Target

// Open makes a target from a valid configuration; it does not connect yet.
func Open(cfg Config, opts Options) (*Target, error) {
	p, database, err := openPool(&cfg)
	if err != nil {
		return nil, err
	}
	return table.Open(*cfg.tables(), newDialect(), p, table.Options{Sink: opts.Sink, Database: database, Logger: opts.Logger}), nil
}

// openPool makes the pool of a valid configuration.
func openPool(cfg *Config) (p *pool, database string, err error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, "", err
	}
	c, dsn, err := newConnector(cfg.DSN)
	if err != nil {
		return nil, "", &fault.Fault{Class: fault.Config, Where: "mysql.dsn", What: "cannot be used", Fix: "write user:password@tcp(host:3306)/database", Err: err}
	}
	return newPool(c), dsn.DBName, nil
}

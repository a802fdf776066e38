package postgres

import (
	"log/slog"

	"shelfstream/internal/fault"
	"shelfstream/sink/table"
)

// Options are what is not in the configuration.
type Options struct {
	// Pipeline is the pipeline's name; with the sink's it marks our transactions.
	Pipeline string
	// Sink is the sink's name; it is the key of its rows in shelfstream_offsets and shelfstream_parked.
	Sink   string
	Logger *slog.Logger
}

// Target is one database; see table.Target.
type Target = table.Target

// Open makes a target from a valid configuration; it does not connect yet.
func Open(cfg Config, opts Options) (*Target, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, err
	}
	p, database, err := newPool(cfg.DSN, opts.Sink)
	if err != nil {
		return nil, &fault.Fault{Class: fault.Config, Where: section + ".dsn", What: "cannot be used", Fix: writeDSN, Err: err}
	}
	return table.Open(*cfg.tables(), newDialect(opts.Pipeline, opts.Sink), p, table.Options{Sink: opts.Sink, Database: database, Logger: opts.Logger}), nil
}

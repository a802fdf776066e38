package main

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"shelfstream/capture"
	"shelfstream/capture/postgres"
	"shelfstream/sink"
	"shelfstream/sink/mysql"
)

// sourceKind is a connector that captures; sourceParts are what it is given beside its section.
type sourceKind struct {
	// config makes the struct that the connector's section is read into, with its defaults.
	config func() any
	// open makes a source; it does not connect yet.
	open func(section any, parts sourceParts) (capture.Source, error)
}

type sourceParts struct {
	pipeline, source string
	tables           map[string]capture.TableConfig
	log              *slog.Logger
	metrics          prometheus.Registerer
}

// sinkKind is a connector that writes.
type sinkKind struct {
	config func() any
	open   func(section any, name string, log *slog.Logger) (sink.Target, error)
}

// sourceKinds is the table of names under sources.<name>.
func sourceKinds() map[string]sourceKind {
	return map[string]sourceKind{
		"postgres": sourceOf(func(c postgres.Config, p sourceParts) (capture.Source, error) {
			c.Pipeline, c.Source, c.Tables, c.Logger, c.Registerer = p.pipeline, p.source, p.tables, p.log, p.metrics
			return postgres.New(c)
		}),
	}
}

// sinkKinds is the table of names under sinks.<name>.
func sinkKinds() map[string]sinkKind {
	return map[string]sinkKind{
		"mysql": sinkOf(func(c mysql.Config, name string, log *slog.Logger) (sink.Target, error) {
			return mysql.Open(c, mysql.Options{Sink: name, Logger: log})
		}),
	}
}

// sourceOf ties a constructor to the struct of its section.
func sourceOf[C any](open func(C, sourceParts) (capture.Source, error)) sourceKind {
	return sourceKind{
		config: func() any { return new(C) },
		open:   func(section any, parts sourceParts) (capture.Source, error) { return open(*section.(*C), parts) },
	}
}

// sinkOf ties a constructor to the struct of its section.
func sinkOf[C any](open func(C, string, *slog.Logger) (sink.Target, error)) sinkKind {
	return sinkKind{
		config: func() any { return new(C) },
		open: func(section any, name string, log *slog.Logger) (sink.Target, error) {
			return open(*section.(*C), name, log)
		},
	}
}

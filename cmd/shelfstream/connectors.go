package main

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shelfstream/capture"
	binlog "shelfstream/capture/mysql"
	"shelfstream/capture/postgres"
	"shelfstream/internal/kafka"
	"shelfstream/schemas/registry"
	"shelfstream/sink"
	"shelfstream/sink/files"
	"shelfstream/sink/mysql"
	pgsink "shelfstream/sink/postgres"
	"shelfstream/sink/rest"
	"shelfstream/status/exchange"
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

// sinkKind is a connector that writes; sinkParts are what it is given beside its section.
type sinkKind struct {
	config func() any
	// open makes a target; it does not connect yet.
	open func(section any, parts sinkParts) (sink.Target, error)
}

type sinkParts struct {
	pipeline, sink string
	// zone is the pipeline's time zone.
	zone *time.Location
	// path makes a path of the configuration absolute.
	path func(name string) string
	// client reaches the log; nil where a configuration is only checked, and then no partition is opened.
	client *kafka.Client
	// registry has the schemas of topics that the sink makes; nil as client.
	registry *registry.Client
	// replication and topics are for topics that the sink makes.
	replication int
	topics      map[string]string
	log         *slog.Logger
	metrics     prometheus.Registerer
	exchanges   exchange.Log // nil = nobody wants to know
}

// sourceKinds is the table of names under sources.<name>.
func sourceKinds() map[string]sourceKind {
	return map[string]sourceKind{
		"mysql": sourceOf(func(c binlog.Config, p sourceParts) (capture.Source, error) {
			c.Pipeline, c.Source, c.Tables, c.Logger, c.Registerer = p.pipeline, p.source, p.tables, p.log, p.metrics
			return binlog.New(c)
		}),
		"postgres": sourceOf(func(c postgres.Config, p sourceParts) (capture.Source, error) {
			c.Pipeline, c.Source, c.Tables, c.Logger, c.Registerer = p.pipeline, p.source, p.tables, p.log, p.metrics
			return postgres.New(c)
		}),
	}
}

// sinkKinds is the table of names under sinks.<name>.
func sinkKinds() map[string]sinkKind {
	return map[string]sinkKind{
		"files": sinkOf(func(c files.Config, p sinkParts) (sink.Target, error) {
			return files.New(c, files.Options{
				Pipeline: p.pipeline, Sink: p.sink, Client: p.client, Replication: p.replication, Topics: p.topics,
				Zone: p.zone, Path: p.path, Exchanges: p.exchanges, Logger: p.log,
			})
		}),
		"mysql": sinkOf(func(c mysql.Config, p sinkParts) (sink.Target, error) {
			return mysql.Open(c, mysql.Options{Sink: p.sink, Logger: p.log})
		}),
		"postgres": sinkOf(func(c pgsink.Config, p sinkParts) (sink.Target, error) {
			return pgsink.Open(c, pgsink.Options{Pipeline: p.pipeline, Sink: p.sink, Logger: p.log})
		}),
		"rest": sinkOf(func(c rest.Config, p sinkParts) (sink.Target, error) {
			return rest.Open(c, rest.Options{
				Pipeline: p.pipeline, Sink: p.sink, Zone: p.zone, Path: p.path, Client: p.client, Registry: p.registry,
				Replication: p.replication, TopicConfigs: p.topics, Exchanges: p.exchanges, Logger: p.log,
			})
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
func sinkOf[C any](open func(C, sinkParts) (sink.Target, error)) sinkKind {
	return sinkKind{
		config: func() any { return new(C) },
		open:   func(section any, parts sinkParts) (sink.Target, error) { return open(*section.(*C), parts) },
	}
}

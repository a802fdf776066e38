package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"shelfstream/capture"
	"shelfstream/internal/config"
	"shelfstream/internal/fault"
	"shelfstream/internal/retry"
	"shelfstream/transform"
)

// only picks names of a stage: all of them if none is given.
func only(kind string, all, wanted []string) ([]string, error) {
	if len(wanted) == 0 {
		return all, nil
	}
	for _, name := range wanted {
		if !slices.Contains(all, name) {
			return nil, unknownName(kind, name, all)
		}
	}
	return wanted, nil
}

// unknownName is the fault of a name on the command line that the configuration does not have.
func unknownName(kind, name string, all []string) error {
	what := fmt.Sprintf("there is no %s %q", kind, name)
	if near := config.Nearest(name, all); near != "" {
		what += fmt.Sprintf(", did you mean %q?", near)
	}
	if len(all) == 0 {
		return usage(what, "the configuration has none; describe it there first")
	}
	return usage(what, "write one of "+strings.Join(all, ", "))
}

// topicConfigs are the settings of every topic that the stages make.
func (a *app) topicConfigs() map[string]string {
	t := a.cfg.Log.Topics
	c := map[string]string{"delete.retention.ms": strconv.FormatInt(t.DeleteRetention.Milliseconds(), 10)}
	maps.Copy(c, t.Configs)
	return c
}

// retries is how all stages try again what failed.
func (a *app) retries() retry.Policy {
	r := a.cfg.Retries
	return retry.Policy{Tries: r.Tries, First: r.First, Most: r.Most, Slow: r.Slow}
}

// captures makes the runners of sources.
func (a *app) captures(names []string) ([]stage, error) {
	var out []stage
	var faults fault.List
	for _, name := range names {
		r, err := a.capture(name)
		if err != nil {
			if l := fault.All(err); len(l) > 0 {
				faults = append(faults, l...)
				continue
			}
			return nil, err
		}
		out = append(out, r)
	}
	return out, faults.Err()
}

// readByOffset are topicConfigs for topics whose readers go by offsets of checkpoints: each row's version below such an offset must stay until a
// newer one covers it.
func (a *app) readByOffset() map[string]string {
	configs := a.topicConfigs()
	if _, ok := configs["min.compaction.lag.ms"]; !ok {
		configs["min.compaction.lag.ms"] = strconv.FormatInt(a.cfg.Log.Topics.MinCompactionLag.Milliseconds(), 10)
	}
	return configs
}

// cleaned are the settings of a view's topics, and whether other views read it.
func (a *app) cleaned(view string) (configs map[string]string, isRead bool) {
	if a.cfg.IsRead(view) {
		return a.readByOffset(), true
	}
	return a.topicConfigs(), false
}

func (a *app) capture(name string) (*capture.Runner, error) {
	configs := a.readByOffset()
	tables := a.cfg.tables(name)
	return capture.NewRunner(capture.RunnerConfig{
		Pipeline: a.cfg.Name, Source: name, Tables: tables, Partitions: a.cfg.Log.Partitions, Replication: a.cfg.Log.Replication,
		Retries: a.retries(), TopicConfigs: configs, Client: a.client, Registry: a.registry, SessionTimeout: a.cfg.Log.SessionTimeout, Logger: a.log, Registerer: a.metrics, Exchanges: a.exchanges(),
		NewSource: func() (capture.Source, error) { return a.source(name) },
	})
}

// source makes a source's connector.
func (a *app) source(name string) (capture.Source, error) {
	s, _ := a.cfg.Sources.Get(name)
	return sourceKinds()[s.Section.Kind].open(a.cfg.sources[name], sourceParts{
		pipeline: a.cfg.Name, source: name, tables: a.cfg.tables(name), log: a.log, metrics: a.metrics,
	})
}

func (p *pipeline) tables(source string) map[string]capture.TableConfig {
	s, _ := p.Sources.Get(source)
	tables := map[string]capture.TableConfig{}
	for _, t := range s.Tables {
		name := t.Value.Name
		if name == "" {
			name = t.Name
		}
		tables[t.Name] = capture.TableConfig{Name: name, PartitionBy: t.Value.PartitionBy, Broadcast: t.Value.Broadcast, Columns: t.Value.Columns}
	}
	return tables
}

// transforms makes the runners of views, and opens the state if there are any.
func (a *app) transforms(names []string, readOnly bool) ([]*transform.Runner, error) {
	if len(names) == 0 {
		return nil, nil
	}
	if a.store == nil {
		if err := a.openStore(readOnly); err != nil {
			return nil, err
		}
	}
	var out []*transform.Runner
	for _, name := range names {
		r, err := a.transform(name)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func (a *app) transform(name string) (*transform.Runner, error) {
	view, _ := a.cfg.Views.Get(name)
	files, err := a.cfg.readRules(view)
	if err != nil {
		return nil, err
	}
	configs, isRead := a.cleaned(name)
	return transform.NewRunner(transform.Config{
		Pipeline: a.cfg.Name, View: a.cfg.transformView(name), Rules: files, Guards: a.cfg.guards(name), Zone: a.cfg.Zone, Client: a.client, Registry: a.registry, Store: a.store,
		Partitions: a.cfg.Log.Partitions, Replication: a.cfg.Log.Replication, TopicConfigs: configs, Announces: isRead, DeleteRetention: a.cfg.Log.Topics.DeleteRetention,
		Retries: a.retries(), SessionTimeout: a.cfg.Log.SessionTimeout, Logger: a.log, Registerer: a.metrics,
	})
}

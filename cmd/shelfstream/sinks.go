package main

import (
	"fmt"
	"os"

	"shelfstream/sink"
)

// sinks makes the runners of sinks.
func (a *app) sinks(names []string) ([]stage, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	var out []stage
	for _, name := range names {
		s, _ := a.cfg.Sinks.Get(name)
		target, err := a.target(name)
		if err != nil {
			return nil, err
		}
		workers := 0
		if w, ok := target.(interface{ Workers() int }); ok {
			workers = w.Workers()
		}
		r, err := sink.NewRunner(sink.RunnerConfig{
			Pipeline: a.cfg.Name, Sink: name, Views: s.Views(), Client: a.client, Registry: a.registry, Target: target,
			Owner: fmt.Sprintf("%s/%d", host, os.Getpid()), Workers: workers, TombstoneRetention: a.cfg.Log.Topics.DeleteRetention,
			Retries: a.retries(), SessionTimeout: a.cfg.Log.SessionTimeout, Logger: a.log, Registerer: a.metrics, Exchanges: a.exchanges(),
		})
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

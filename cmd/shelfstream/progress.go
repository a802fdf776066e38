package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"shelfstream/status"
)

// How often progress is shown: on a terminal in place, else as a line of the log.
const (
	progressOnTerminal = 500 * time.Millisecond
	progressInLog      = 10 * time.Second
)

// watchProgress shows the long work of the stages until ctx ends.
func watchProgress(ctx context.Context, stages []status.Reporter, s *screen, log *slog.Logger) {
	every := progressInLog
	if s.terminal {
		every = progressOnTerminal
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	defer s.progress("")
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			running := runningWork(stages, now)
			if s.terminal {
				s.progress(strings.Join(running, " · "))
				continue
			}
			for _, line := range running {
				log.Info("progress", "work", line)
			}
		}
	}
}

// runningWork says in words what is under way.
func runningWork(stages []status.Reporter, now time.Time) []string {
	var out []string
	for _, st := range stages {
		s := st.Status()
		for _, p := range s.Progress {
			if p.FinishedAt.IsZero() && !p.StartedAt.IsZero() {
				out = append(out, s.Kind+" "+s.Name+" "+p.Words(now))
			}
		}
	}
	return out
}

// stage is one part of the pipeline that runs in this process.
type stage interface {
	status.Reporter
	Run(ctx context.Context) error
}

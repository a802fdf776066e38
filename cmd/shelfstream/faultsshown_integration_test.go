//go:build integration

package main

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/status"
	"shelfstream/status/roster"
)

// faults gives a stage's state and faults as the status page has them: "sink shop"; "process" is what is wrong that is no stage's own.
func (f *faultWorld) faults(t *testing.T, what string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if what == processKind {
		return f.processFaults(ctx, t)
	}
	report, err := f.report(ctx)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	for i := range report.Stages {
		s := &report.Stages[i]
		if s.Kind+" "+s.Name != what {
			continue
		}
		out := s.State + "\n"
		var printed strings.Builder
		for _, fl := range s.Faults {
			printed.WriteString(faultAndCause(fl))
		}
		for i := range s.Troubles {
			printed.WriteString(faultAndCause(s.Troubles[i].Fault.Fault()))
		}
		out += printed.String()
		return out
	}
	return "no such stage\n"
}

func faultAndCause(f *fault.Fault) string {
	text := faultText(f)
	if f.Cause != "" {
		text += "    cause: " + string(f.Cause) + "\n"
	}
	return text
}

// processFaults are what processes report of themselves, on the topic that the page reads.
func (f *faultWorld) processFaults(ctx context.Context, t *testing.T) string {
	t.Helper()
	last := map[string]string{}
	err := f.client.Scan(ctx, roster.Topic("it"), 0, 0, -1, func(r *kafka.Record) error {
		var w roster.Worker
		last[string(r.Key)] = ""
		if r.Value == nil {
			return nil
		}
		if err := json.Unmarshal(r.Value, &w); err != nil {
			return err
		}
		for i := range w.Stages {
			if w.Stages[i].Kind == processKind {
				for _, fl := range w.Stages[i].Faults {
					last[string(r.Key)] += faultAndCause(fl)
				}
			}
		}
		return nil
	})
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	if out := strings.Join(slices.Sorted(maps.Values(last)), ""); out != "" {
		return out
	}
	return "no fault\n"
}

func (f *faultWorld) report(ctx context.Context) (*status.Report, error) {
	return askStatus(ctx, newShell(f.env).program, &common{file: f.config(), logForm: "text", logLevel: "info"}, f.env["ADMIN"])
}

// attempts is what a call that is repeated counts.
var attempts = regexp.MustCompile(`no answer to: .*, after \d+ attempts: .*: dial tcp`)

// ready gives why the pipeline is not ready, as the status page has it.
func (f *faultWorld) ready(t *testing.T, _ string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	report, err := f.report(ctx)
	switch {
	case err != nil:
		return "error: " + err.Error() + "\n"
	case report.Ready:
		return "ready\n"
	}
	return "not ready\n" + attempts.ReplaceAllString(strings.Join(report.NotReady, "\n"), "no answer to: …, after N attempts: …: dial tcp") + "\n"
}

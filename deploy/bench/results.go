package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// result is one row of results.json. Numbers are medians over Runs; a null was not measured.
type result struct {
	Case  string   `json:"case"`
	Unit  string   `json:"unit"`
	Ours  *float64 `json:"ours"`
	Peer  *float64 `json:"peer"`
	Limit *float64 `json:"limit"`
	// CPU is our CPU seconds for a million rows; PeerCPU the peer's.
	CPU     *float64 `json:"cpu_s_per_million"`
	RSS     *float64 `json:"rss_mib"`
	Runs    int      `json:"runs"`
	PeerCPU *float64 `json:"peer_cpu_s_per_million,omitempty"`
	PeerRSS *float64 `json:"peer_rss_mib,omitempty"`
	Note    string   `json:"note,omitempty"`
}

// series collects the repetitions of one figure.
type series []float64

func (s *series) add(v float64) { *s = append(*s, v) }

func (s series) median() *float64 {
	if len(s) == 0 {
		return nil
	}
	t := slices.Clone(s)
	slices.Sort(t)
	v := t[len(t)/2]
	if len(t)%2 == 0 {
		v = (t[len(t)/2-1] + t[len(t)/2]) / 2
	}
	return &v
}

func (s series) String() string {
	if len(s) == 0 {
		return "–"
	}
	t := slices.Clone(s)
	slices.Sort(t)
	return fmt.Sprintf("%.4g (%.4g–%.4g)", *s.median(), t[0], t[len(t)-1])
}

// readResults reads the rows of an earlier run, so that -only replaces its cases and keeps the others.
func (b *bench) readResults(out string) error {
	text, err := os.ReadFile(filepath.Join(out, "results.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &b.results); err != nil {
		return fmt.Errorf("results.json: %w", err)
	}
	return nil
}

// put adds a case's row or replaces it.
func (b *bench) put(r *result) {
	for i := range b.results {
		if b.results[i].Case == r.Case {
			b.results[i] = r
			return
		}
	}
	b.results = append(b.results, r)
}

func (b *bench) write(ctx context.Context, out string) error {
	text, err := json.MarshalIndent(b.results, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "results.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "RESULTS.md"), []byte(b.report(ctx)), 0o644)
}

func (b *bench) report(context.Context) string {
	var s strings.Builder
	fmt.Fprintf(&s, "# Measured\n\nWritten by `make bench` on %s: %d processors, %s/%s, %s; %s.\n\n", time.Now().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), b.servers.text)
	s.WriteString("Ours, the peer (Debezium, with its JDBC sink where a shop is written) and the limit (what the database itself gives) ran in turn on the same servers and tables.\nThe machine is shared and noisy: read ratios. Median of the runs.\n\n")
	s.WriteString("| case | unit | ours | peer | ours / peer | limit | ours / limit | our CPU s/million | peer's | our RSS MiB | peer's | runs |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range b.results {
		fmt.Fprintf(&s, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %d |\n", r.Case, r.Unit, number(r.Ours), number(r.Peer), ratio(r.Ours, r.Peer), number(r.Limit), ratio(r.Ours, r.Limit),
			number(r.CPU), number(r.PeerCPU), number(r.RSS), number(r.PeerRSS), r.Runs)
	}
	s.WriteString("\n")
	for _, r := range b.results {
		if r.Note != "" {
			fmt.Fprintf(&s, "- **%s**: %s\n", r.Case, r.Note)
		}
	}
	s.WriteString("\nTo rerun: `make bench` (own servers, no peers), or `make bench BENCH_ARGS='-peers DIR'` with a directory of the peers set up; `-only pg_snapshot,latency` for some cases, `-runs N` for more repetitions.\n")
	return s.String()
}

func number(v *float64) string {
	switch {
	case v == nil:
		return "–"
	case *v >= 1000:
		return fmt.Sprintf("%.0f", *v)
	default:
		return fmt.Sprintf("%.3g", *v)
	}
}

func ratio(a, b *float64) string {
	if a == nil || b == nil || *b == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", *a / *b)
}

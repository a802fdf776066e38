package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"shelfstream/status"
)

func statusCommand() command {
	return command{
		name: "status", summary: "print the status page's content",
		help: `
Asks the admin port of a running pipeline. Exit code 0 also when a stage is in trouble: scripts that wait use /readyz.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var c common
			var admin string
			var asJSON bool
			c.flags(p, fs)
			fs.StringVar(&admin, "admin", "", "`address` of the pipeline's admin port; the configuration's if left out")
			fs.BoolVar(&asJSON, "json", false, "print JSON")
			return func(ctx context.Context, args []string) error {
				if err := noArguments("status", args); err != nil {
					return err
				}
				report, err := askStatus(ctx, p, &c, admin)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(p.stdout, report)
				}
				return printStatus(p.stdout, report)
			}
		},
	}
}

func askStatus(ctx context.Context, p *program, c *common, admin string) (*status.Report, error) {
	cfg, _, err := c.load(p)
	if err != nil {
		return nil, err
	}
	url := adminURL(ctx, cfg, admin)
	var r status.Report
	if err := askAdmin(cfg.knownTo(ctx), url+"/status.json", &r); err != nil {
		if errors.Is(err, errNoAnswer) {
			return nil, notRunning(url, err)
		}
		return nil, err
	}
	return &r, nil
}

func printStatus(out io.Writer, r *status.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	ready := "ready"
	if !r.Ready {
		ready = "not ready"
	}
	_, _ = fmt.Fprintf(w, "%s, running for %s: %s\n", plain(r.Pipeline), status.Duration(r.At.Sub(r.StartedAt)), ready)
	for _, why := range r.NotReady {
		_, _ = fmt.Fprintln(w, "  "+plain(why))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := printOpen(out, r); err != nil {
		return err
	}
	for i := range r.Stages {
		if err := printStage(out, &r.Stages[i], r.At); err != nil {
			return err
		}
	}
	return nil
}

// printOpen prints the open incidents, a line each.
func printOpen(out io.Writer, r *status.Report) error {
	if len(r.Incidents) == 0 {
		return nil
	}
	_, _ = io.WriteString(out, "\nincidents ('shelfstream incidents ID' says what to do)\n")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, i := range r.Incidents {
		who := "nobody has it"
		switch {
		case i.By != "":
			who = i.By + " has it"
		case i.Behind != "":
			who = "follows from " + i.Behind
		}
		row(w, "  "+i.ID, strings.ToUpper(i.Severity), "for "+status.Duration(r.At.Sub(i.Since)), oneLine.Replace(status.About(i.Link, i.What)), status.Count(i.Count), who)
	}
	return w.Flush()
}

func printStage(out io.Writer, s *status.Stage, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	heard := "never"
	if !s.LastHeartbeat.IsZero() {
		heard = status.Duration(now.Sub(s.LastHeartbeat)) + " ago"
	}
	_, _ = fmt.Fprintf(w, "\n%s %s: %s%s\n", s.Kind, plain(s.Name), strings.ToUpper(plain(s.State)), sinceText(s, now))
	if s.Detail != "" {
		_, _ = fmt.Fprintln(w, "  "+plain(s.Detail))
	}
	_, _ = fmt.Fprintf(w, "  records %s, parked %s, last heartbeat %s\n", status.Count(s.Records), status.Count(s.Parked), heard)
	for _, p := range s.Progress {
		_, _ = fmt.Fprintln(w, "  "+plain(p.Words(now)))
	}
	for _, f := range s.Faults {
		_, _ = fmt.Fprint(w, "  "+strings.ReplaceAll(strings.TrimRight(faultText(f), "\n"), "\n", "\n  ")+"\n")
	}
	if s.Attempt > 0 {
		_, _ = fmt.Fprintln(w, "  "+s.TriesWords(now))
	}
	for i := range s.Troubles {
		t := &s.Troubles[i]
		_, _ = fmt.Fprint(w, "  "+t.Words()+"\n    "+strings.ReplaceAll(strings.TrimRight(faultText(t.Fault.Fault()), "\n"), "\n", "\n    ")+"\n")
	}
	for _, p := range s.Positions {
		row(w, "  "+p.Name, p.Value, "lag "+status.LagWords(p.LagSeconds), status.LagCount(p.LagRecords)+" records")
	}
	return w.Flush()
}

func sinceText(s *status.Stage, now time.Time) string {
	if s.Since.IsZero() {
		return ""
	}
	return " for " + status.Duration(now.Sub(s.Since))
}

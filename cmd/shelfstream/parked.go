package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"shelfstream/status"
)

func parkedCommand() command {
	return command{
		name: "parked", args: "[source, view or sink]", summary: "list rows and products that are parked, with reason and remedy",
		help: `
Rows that have no form in their topic are parked by their source, products whose rule fails by their view, products that a target cannot take by
their sink; the last good version stays in the shop, and each is tried again by itself when its cause goes away. What guards hold back is in 'shelfstream held list'.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var c common
			var limit int
			var skipped, asJSON bool
			c.flags(p, fs)
			fs.IntVar(&limit, "limit", 100, "`number` of rows listed at most of one source, view or sink")
			fs.BoolVar(&skipped, "skipped", false, "also list products that were left out with 'parked skip', with who and why")
			fs.BoolVar(&asJSON, "json", false, "print JSON")
			return func(ctx context.Context, args []string) error {
				return listParked(ctx, p, &c, args, limit, skipped, asJSON)
			}
		},
	}
}

// parkedList is what one stage holds.
type parkedList struct {
	Kind   string          `json:"kind"`
	Name   string          `json:"name"`
	Parked []status.Parked `json:"parked"`
	// Held is how many products of a view its guards hold; Skipped were left out by an operator.
	Held    int              `json:"held,omitempty"`
	Skipped []skippedProduct `json:"skipped,omitempty"`
	// Error says why it could not be listed.
	Error string `json:"error,omitempty"`
}

func listParked(ctx context.Context, p *program, c *common, args []string, limit int, skipped, asJSON bool) error {
	cfg, log, err := c.load(p)
	if err != nil {
		return err
	}
	all := slices.Concat(cfg.Sources.Names(), cfg.Views.Names(), cfg.Sinks.Names())
	if len(args) > 1 {
		return usage("parked wants one source, view or sink at most", "shelfstream parked "+args[0])
	}
	if len(args) == 1 && !slices.Contains(all, args[0]) {
		return unknownName("source, view or sink", args[0], all)
	}
	a, err := openApp(ctx, cfg, log, roleTool)
	if err != nil {
		return err
	}
	lists, err := a.parkedLists(ctx, args, limit)
	if err := errors.Join(err, a.Close()); err != nil {
		return err
	}
	if asJSON {
		return printJSON(p.stdout, lists)
	}
	return printParked(p.stdout, lists, skipped)
}

func (a *app) parkedLists(ctx context.Context, names []string, limit int) ([]parkedList, error) {
	lists := []parkedList{}
	for _, of := range []struct {
		kind  string
		names []string
	}{{status.KindCapture, a.cfg.Sources.Names()}, {status.KindTransform, a.cfg.Views.Names()}, {status.KindSink, a.cfg.Sinks.Names()}} {
		for _, name := range slices.Sorted(slices.Values(of.names)) {
			if len(names) > 0 && !slices.Contains(names, name) {
				continue
			}
			l, err := a.parkedOf(ctx, of.kind, name, limit)
			switch {
			case err != nil && len(names) > 0:
				return nil, err
			case err != nil: // the others are listed all the same
				l = &parkedList{Kind: of.kind, Name: name, Error: a.cfg.Redact(err.Error())}
			}
			lists = append(lists, *l)
		}
	}
	return lists, nil
}

func printParked(out io.Writer, lists []parkedList, skipped bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i := range lists {
		l := &lists[i]
		count := fmt.Sprintf("%d parked", len(l.Parked))
		if len(l.Skipped) > 0 {
			count += fmt.Sprintf(", %d skipped", len(l.Skipped))
		}
		if l.Held > 0 {
			count += fmt.Sprintf(", %d held by guards (shelfstream held list)", l.Held)
		}
		if l.Error != "" {
			count = plain(l.Error)
		}
		_, _ = fmt.Fprintf(w, "%s %s: %s\n", l.Kind, plain(l.Name), count)
		for j := range l.Parked {
			printParkedRow(w, &l.Parked[j])
		}
		for j := range l.Skipped {
			if s := &l.Skipped[j]; skipped {
				printParkedRow(w, &s.Parked)
				row(w, "", "skipped: "+s.Why+" ("+s.By+when(", ", s.At)+")")
			}
		}
	}
	return w.Flush()
}

func printParkedRow(w io.Writer, p *status.Parked) {
	row(w, "  "+p.Key, p.What)
	for _, line := range []struct{ label, text string }{{"at: ", p.Where}, {"fix: ", p.Fix}, {"cause: ", p.Cause}, {"since: ", when("", p.Since)}} {
		if line.text != "" {
			row(w, "", line.label+line.text)
		}
	}
}

package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"shelfstream/status"
	"shelfstream/status/incident"
)

func incidentsCommand() command {
	return command{
		name: "incidents", args: "[id]", summary: "list what is wrong, with remedy and story",
		help: `
What is wrong of one cause at one place is one incident, however many records it holds back and whichever workers report it. It is resolved by itself when the
cause is gone. What follows from another incident is listed behind it. It is read from the log, also while no worker runs. With an ID it prints that one with its story.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var c common
			var all, asJSON bool
			c.flags(p, fs)
			fs.BoolVar(&all, "all", false, "also list those that are resolved")
			fs.BoolVar(&asJSON, "json", false, "print JSON")
			return func(ctx context.Context, args []string) error { return listIncidents(ctx, p, &c, args, all, asJSON) }
		},
	}
}

func listIncidents(ctx context.Context, p *program, c *common, args []string, all, asJSON bool) error {
	if len(args) > 1 {
		return usage("incidents wants one ID at most", "shelfstream incidents "+args[0])
	}
	cfg, log, err := c.load(p)
	if err != nil {
		return err
	}
	a, err := openApp(ctx, cfg, log, roleTool)
	if err != nil {
		return err
	}
	list, err := incident.Read(ctx, a.client, cfg.Name)
	if err := errors.Join(err, a.Close()); err != nil {
		return err
	}
	if len(args) == 1 {
		one, err := incidentOf(list, args[0])
		if err != nil {
			return err
		}
		list, all = []incident.Incident{*one}, true
	}
	if !all {
		list = slices.DeleteFunc(list, func(i incident.Incident) bool { return !i.Open() })
	}
	if asJSON {
		if list == nil {
			list = []incident.Incident{}
		}
		return printJSON(p.stdout, list)
	}
	return printIncidents(p.stdout, list, len(args) == 1, now())
}

// incidentOf finds an incident by its ID, or by how it begins if that is enough.
func incidentOf(list []incident.Incident, id string) (*incident.Incident, error) {
	var found []*incident.Incident
	for n := range list {
		switch {
		case list[n].ID == id:
			return &list[n], nil
		case strings.HasPrefix(list[n].ID, strings.ToLower(id)) && len(id) >= 2:
			found = append(found, &list[n])
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return nil, usage(fmt.Sprintf("there is no incident %q", id), "shelfstream incidents -all lists them")
}

func printIncidents(out io.Writer, list []incident.Incident, story bool, at time.Time) error {
	if len(list) == 0 {
		_, err := io.WriteString(out, "no incidents\n")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for n := range list {
		printIncident(w, &list[n], story, at)
	}
	return w.Flush()
}

func printIncident(w io.Writer, i *incident.Incident, story bool, at time.Time) {
	state := "open for " + status.Duration(at.Sub(i.Opened))
	switch {
	case !i.Open():
		state = "resolved" + when(" ", i.Resolved) + ", after " + status.Duration(i.Resolved.Sub(i.Opened))
	case i.Behind != "":
		state += ", follows from " + i.Behind
	}
	if !i.Acked.IsZero() {
		state += ", taken on by " + i.By
		if i.Note != "" {
			state += " (" + i.Note + ")"
		}
	}
	_, _ = fmt.Fprintln(w, plain(fmt.Sprintf("%s  %s  %s: %s, %s", i.ID, strings.ToUpper(string(i.Severity)), i.Link, cmp.Or(i.Title, "trouble"), state)))
	samples := strings.Join(i.Samples, ", ")
	if samples != "" && int64(len(i.Samples)) < i.Count {
		samples += ", …"
	}
	count := status.Count(i.Count)
	if i.Tries > 0 {
		count = "" // the same number
	}
	for _, line := range []struct{ label, text string }{
		{"what", i.What}, {"where", i.Where}, {"do", i.Fix}, {"command", i.Command}, {"tries", status.Tries(i.Tries, i.NextTry, at)}, {"count", count}, {"such as", samples}, {"cause", string(i.Cause)},
	} {
		if line.text != "" {
			row(w, "  "+line.label, oneLine.Replace(line.text))
		}
	}
	if !story {
		return
	}
	for _, e := range i.Log {
		row(w, "  "+e.At.Local().Format("2006-01-02 15:04:05"), oneLine.Replace(e.What)+by(e.By))
	}
}

func by(who string) string {
	if who == "" {
		return ""
	}
	return " (" + who + ")"
}

func ackCommand() command {
	return command{
		name: "ack", args: "<id>", summary: "take an incident on, so that nobody else is told",
		help: `
Nobody is told of it any more, unless its policy says to begin again when it is not solved after some time. The request stands in the log: the process that keeps the
incidents applies it at once, or when there is one again.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var c common
			var who, note string
			var asJSON bool
			c.flags(p, fs)
			fs.StringVar(&who, "by", "", "`name` of who takes it on; the system's user name if left out")
			fs.StringVar(&note, "note", "", "`text` for the others")
			fs.BoolVar(&asJSON, "json", false, "print JSON")
			return func(ctx context.Context, args []string) error {
				if len(args) != 1 {
					return usage("ack wants the ID of an incident", "shelfstream incidents lists them")
				}
				return ackIncident(ctx, p, &c, args[0], cmp.Or(who, userName()), note, asJSON)
			}
		},
	}
}

func ackIncident(ctx context.Context, p *program, c *common, id, who, note string, asJSON bool) error {
	cfg, log, err := c.load(p)
	if err != nil {
		return err
	}
	a, err := openApp(ctx, cfg, log, roleTool)
	if err != nil {
		return err
	}
	done, say, err := a.ack(ctx, id, who, note)
	if err := errors.Join(err, a.Close()); err != nil {
		return err
	}
	if asJSON {
		return printJSON(p.stdout, done)
	}
	_, err = io.WriteString(p.stdout, plain(say)+"\n")
	return err
}

// acked is what ack prints as JSON.
type acked struct {
	// Asked: the request is written; false: the incident is resolved already.
	Asked bool `json:"asked"`
	incident.Request
}

// ack writes the request down, and says what was asked for.
func (a *app) ack(ctx context.Context, id, who, note string) (*acked, string, error) {
	list, err := incident.Read(ctx, a.client, a.cfg.Name)
	if err != nil {
		return nil, "", err
	}
	i, err := incidentOf(list, id)
	if err != nil {
		return nil, "", err
	}
	r := incident.Request{ID: rand.Text(), At: now(), By: who, What: incident.Ack, Incident: i.ID, Note: note}
	if !i.Open() {
		return &acked{Request: r}, fmt.Sprintf("incident %s is resolved already, nothing is left to take on", i.ID), nil
	}
	if err := incident.Send(ctx, a.client, a.cfg.Name, a.cfg.Log.Replication, r); err != nil {
		return nil, "", err
	}
	return &acked{true, r}, fmt.Sprintf("asked for: %s takes on incident %s (%s)", who, i.ID, status.About(i.Link, i.What)), nil
}

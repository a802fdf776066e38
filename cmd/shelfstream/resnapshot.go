package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"

	"shelfstream/capture"
)

// list collects a flag that may be given several times, or once with commas.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			*l = append(*l, part)
		}
	}
	return nil
}

func resnapshotCommand() command {
	return command{
		name: "capture resnapshot", args: "-source name [-table name]…", summary: "read tables of a source again whole, and send what differs",
		help: `
Asks the worker that captures the source; if none runs, the next one to start does it. Rows that did not change are not sent again,
and keys that are gone are deleted. Without -table every table is read: that also ends the state "position lost".`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var c common
			var source string
			var tables list
			c.flags(p, fs)
			fs.StringVar(&source, "source", "", "`name` of the source; may be left out if there is only one")
			fs.Var(&tables, "table", "`name` of a table as the configuration has it; may be given several times")
			return func(ctx context.Context, args []string) error {
				if err := noArguments("capture resnapshot", args); err != nil {
					return err
				}
				return resnapshot(ctx, p, &c, source, tables)
			}
		},
	}
}

func resnapshot(ctx context.Context, p *program, c *common, source string, tables []string) error {
	cfg, log, err := c.load(p)
	if err != nil {
		return err
	}
	if source == "" && len(cfg.Sources) == 1 {
		source = cfg.Sources[0].Name
	}
	if source == "" {
		return usage("several sources are configured", "-source with one of "+strings.Join(cfg.Sources.Names(), ", "))
	}
	s, ok := cfg.Sources.Get(source)
	if !ok {
		return unknownName("source", source, cfg.Sources.Names())
	}
	for _, t := range tables {
		if !slices.Contains(s.Tables.Names(), t) {
			return unknownName("table", t, s.Tables.Names())
		}
	}
	a, err := openApp(ctx, cfg, log, roleTool)
	if err != nil {
		return err
	}
	err = errors.Join(capture.RequestResnapshot(ctx, a.client, cfg.Name, source, tables, whoAsks()), a.Close())
	if err != nil {
		return err
	}
	what := "every table"
	if len(tables) > 0 {
		what = strings.Join(tables, ", ")
	}
	_, err = fmt.Fprintf(p.stdout, "asked for: %s of %s is read again; see 'shelfstream status'\n", what, source)
	return err
}

// whoAsks is "user@host", for the records of who did what.
func whoAsks() string {
	name := userName()
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}

// userName is the system's name of who runs the command.
func userName() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return u.Username
}

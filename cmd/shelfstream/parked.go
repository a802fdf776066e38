package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/sink"
	"shelfstream/status"
)

func parkedCommand() command {
	return command{
		name: "parked", args: "[view or sink]", summary: "list products that are held back, with reason and remedy",
		help: `
Products whose rule fails are held by their view, products that a target cannot take by their sink; the last good version stays
in the shop, and each is tried again by itself when its cause goes away.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var c common
			var limit int
			var asJSON bool
			c.flags(p, fs)
			fs.IntVar(&limit, "limit", 100, "`number` of rows listed at most of one view or sink")
			fs.BoolVar(&asJSON, "json", false, "print JSON")
			return func(ctx context.Context, args []string) error { return listParked(ctx, p, &c, args, limit, asJSON) }
		},
	}
}

// parkedList is what one stage holds.
type parkedList struct {
	Kind   string          `json:"kind"`
	Name   string          `json:"name"`
	Parked []status.Parked `json:"parked"`
	// Error says why it could not be listed.
	Error string `json:"error,omitempty"`
}

func listParked(ctx context.Context, p *program, c *common, args []string, limit int, asJSON bool) error {
	cfg, log, err := c.load(p)
	if err != nil {
		return err
	}
	all := append(cfg.Views.Names(), cfg.Sinks.Names()...)
	if len(args) > 1 {
		return usage("parked wants one view or sink at most", "shelfstream parked "+args[0])
	}
	if len(args) == 1 && !slices.Contains(all, args[0]) {
		return unknownName("view or sink", args[0], all)
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
	return printParked(p.stdout, lists)
}

func (a *app) parkedLists(ctx context.Context, names []string, limit int) ([]parkedList, error) {
	wanted := func(name string) bool { return len(names) == 0 || slices.Contains(names, name) }
	lists := []parkedList{}
	for kind, all := range map[string][]string{status.KindTransform: a.cfg.Views.Names(), status.KindSink: a.cfg.Sinks.Names()} {
		for _, name := range all {
			if !wanted(name) {
				continue
			}
			rows, err := a.parked(ctx, kind, name, limit)
			l := parkedList{Kind: kind, Name: name, Parked: rows}
			switch {
			case err != nil && len(names) > 0:
				return nil, err
			case err != nil: // the others are listed all the same
				l.Error = a.cfg.Redact(err.Error())
			}
			lists = append(lists, l)
		}
	}
	slices.SortFunc(lists, func(x, y parkedList) int {
		if x.Kind != y.Kind {
			return -strings.Compare(x.Kind, y.Kind) // transform before sink, the way of the data
		}
		return strings.Compare(x.Name, y.Name)
	})
	return lists, nil
}

// parked lists what a view or a sink holds back; the admin port answers with it too.
func (a *app) parked(ctx context.Context, kind, name string, limit int) ([]status.Parked, error) {
	switch kind {
	case status.KindTransform:
		if _, ok := a.cfg.Views.Get(name); !ok {
			return nil, unknownName("view", name, a.cfg.Views.Names())
		}
		return a.parkedProducts(ctx, name, limit)
	case status.KindSink:
		if _, ok := a.cfg.Sinks.Get(name); !ok {
			return nil, unknownName("sink", name, a.cfg.Sinks.Names())
		}
		return a.parkedRecords(ctx, name, limit)
	}
	return nil, usage(fmt.Sprintf("%q holds nothing back", kind), "name a view (transform) or a sink")
}

// parkedProducts reads a view's topic of parked products: the newest record of a key counts, and none means it is parked no more.
func (a *app) parkedProducts(ctx context.Context, view string, limit int) ([]status.Parked, error) {
	topic := sink.Topic(a.cfg.Name, view) + ".parked"
	partitions, err := a.client.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	newest := map[string]status.Parked{}
	for partition := range int32(partitions) {
		err := a.client.Scan(ctx, topic, partition, 0, -1, func(r *kafka.Record) error {
			if r.Value == nil {
				delete(newest, string(r.Key))
				return nil
			}
			var p status.Parked
			if err := json.Unmarshal(r.Value, &p); err != nil {
				return fmt.Errorf("%s/%d@%d: %w", topic, partition, r.Offset, err)
			}
			newest[string(r.Key)] = p
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", topic, err)
		}
	}
	out := make([]status.Parked, 0, len(newest))
	for _, p := range newest {
		out = append(out, p)
	}
	slices.SortFunc(out, func(x, y status.Parked) int {
		if c := x.Since.Compare(y.Since); c != 0 {
			return c
		}
		return strings.Compare(x.Key, y.Key)
	})
	return out[:min(len(out), limit)], nil
}

// parkedLister is a target that can list what it holds, of whichever session.
type parkedLister interface {
	ListParked(ctx context.Context, limit int) ([]sink.Parked, error)
}

// errNoList says that a target is no parkedLister.
var errNoList = errors.New("only the running sink knows")

func (a *app) parkedRecords(ctx context.Context, name string, limit int) ([]status.Parked, error) {
	target, err := a.target(name)
	if err != nil {
		return nil, err
	}
	lister, ok := target.(parkedLister)
	if !ok {
		return nil, &fault.Fault{Class: fault.Config, Where: "sink " + name, What: "this kind of sink does not list what it holds", Fix: "see the faults on the status page", Err: errNoList}
	}
	list, err := lister.ListParked(ctx, limit)
	if err != nil {
		return nil, err
	}
	out := make([]status.Parked, len(list))
	for i, p := range list {
		out[i] = status.Parked{Key: p.Key, Topic: p.Topic, Partition: p.Partition, Offset: p.Offset, Since: p.Since}
		if p.Fault != nil {
			out[i].Where, out[i].What, out[i].Fix = p.Fault.Where, p.Fault.What, p.Fault.Fix
		}
	}
	return out, nil
}

func printParked(out io.Writer, lists []parkedList) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, l := range lists {
		count := fmt.Sprintf("%d parked", len(l.Parked))
		if l.Error != "" {
			count = plain(l.Error)
		}
		_, _ = fmt.Fprintf(w, "%s %s: %s\n", l.Kind, plain(l.Name), count)
		for _, p := range l.Parked {
			row(w, "  "+p.Key, p.What)
			for _, line := range []struct{ label, text string }{{"at: ", p.Where}, {"fix: ", p.Fix}, {"since: ", when("", p.Since)}} {
				if line.text != "" {
					row(w, "", line.label+line.text)
				}
			}
		}
	}
	return w.Flush()
}

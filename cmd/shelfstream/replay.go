package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"shelfstream/internal/fault"
	"shelfstream/sink"
)

func replayCommand() command {
	return command{
		name: "replay", args: "<sink or view>", summary: "rewind a sink, or every sink of a view, to an offset, a time or the beginning",
		help: `
Of every product that changed since then the sink writes the newest state once more; an older state is never shown on the way. It works
while the pipeline runs and while it is stopped. -to takes
    beginning              everything
    1042                   an offset, with -partition
    2026-03-14T08:00:00Z   a time; also 2026-03-14 and 2026-03-14 08:00 in the pipeline's time zone
    2h, 7d                 so long ago
If a sink and a view have one name, write sink/name or view/name. A view's products follow from the topics alone, so that replaying a
view means replaying it to those who read it; to build its state anew, delete state.dir while the pipeline is stopped.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var c common
			r := replay{partition: -1}
			c.flags(p, fs)
			fs.StringVar(&r.to, "to", "", "`place` to rewind to: beginning, an offset, a time, or how long ago")
			fs.Func("partition", "only the partition of this `number`", func(text string) (err error) {
				if r.partition, err = strconv.Atoi(text); err != nil || r.partition < 0 {
					return errors.New("not a whole number")
				}
				return nil
			})
			fs.StringVar(&r.view, "view", "", "only this `view` of the sink")
			fs.BoolVar(&r.prune, "prune", false, "also remove from the target what the view does not have")
			return func(ctx context.Context, args []string) error {
				if len(args) != 1 {
					return usage("replay wants one sink or view", "shelfstream replay shop -to 2h")
				}
				if r.to == "" {
					return usage("-to is missing", "-to beginning, -to 2h, -to '2026-03-14 08:00', or -to 1042 -partition 0")
				}
				return r.run(ctx, p, &c, args[0])
			}
		},
	}
}

// replay is one request.
type replay struct {
	to, view  string
	partition int
	prune     bool
}

// reader is a sink that reads a view.
type reader struct{ sink, view string }

func (r *replay) run(ctx context.Context, p *program, c *common, name string) error {
	cfg, log, err := c.load(p)
	if err != nil {
		return err
	}
	readers, err := r.readers(cfg, name)
	if err != nil {
		return err
	}
	to, err := parsePlace(r.to, cfg.Zone)
	if err != nil {
		return err
	}
	if to.kind == atOffset && r.partition < 0 && cfg.Log.Partitions > 1 {
		return usage("an offset is a place in one partition", fmt.Sprintf("add -partition with a number from 0 to %d", cfg.Log.Partitions-1))
	}
	a, err := openApp(ctx, cfg, log, roleTool)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, reader := range readers {
		if err = r.rewind(ctx, a, w, reader, to); err != nil {
			break
		}
	}
	return errors.Join(err, w.Flush(), a.Close())
}

// readers finds which sinks are rewound on which views.
func (r *replay) readers(cfg *pipeline, name string) ([]reader, error) {
	kind, bare, typed := strings.Cut(name, "/")
	if !typed {
		kind, bare = "", name
	}
	_, isSink := cfg.Sinks.Get(bare)
	_, isView := cfg.Views.Get(bare)
	isSink, isView = isSink && kind != "view", isView && kind != "sink"
	if isSink && isView {
		return nil, usage(bare+" is a sink and a view", "write sink/"+bare+" or view/"+bare)
	}
	if !isSink && !isView {
		return nil, unknownName("sink or view", name, append(cfg.Sinks.Names(), cfg.Views.Names()...))
	}
	var out []reader
	for _, s := range cfg.Sinks {
		for _, view := range s.Value.Views() {
			if (isSink && s.Name == bare || isView && view == bare) && (r.view == "" || r.view == view) {
				out = append(out, reader{s.Name, view})
			}
		}
	}
	if len(out) == 0 && r.view != "" {
		s, _ := cfg.Sinks.Get(bare)
		return nil, unknownName("view of "+bare, r.view, s.Views())
	}
	if len(out) == 0 {
		return nil, usage("no sink reads the view "+bare, "add it to a sink's tables")
	}
	return out, nil
}

// rewind sets the places of one sink on one view back.
func (r *replay) rewind(ctx context.Context, a *app, w *tabwriter.Writer, from reader, to place) error {
	target, err := a.target(from.sink)
	if err != nil {
		return err
	}
	rewinder, ok := target.(sink.Rewinder)
	if !ok {
		return &fault.Fault{Class: fault.Config, Where: "sink " + from.sink, What: "this kind of sink cannot be rewound"}
	}
	topic := sink.Topic(a.cfg.Name, from.view)
	n, err := a.client.Partitions(ctx, topic)
	if err != nil {
		return err
	}
	if n == 0 {
		return &fault.Fault{Class: fault.Config, Where: "topic " + topic, What: "it does not exist: nothing was ever published", Fix: "run the pipeline first"}
	}
	partitions := make([]int32, 0, n)
	for i := range int32(n) {
		partitions = append(partitions, i)
	}
	if r.partition >= 0 {
		if !slices.Contains(partitions, int32(r.partition)) {
			return usage(fmt.Sprintf("%s has no partition %d", topic, r.partition), fmt.Sprintf("write a number from 0 to %d", n-1))
		}
		partitions = []int32{int32(r.partition)}
	}
	for _, id := range partitions {
		offset, err := to.offset(ctx, a.client, topic, id)
		if err != nil {
			return err
		}
		part := sink.Partition{View: sink.View{Name: from.view, Topic: topic}, ID: id, Owner: "replay by " + whoAsks()}
		before, err := rewinder.Rewind(ctx, part, offset, r.prune)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("from %d back to %d", before.Next, offset)
		if offset >= before.Next {
			what = fmt.Sprintf("stays at %d", before.Next)
		}
		if r.prune {
			what += ", all keys compared"
		}
		row(w, "sink "+from.sink, part.String(), what)
	}
	return nil
}

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
view means replaying it, and the views that are made of it, to the sinks that read them (to an offset: it alone); to build its state anew, delete
state.dir while the pipeline is stopped.`,
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
	to, err := parsePlace(r.to, cfg.Zone)
	if err != nil {
		return err
	}
	readers, err := r.readers(cfg, name, to.kind == atOffset)
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

// readers finds which sinks are rewound on which views. A view's replay goes on to the views over it, unless it goes to an offset: that is a place
// in one topic.
func (r *replay) readers(cfg *pipeline, name string, offset bool) ([]reader, error) {
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
	views := []string{bare}
	if isView && !offset {
		views = append(views, cfg.ViewsOver(bare)...)
	}
	var out []reader
	for _, s := range cfg.Sinks {
		for _, view := range s.Value.Views() {
			if (isSink && s.Name == bare || isView && slices.Contains(views, view)) && (r.view == "" || r.view == view) {
				out = append(out, reader{s.Name, view})
			}
		}
	}
	if len(out) == 0 && r.view != "" {
		return nil, unknownName("view of "+bare, r.view, viewsOf(cfg, bare, isSink, views))
	}
	if len(out) == 0 {
		return nil, usage("no sink reads the view "+bare, "add it to a sink's tables")
	}
	return out, nil
}

// viewsOf are the views that -view can pick from.
func viewsOf(cfg *pipeline, name string, isSink bool, views []string) []string {
	if !isSink {
		return views
	}
	s, _ := cfg.Sinks.Get(name)
	return s.Views()
}

// rewind sets the places of one sink on one view back.
func (r *replay) rewind(ctx context.Context, a *app, w *tabwriter.Writer, from reader, to place) error {
	target, err := a.target(from.sink)
	if err != nil {
		return err
	}
	cfg := sink.RewindConfig{
		Pipeline: a.cfg.Name, Sink: from.sink, Views: []string{from.view}, Client: a.client, Target: target, By: "replay by " + whoAsks(), Prune: r.prune,
		OnePartition: r.partition >= 0, Partition: int32(max(r.partition, 0)),
	}
	switch to.kind {
	case atOffset:
		cfg.Offset = &to.number
	case atTime:
		cfg.At = to.at
	case atBeginning:
	}
	done, err := sink.Rewind(ctx, cfg)
	for _, p := range done {
		what := fmt.Sprintf("from %d back to %d", p.From, p.To)
		if p.From == p.To {
			what = fmt.Sprintf("stays at %d", p.From)
		}
		if r.prune {
			what += ", all keys compared"
		}
		row(w, "sink "+from.sink, fmt.Sprintf("%s/%d", p.Topic, p.Partition), what)
	}
	return err
}

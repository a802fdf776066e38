package main

import (
	"context"
	"errors"
	"flag"
	"strings"

	"shelfstream/internal/fault"
)

// stageFlags are the flags of every command that runs stages.
type stageFlags struct {
	common
	admin, only string
}

func (f *stageFlags) flags(p *program, fs *flag.FlagSet) {
	f.common.flags(p, fs)
	fs.StringVar(&f.admin, "admin", "", "`address` of the admin port instead of the configuration's admin.listen; off = none")
}

func (f *stageFlags) names() []string {
	if f.only == "" {
		return nil
	}
	return strings.Split(f.only, ",")
}

// open reads the configuration and connects.
func (f *stageFlags) open(ctx context.Context, p *program, r role) (*app, error) {
	cfg, log, err := f.load(p)
	if err != nil {
		return nil, err
	}
	if f.admin != "" {
		cfg.Admin.Listen = f.admin
	}
	return openApp(ctx, cfg, log, r)
}

func runCommand() command {
	return command{
		name: "run", summary: "run the whole pipeline in one process, on an embedded log if no brokers are named",
		help: `
Captures every source, makes every view and writes every sink of the configuration. If log.brokers is empty a log runs inside the
process (log.listen, for any Kafka client); if log.registry.url is empty a schema registry does (log.registry.listen).
A mistake in the configuration ends it at once, with all faults. A system that does not answer, or is not ready (a table or a privilege is
missing), is waited for; the status page and the log say what is missing, and when it is there the pipeline goes on by itself.
SIGINT or SIGTERM end it cleanly within 10 s; a second one ends it at once. Nothing is lost either way.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var f stageFlags
			f.flags(p, fs)
			return func(ctx context.Context, args []string) error {
				if err := noArguments("run", args); err != nil {
					return err
				}
				return f.run(ctx, p, roleAll, (*app).allStages)
			}
		},
	}
}

// stageCommand makes the commands that run one stage.
func stageCommand(name string, r role, what, which string, stages func(a *app, names []string) ([]stage, error)) command {
	return command{
		name: name, summary: what + "; as many processes as you like share the work",
		help: `
The processes share the work as Kafka consumer groups: each may be started more than once, on several machines. Brokers and a
schema registry must be named in the configuration. As with 'run', mistakes in the configuration end it, and systems are waited for.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var f stageFlags
			f.flags(p, fs)
			fs.StringVar(&f.only, "only", "", "`names` of "+which+", with commas between; all of the configuration if left out")
			return func(ctx context.Context, args []string) error {
				if err := noArguments(name, args); err != nil {
					return err
				}
				return f.run(ctx, p, r, func(a *app) ([]stage, error) { return stages(a, f.names()) })
			}
		},
	}
}

func captureCommand() command {
	return stageCommand("capture", roleCapture, "tail the sources' change logs into topics", "sources", (*app).captureStages)
}

func transformCommand() command {
	return stageCommand("transform", roleTransform, "make the views' products out of the captured rows", "views", (*app).transformStages)
}

func sinkCommand() command {
	return stageCommand("sink", roleSink, "write the products into the sinks", "sinks", (*app).sinkStages)
}

// run opens the app, makes its stages and serves them.
func (f *stageFlags) run(ctx context.Context, p *program, r role, stages func(*app) ([]stage, error)) error {
	a, err := f.open(ctx, p, r)
	if err != nil {
		return unlessAsked(ctx, err)
	}
	return unlessAsked(ctx, errors.Join(a.runStages(ctx, p, stages), a.Close()))
}

func (a *app) runStages(ctx context.Context, p *program, stages func(*app) ([]stage, error)) error {
	list, err := stages(a)
	if err != nil {
		return a.cfg.placedError("", err)
	}
	if err := a.preflight(ctx, list); err != nil {
		return err
	}
	return a.serve(ctx, p, list)
}

// unlessAsked drops an error that is only the end that was asked for.
func unlessAsked(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) && len(fault.All(err)) == 0 {
		return nil
	}
	return err
}

// allStages are those of 'run', in the order of the way of the data.
func (a *app) allStages() ([]stage, error) {
	var out []stage
	for _, make := range []func([]string) ([]stage, error){a.captureStages, a.transformStages, a.sinkStages} {
		stages, err := make(nil)
		if err != nil {
			return nil, err
		}
		out = append(out, stages...)
	}
	return out, nil
}

func (a *app) captureStages(names []string) ([]stage, error) {
	names, err := only("source", a.cfg.Sources.Names(), names)
	if err != nil {
		return nil, err
	}
	return a.captures(names)
}

func (a *app) transformStages(names []string) ([]stage, error) {
	names, err := only("view", a.cfg.Views.Names(), names)
	if err != nil {
		return nil, err
	}
	runners, err := a.transforms(names, false)
	out := make([]stage, len(runners))
	for i, r := range runners {
		out[i] = r
	}
	return out, err
}

func (a *app) sinkStages(names []string) ([]stage, error) {
	names, err := only("sink", a.cfg.Sinks.Names(), names)
	if err != nil {
		return nil, err
	}
	return a.sinks(names)
}

func noArguments(command string, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage(command+" takes no argument, and there is "+strings.Join(args, " "), "shelfstream "+command+" -h")
}

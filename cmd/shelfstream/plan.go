package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/status"
	"shelfstream/transform"
)

// planOptions are the flags of plan.
type planOptions struct {
	common
	admin  string
	rules  []string
	file   string // another configuration
	hidden []transform.HiddenValue
	shown  int
	json   bool
}

func planCommand() command {
	return command{
		name: "plan", args: "[view ...]", summary: "say what new rules would change in the shop, before they do",
		help: `
Evaluates every product under the present rules and under new ones, over the same rows at the same instant, and counts what differs: products
created, removed, hidden and changed, fields, the largest moves of numbers, and what would be parked. Nothing is sent or written.

  shelfstream plan                      the rule files as they are on disk now, against those that the running pipeline began with
  shelfstream plan -rules new/          the views' rule files, taken from another directory where that has a file of the same name
  shelfstream plan -rules a.yaml        one rule file in the place of that of the same name; of another name it becomes the view's last layer
  shelfstream plan -new new/shop.yaml   another configuration of the same pipeline

-config names the configuration that the pipeline has. A running pipeline is asked on its admin port; of a stopped one the state is read.
Names of products and their old and new values are samples; -json has the same numbers.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var o planOptions
			o.flags(p, fs)
			fs.StringVar(&o.admin, "admin", "", "`address` of the pipeline's admin port; the configuration's if left out")
			fs.Func("rules", "a new rule `file`, or a directory of them; may be given several times", func(s string) error {
				o.rules = append(o.rules, s)
				return nil
			})
			fs.StringVar(&o.file, "new", "", "the new configuration's `file`")
			fs.Func("status", "a `field=value` that hides a product in the shop, e.g. status=draft; may be given several times", func(s string) error {
				field, value, ok := strings.Cut(s, "=")
				if !ok || field == "" {
					return errors.New("write field=value, e.g. -status status=draft")
				}
				o.hidden = append(o.hidden, transform.HiddenValue{Field: field, Value: value})
				return nil
			})
			fs.IntVar(&o.shown, "samples", 5, "`number` of products named of each kind of change")
			fs.BoolVar(&o.json, "json", false, "print JSON")
			return func(ctx context.Context, args []string) error { return o.run(ctx, p, args) }
		},
	}
}

func (o *planOptions) run(ctx context.Context, p *program, views []string) error {
	cfg, log, err := o.load(p)
	if err != nil {
		return err
	}
	requests, notes, err := o.requests(p, cfg, views)
	if err != nil {
		return err
	}
	plans, err := o.ask(ctx, p, cfg, requests)
	if errors.Is(err, errNoAnswer) {
		if len(o.rules) == 0 && o.file == "" {
			return &fault.Fault{
				Class: fault.Config, Where: "command line", What: "the pipeline does not run, and there are no new rules to compare its own with",
				Fix: "name them with -rules or -new",
			}
		}
		plans, err = o.stopped(ctx, p, cfg, log, requests)
	}
	p.screen.progress("")
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(p.stdout, plans)
	}
	for i, plan := range plans {
		if i > 0 {
			_, _ = fmt.Fprintln(p.stdout)
		}
		if err := printPlan(p.stdout, plan); err != nil {
			return err
		}
	}
	for _, n := range notes {
		_, _ = fmt.Fprintln(p.stdout, "\nnote: "+plain(n))
	}
	return nil
}

// ask lets the running pipeline make the plans. The error is errNoAnswer only where no address was named, so that the state may be read instead.
func (o *planOptions) ask(ctx context.Context, p *program, cfg *pipeline, requests []*planRequest) ([]*transform.Plan, error) {
	var out []*transform.Plan
	address := adminURL(ctx, cfg, o.admin)
	for _, r := range requests {
		plan, err := askPlan(cfg.knownTo(ctx), address+"/plan", r, func(at transform.PlanProgress) { p.screen.progress(progressText(r.View, at)) })
		if errors.Is(err, errNoAnswer) && o.admin != "" {
			return nil, notRunning(address, err)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, plan)
	}
	return out, nil
}

// stopped makes the plans out of the state of a pipeline that does not run.
func (o *planOptions) stopped(ctx context.Context, p *program, cfg *pipeline, log *slog.Logger, requests []*planRequest) (plans []*transform.Plan, err error) {
	a, err := openApp(ctx, cfg, log, roleTool)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	for _, r := range requests {
		runners, err := a.transforms([]string{r.View}, true)
		if err != nil {
			return nil, err
		}
		plan, err := a.plan(ctx, map[string]planner{r.View: runners[0]}, r, func(at transform.PlanProgress) { p.screen.progress(progressText(r.View, at)) })
		if err != nil {
			return nil, err
		}
		plans = append(plans, plan)
	}
	return plans, nil
}

func progressText(view string, at transform.PlanProgress) string {
	text := fmt.Sprintf("plan %s: %s products", view, status.Count(at.Products))
	if at.Fraction > 0 {
		text += fmt.Sprintf(", %.0f %%", at.Fraction*100)
	}
	return text
}

// planViews are the views of the command line that both configurations have; of all of them if none is named.
func planViews(cfg, next *pipeline, named []string) (views, notes []string, err error) {
	if len(named) > 0 {
		for _, v := range named {
			if _, ok := cfg.Views.Get(v); !ok {
				return nil, nil, unknownName("view", v, cfg.Views.Names())
			}
			if _, ok := next.Views.Get(v); !ok {
				return nil, nil, usage(fmt.Sprintf("the new configuration has no view %q", v), "name a view that both have")
			}
		}
		return named, nil, nil
	}
	for _, v := range cfg.Views.Names() {
		if _, ok := next.Views.Get(v); !ok {
			notes = append(notes, fmt.Sprintf("view %s is not in the new configuration: its topic and what the sinks have of it stay as they are", v))
			continue
		}
		views = append(views, v)
	}
	for _, v := range next.Views.Names() {
		if _, ok := cfg.Views.Get(v); !ok {
			notes = append(notes, fmt.Sprintf("view %s is new: there is no state of it to plan with", v))
		}
	}
	if len(views) == 0 {
		return nil, nil, &fault.Fault{Class: fault.Config, Where: "command line", What: "the two configurations have no view in common", Fix: "give the view its old name, or see what it makes by running it"}
	}
	return views, notes, nil
}

// otherPipeline loads the configuration of -new.
func (o *planOptions) otherPipeline(p *program, cfg *pipeline) (*pipeline, error) {
	if o.file == "" {
		return cfg, nil
	}
	if len(o.rules) > 0 {
		return nil, usage("-rules and -new are two ways to say the same", "leave one of them out")
	}
	next, err := loadPipeline(o.file, p.env)
	if next != nil {
		p.screen.redact(func(s string) string { return cfg.Redact(next.Redact(s)) })
	}
	if err != nil {
		return nil, err
	}
	if next.Name != cfg.Name {
		what := fmt.Sprintf("%s is of pipeline %s, and the present configuration of %s", o.file, next.Name, cfg.Name)
		return nil, &fault.Fault{Class: fault.Config, Where: o.file, What: what, Fix: "name the present one with -config, and with -new another version of it"}
	}
	return next, nil
}

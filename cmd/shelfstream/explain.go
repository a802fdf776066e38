package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/status"
	"shelfstream/transform"
)

func explainCommand() command {
	return command{
		name: "explain", args: "<view> <key>", summary: "say of each field of a product which rule set it and from which rows, and what the sinks have",
		help: `
The parts of a key of several columns have a slash between: 4711/NO; a slash that belongs to a part has a backslash before it. A running pipeline
is asked on its admin port; of a stopped one the state is read, and where its log cannot be reached, what the state alone knows is shown. In the rows'
names, and in a list's column position, counting begins with 0. -field tells the story of one field, from the shop back to the rows.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var c common
			var admin, field string
			var asJSON bool
			c.flags(p, fs)
			fs.StringVar(&admin, "admin", "", "`address` of the pipeline's admin port; the configuration's if left out")
			fs.StringVar(&field, "field", "", "only this `field`: the rules that set it, and the rows it comes from")
			fs.BoolVar(&asJSON, "json", false, "print JSON")
			return func(ctx context.Context, args []string) error {
				if len(args) != 2 {
					return usage("explain wants a view and a key", "shelfstream explain product 4711")
				}
				x, err := explainProduct(ctx, p, &c, admin, args[0], args[1])
				if err != nil {
					return err
				}
				if field != "" {
					if err := oneField(x, field); err != nil {
						return err
					}
				}
				if asJSON {
					return printJSON(p.stdout, x)
				}
				if field != "" {
					return printStory(p.stdout, x, time.Now())
				}
				return printExplanation(p.stdout, x, time.Now())
			}
		},
	}
}

func explainProduct(ctx context.Context, p *program, c *common, admin, view, key string) (*status.Explanation, error) {
	cfg, log, err := c.load(p)
	if err != nil {
		return nil, err
	}
	if _, ok := cfg.Views.Get(view); !ok {
		return nil, unknownName("view", view, cfg.Views.Names())
	}
	var x status.Explanation
	address := adminURL(ctx, cfg, admin)
	err = askAdmin(cfg.knownTo(ctx), address+"/explain?"+url.Values{"view": {view}, "key": {key}}.Encode(), &x)
	switch {
	case !errors.Is(err, errNoAnswer):
		return &x, err
	case admin != "":
		return nil, notRunning(address, err)
	}
	a, err := openApp(ctx, cfg, log, roleTool)
	if err != nil {
		return explainState(cfg, log, view, key, err)
	}
	found, err := a.explainStopped(ctx, view, key)
	return found, errors.Join(err, a.Close())
}

// explainStopped reads the state of a pipeline that does not run.
func (a *app) explainStopped(ctx context.Context, view, key string) (*status.Explanation, error) {
	runners, err := a.transforms([]string{view}, true)
	if err != nil {
		return nil, err
	}
	return a.explain(ctx, map[string]explainer{view: runners[0]}, view, key)
}

// explainState tells what the state alone knows, where the log or the registry cannot be reached; why is what keeps them away.
func explainState(cfg *pipeline, log *slog.Logger, view, key string, why error) (x *status.Explanation, err error) {
	faults, _ := allFaults(why)
	if len(faults) == 0 || faults[0].Class != fault.Environment {
		return nil, why
	}
	store, err := transform.OpenStore(cfg.StateDir(), transform.StoreOptions{CacheMB: cfg.State.CacheMB, ReadOnly: true, Logger: log})
	if err != nil {
		return nil, errors.Join(why, err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	r, err := transform.NewRunner(transform.Config{Pipeline: cfg.Name, View: cfg.transformView(view), Zone: cfg.Zone, Store: store, Partitions: cfg.Log.Partitions, Logger: log})
	if err != nil {
		return nil, err
	}
	missing := fmt.Sprintf("%s: %s", faults[0].Where, faults[0].What)
	x, err = r.ExplainState(key, cfg.Redact("this is what the state alone knows, without values and rules, for the log cannot be read: "+missing))
	if err != nil {
		return nil, errors.Join(why, err)
	}
	return x, nil
}

// explainer is a view's runner.
type explainer interface {
	Explain(ctx context.Context, key string) (*status.Explanation, error)
}

// explain asks the view's runner, and then the sinks what they have.
func (a *app) explain(ctx context.Context, explainers map[string]explainer, view, key string) (*status.Explanation, error) {
	e, ok := explainers[view]
	if !ok {
		return nil, a.notHere(view)
	}
	x, err := e.Explain(ctx, key)
	if missing(err) {
		return nil, a.noSuchProduct(ctx, view, key, err)
	}
	if err != nil {
		return nil, err
	}
	x.Targets = a.inSinks(ctx, view, x.Key)
	return x, nil
}

// notHere says where to ask about a view that is not among those of this process.
func (a *app) notHere(view string) error {
	if _, ok := a.cfg.Views.Get(view); !ok {
		return unknownName("view", view, a.cfg.Views.Names())
	}
	return status.NotHere(status.KindTransform, view)
}

// inSinks asks every sink of the view, and of what was answered to its records, what it has; one that cannot be asked says why.
func (a *app) inSinks(ctx context.Context, view, key string) []status.ExplainedTarget {
	var out []status.ExplainedTarget
	for _, s := range a.cfg.Sinks {
		for _, from := range s.Value.Views() {
			if from != view && a.cfg.answersFor(from) != view {
				continue
			}
			found, err := a.lookUp(ctx, s.Name, from, key)
			if err != nil {
				out = append(out, status.ExplainedTarget{Sink: s.Name, Table: from, Error: a.cfg.Redact(err.Error())})
			}
			for _, f := range found {
				out = append(out, status.ExplainedTarget{Sink: s.Name, Table: f.Table, Columns: f.Columns, Rows: f.Rows})
			}
		}
	}
	return out
}

// lookUp asks a sink for what it has of one record of a view, or of answers.
func (a *app) lookUp(ctx context.Context, sinkName, view, key string) ([]sink.Found, error) {
	target, err := a.target(sinkName)
	if err != nil {
		return nil, err
	}
	looker, ok := target.(sink.Looker)
	if !ok {
		return nil, errors.New("this sink cannot be asked for one product")
	}
	topic := sink.Topic(a.cfg.Name, view)
	table, err := a.registry.Table(ctx, topic)
	if err != nil {
		return nil, err
	}
	values, bad := parseKey(table, key)
	if bad != nil {
		return nil, bad
	}
	return looker.Lookup(ctx, sink.View{Name: view, Topic: topic, Table: table}, values)
}

// oneField keeps one field, those it was computed from, and the rows of all of them.
func oneField(x *status.Explanation, name string) error {
	byName := map[string]status.ExplainedField{}
	var names []string
	for _, f := range x.Fields {
		if f.Field != "" {
			byName[f.Field] = f
			names = append(names, f.Field)
		}
	}
	if _, ok := byName[name]; !ok {
		return unknownName("field", name, names)
	}
	var kept []status.ExplainedField
	rows := map[string]bool{}
	var keep func(name string)
	keep = func(name string) {
		f, ok := byName[name]
		if !ok {
			return
		}
		delete(byName, name)
		kept = append(kept, f)
		for _, u := range f.Uses {
			if u.Input == fieldInput {
				keep(u.Column)
			}
			rows[rowName(u.Input, u.Row)] = true
		}
	}
	keep(name)
	x.Fields = kept
	if x.Emitted != nil {
		x.Emitted.Fields = slices.DeleteFunc(x.Emitted.Fields, func(f status.ExplainedRecordField) bool {
			return !slices.ContainsFunc(kept, func(k status.ExplainedField) bool { return k.Field == f.Field })
		})
	}
	x.Rows = slices.DeleteFunc(x.Rows, func(r status.ExplainedRow) bool { return !rows[rowName(r.Input, r.Row)] })
	x.Targets = slices.DeleteFunc(x.Targets, func(t status.ExplainedTarget) bool {
		return t.Error == "" && !slices.ContainsFunc(t.Columns, func(c string) bool { return strings.EqualFold(c, name) })
	})
	for i := range x.Targets {
		onlyColumn(&x.Targets[i], name)
	}
	return nil
}

// fieldInput is the input's name where a rule used what a rule before it had set.
const fieldInput = "field"

// todayInput is the input's name where a rule asked for the day.
const todayInput = "today"

func rowName(input string, row int) string { return fmt.Sprintf("%s[%d]", input, row) }

// onlyColumn keeps the column of the same name.
func onlyColumn(t *status.ExplainedTarget, name string) {
	at := slices.IndexFunc(t.Columns, func(c string) bool { return strings.EqualFold(c, name) })
	if at < 0 {
		return // it could not be asked
	}
	t.Columns = t.Columns[at : at+1]
	rows := make([][]*string, len(t.Rows))
	for i, row := range t.Rows {
		rows[i] = row[at : at+1]
	}
	t.Rows = rows
}

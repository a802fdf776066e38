package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"shelfstream/internal/config"
	"shelfstream/transform"
)

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func heldListCommand() command {
	return command{
		name: "held list", args: "[view]", summary: "list the changes that guards hold back, with numbers and samples",
		help: `
A guard of a view (guards: in the configuration) lets single changes go out and holds mass changes: products that leave the view, a field that
becomes hidden, prices that move far. The shop keeps the products as they were until they are put right in the source, by which they go on by themselves,
or until 'held apply' lets them out. It is read from the log, of whichever workers, also while none runs.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var c common
			var limit int
			var asJSON bool
			c.flags(p, fs)
			fs.IntVar(&limit, "limit", 10, "`number` of samples at most of one guard")
			fs.BoolVar(&asJSON, "json", false, "print JSON")
			return func(ctx context.Context, args []string) error { return listHeld(ctx, p, &c, args, limit, asJSON) }
		},
	}
}

// heldGuard is what one guard holds.
type heldGuard struct {
	View   string `json:"view"`
	Guard  string `json:"guard"`
	Counts string `json:"counts"`
	Allows string `json:"allows"`
	Held   int    `json:"held"`
	// Since is when the first of them was held.
	Since         time.Time              `json:"since,omitzero"`
	Samples       []transform.HeldSample `json:"samples"`
	OverrideUntil time.Time              `json:"override_until,omitzero"`
	By            string                 `json:"by,omitempty"`
	Why           string                 `json:"why,omitempty"`
}

func listHeld(ctx context.Context, p *program, c *common, args []string, limit int, asJSON bool) error {
	cfg, log, err := c.load(p)
	if err != nil {
		return err
	}
	views := cfg.Views.Names()
	if len(args) > 1 {
		return usage("held list wants one view at most", "shelfstream held list "+args[0])
	}
	if len(args) == 1 {
		if !slices.Contains(views, args[0]) {
			return unknownName("view", args[0], views)
		}
		views = args
	}
	a, err := openApp(ctx, cfg, log, roleTool)
	if err != nil {
		return err
	}
	all := []heldGuard{}
	for _, view := range views {
		var of []heldGuard
		if of, err = a.heldBy(ctx, view, max(limit, 0)); err != nil {
			break
		}
		all = append(all, of...)
	}
	if err := errors.Join(err, a.Close()); err != nil {
		return err
	}
	if asJSON {
		return printJSON(p.stdout, all)
	}
	return printHeld(p.stdout, all)
}

// heldBy tells what each guard of a view holds: those of the configuration first, then any that hold something from before they were taken out of it.
func (a *app) heldBy(ctx context.Context, view string, limit int) ([]heldGuard, error) {
	products, err := transform.ReadParked(ctx, a.client, a.cfg.Name, view)
	if err != nil {
		return nil, err
	}
	signals, err := transform.ReadSignals(ctx, a.client, a.cfg.Name, view)
	if err != nil {
		return nil, err
	}
	v, _ := a.cfg.Views.Get(view)
	guards := a.cfg.guards(view)
	var out []heldGuard
	for i := range guards {
		out = append(out, heldGuard{View: view, Guard: guards[i].Name, Counts: guards[i].Counts(), Allows: allows(&v.Guards[i]), Samples: []transform.HeldSample{}})
		out[i].override(signals)
	}
	for i := range products {
		for _, name := range products[i].Held {
			at := slices.IndexFunc(out, func(g heldGuard) bool { return g.Guard == name })
			if at < 0 {
				at = len(out)
				out = append(out, heldGuard{View: view, Guard: name, Counts: "the configuration has no such guard any more"})
			}
			out[at].add(&products[i], limit)
		}
	}
	return out, nil
}

func (g *heldGuard) add(p *transform.ParkedProduct, limit int) {
	if g.Held++; g.Held == 1 || p.Since.Before(g.Since) {
		g.Since = p.Since
	}
	if len(g.Samples) < limit {
		g.Samples = append(g.Samples, transform.HeldSample{Key: p.Key, Before: p.Before, After: p.After, Since: p.Since})
	}
}

// override finds the newest request that lets everything pass.
func (g *heldGuard) override(signals []transform.Signal) {
	for _, s := range signals {
		if s.Override != g.Guard && s.Override != config.AllGuards {
			continue
		}
		g.OverrideUntil, g.By, g.Why = time.Time{}, "", ""
		if s.OverrideUntil.After(time.Now()) {
			g.OverrideUntil, g.By, g.Why = s.OverrideUntil, s.By, s.Why
		}
	}
}

func printHeld(out io.Writer, all []heldGuard) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(all) == 0 {
		_, _ = fmt.Fprintln(w, "no view has guards")
	}
	for i := range all {
		g := &all[i]
		text := fmt.Sprintf("view %s, guard %s: %d held", g.View, g.Guard, g.Held)
		if g.Held > 0 {
			text += when(" since ", g.Since) + ": " + g.Counts
		}
		_, _ = fmt.Fprintln(w, plain(text))
		if g.Allows != "" {
			_, _ = fmt.Fprintln(w, plain("  lets out "+g.Allows))
		}
		if !g.OverrideUntil.IsZero() {
			_, _ = fmt.Fprintln(w, plain("  lets everything out"+when(" until ", g.OverrideUntil)+", asked by "+g.By+": "+g.Why))
		}
		for _, s := range g.Samples {
			row(w, "  "+s.Key, s.Before, "→ "+s.After)
		}
		if more := g.Held - len(g.Samples); more > 0 && len(g.Samples) > 0 {
			_, _ = fmt.Fprintf(w, "  and %d more\n", more)
		}
	}
	return w.Flush()
}

func heldApplyCommand() command {
	return command{
		name: "held apply", args: "<view> [guard] -why reason", summary: "let out the changes that a view's guards hold now",
		help: `
What is held when the request is written goes out, each product in its newest state; what comes later is counted anew. With -for new changes of the guard
pass uncounted for so long, as for a price update that is announced. Without a guard it means every guard of the view. The request is kept in the log with -by and -why.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var k asker
			var span string
			k.flags(p, fs)
			fs.StringVar(&span, "for", "", "for this `time` new changes pass too: 30m, 2h")
			return func(ctx context.Context, args []string) error {
				if len(args) == 0 || len(args) > 2 {
					return usage("held apply wants a view, and a guard or none", "shelfstream held apply product -why 'the autumn list'")
				}
				if err := k.reason("-why 'the autumn list'"); err != nil {
					return err
				}
				guard := config.AllGuards
				if len(args) == 2 {
					guard = args[1]
				}
				return k.apply(ctx, p, args[0], guard, span)
			}
		},
	}
}

func (k *asker) apply(ctx context.Context, p *program, view, guard, span string) error {
	var lasts time.Duration
	if span != "" {
		var err error
		if lasts, err = config.ParseDuration(span); err != nil || lasts <= 0 {
			return usage(fmt.Sprintf("-for %q is no duration", span), "write 30m or 2h")
		}
	}
	return k.ask(ctx, p, view, applyOf(view, guard, lasts))
}

// applyOf asks for what a guard holds to go out; with lasts new changes pass for so long too.
func applyOf(view, guard string, lasts time.Duration) asking {
	return func(a *app, products []transform.ParkedProduct) (s transform.Signal, n int, say string, err error) {
		n, known := heldOf(a, view, guard, products)
		if !slices.Contains(known, guard) {
			return s, 0, "", unknownName("guard of "+view, guard, known)
		}
		s.Apply = guard
		of := "guard " + guard
		if guard == config.AllGuards {
			of = "every guard"
		}
		say = fmt.Sprintf("asked for: what %s of %s holds goes out (%d held now)", of, view, n)
		if lasts > 0 {
			s.Override, s.OverrideUntil = guard, now().Add(lasts)
			say += when(", and new changes pass until ", s.OverrideUntil)
		}
		return s, n, say + "; see 'shelfstream held list " + view + "'", nil
	}
}

// heldOf counts what a guard holds, and names the guards that a request can be about.
func heldOf(a *app, view, guard string, products []transform.ParkedProduct) (n int, known []string) {
	for _, g := range a.cfg.guards(view) {
		known = append(known, g.Name)
	}
	for i := range products {
		held := products[i].Held
		for _, name := range held {
			if !slices.Contains(known, name) {
				known = append(known, name)
			}
		}
		if len(held) > 0 && (guard == config.AllGuards || slices.Contains(held, guard)) {
			n++
		}
	}
	return n, append(known, config.AllGuards)
}

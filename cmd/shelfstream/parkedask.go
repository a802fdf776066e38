package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"

	"shelfstream/internal/config"
	"shelfstream/internal/fault"
	"shelfstream/transform"
)

func parkedRetryCommand() command {
	return command{
		name: "parked retry", args: "<view> <key>… | -all", summary: "evaluate parked products of a view again now",
		help: `
A parked product is evaluated again by itself when one of its rows or its rules change; this does it without. A key is written as 'shelfstream parked' shows it.
Rows that a sink holds back are tried again by a replay; those of a source come good with their next change, or a resnapshot.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var k asker
			var all bool
			k.flags(p, fs)
			fs.BoolVar(&all, "all", false, "every parked product of the view")
			return func(ctx context.Context, args []string) error {
				if len(args) == 0 || all == (len(args) > 1) {
					return usage("parked retry wants a view, and keys or -all", "shelfstream parked retry product 4711 4712")
				}
				return k.retry(ctx, p, args[0], args[1:])
			}
		},
	}
}

func (k *asker) retry(ctx context.Context, p *program, view string, keys []string) error {
	return k.ask(ctx, p, view, retryOf(view, keys))
}

// asking makes a request of what is parked and held now; n is how many products it means, say what to tell who asked.
type asking func(a *app, products []transform.ParkedProduct) (s transform.Signal, n int, say string, err error)

// retryOf asks for parked products to be evaluated again, all of them if keys is empty.
func retryOf(view string, keys []string) asking {
	return func(_ *app, products []transform.ParkedProduct) (s transform.Signal, n int, say string, err error) {
		if s.Retry = keys; len(keys) == 0 {
			s.Retry = []string{config.AllGuards}
			for i := range products {
				if isParked(&products[i]) {
					n++
				}
			}
		} else if err := areParked(view, keys, products); err != nil {
			return s, 0, "", err
		}
		n = max(n, len(keys))
		many := fmt.Sprintf("%d products of %s are", n, view)
		if n == 1 {
			many = "1 product of " + view + " is"
		}
		return s, n, "asked for: " + many + " evaluated again; see 'shelfstream parked " + view + "'", nil
	}
}

func parkedSkipCommand() command {
	return command{
		name: "parked skip", args: "<view> <key> -why reason", summary: "leave a parked product of a view out of the list until its rows change",
		help: `
The shop keeps the product's last good version; it counts as parked no more, and is parked anew if it still fails when its rows have changed.
The request is kept in the log with -by and -why; 'shelfstream parked -skipped' lists what is left out.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var k asker
			k.flags(p, fs)
			return func(ctx context.Context, args []string) error {
				if len(args) != 2 {
					return usage("parked skip wants a view and a key", "shelfstream parked skip product 4711 -why 'never sold'")
				}
				if err := k.reason("-why 'never sold'"); err != nil {
					return err
				}
				return k.skip(ctx, p, args[0], args[1])
			}
		},
	}
}

func (k *asker) skip(ctx context.Context, p *program, view, key string) error {
	return k.ask(ctx, p, view, skipOf(view, key))
}

// skipOf asks for a parked product to be left out of the list.
func skipOf(view, key string) asking {
	return func(_ *app, products []transform.ParkedProduct) (s transform.Signal, n int, say string, err error) {
		if err := areParked(view, []string{key}, products); err != nil {
			return s, 0, "", err
		}
		s.Skip = key
		return s, 1, fmt.Sprintf("asked for: product %s of %s is left out of the list until its rows change", key, view), nil
	}
}

// isParked says whether a product stands in the list of parked ones.
func isParked(p *transform.ParkedProduct) bool { return len(p.Held) == 0 && p.Skipped == nil }

// areParked refuses keys of products that no rule has parked.
func areParked(view string, keys []string, products []transform.ParkedProduct) error {
	var missing []string
	for _, key := range keys {
		if !slices.ContainsFunc(products, func(p transform.ParkedProduct) bool { return p.Key == key && len(p.Held) == 0 }) {
			missing = append(missing, key)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &fault.Fault{
		Class: fault.Runtime, Where: "view " + view, What: "not parked: " + strings.Join(missing, ", "),
		Fix: "'shelfstream parked " + view + "' lists the keys; of others 'shelfstream explain' says how they are",
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/status"
	"shelfstream/transform"
)

// noSuchProduct says that a view has no product of a key, how keys look, and which are there.
func (a *app) noSuchProduct(ctx context.Context, view, key string, cause error) error {
	f := &fault.Fault{Where: "view " + view, What: fmt.Sprintf("there is no product %q", key), Fix: "write the key as it stands in the source"}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	topic := sink.Topic(a.cfg.Name, view)
	probe := newProbe(a.cfg, a.registryURL, a.log)
	table, err := probe.registry.Table(ctx, topic)
	if err != nil {
		return &notFound{fault.List{f}} // nothing is known of its keys
	}
	values, bad := parseKey(table, key)
	f.Fix = "a key is " + keyWords(table)
	var none *transform.NoSuchProduct
	if errors.As(cause, &none) && len(none.Near) > 0 {
		f.Fix += "; near it there are " + strings.Join(quotedKeys(none.Near), ", ")
	} else if near := a.nearKeys(ctx, sink.View{Name: view, Topic: topic, Table: table}, values); len(near) > 0 {
		f.Fix += "; there are " + strings.Join(near, ", ")
	}
	f.Fix += "; shelfstream status shows whether the view has caught up"
	if bad != nil {
		f.What += ": " + bad.What
	}
	if !a.cfg.Log.Embedded() {
		f.Fix += "; the process that has the product's partition is the one to ask (-admin)"
	}
	return &notFound{fault.List{f}}
}

// nearKeys lists some keys of the view, from the given one on where that is possible: from the first sink that can list its keys.
func (a *app) nearKeys(ctx context.Context, v sink.View, values []schemas.Value) []string {
	for _, s := range a.cfg.Sinks {
		if !slices.Contains(s.Value.Views(), v.Name) {
			continue
		}
		target, err := a.target(s.Name)
		if err != nil {
			continue
		}
		lister, ok := target.(sink.Pruner)
		if !ok {
			continue
		}
		const some = 3
		keys, err := lister.Keys(ctx, v, values, some)
		if err != nil || len(keys) == 0 {
			keys, err = lister.Keys(ctx, v, nil, some)
		}
		if err != nil || len(keys) == 0 {
			continue
		}
		out := make([]string, len(keys))
		for i, k := range keys {
			parts := make([]string, len(k))
			for j := range k {
				parts[j] = k[j].String()
			}
			out[i] = strings.Join(parts, "/")
		}
		return out
	}
	return nil
}

// notFound is a product that does not exist, with the faults that say so.
type notFound struct{ fault.List }

// Is makes errors.Is(err, status.ErrNotFound) true.
func (n *notFound) Is(target error) bool { return target == status.ErrNotFound }

// Unwrap finds the faults.
func (n *notFound) Unwrap() error { return n.List }

// missing says whether a view's runner found no product: none has the key, or the key has not as many parts as a key has.
func missing(err error) bool {
	var f *fault.Fault
	return errors.Is(err, transform.ErrNoSuchProduct) || errors.As(err, &f) && strings.HasPrefix(f.Where, "key ")
}

package sink

import (
	"context"
	"errors"
	"reflect"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/internal/retry"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
	"shelfstream/status"
)

// errShape ends the workers: a view's records have a newer shape than the one they decode to.
var errShape = errors.New("the shape of a view changed")

// missingFor is how long a view's topic may be absent, though its shape is known, before that is a fault: transform makes it when it starts.
const missingFor = time.Minute

// prepare learns the views' shapes and has the target checked. The first time, faults are returned; later they are shown, and looked for again.
func (r *Runner) prepare(ctx context.Context, first bool) ([]View, error) {
	const who = "the comparison of the target with the views"
	began := r.cfg.Now()
	for failed := 1; ; failed++ {
		views, err := r.shapes(ctx, began)
		var faults fault.List
		if err == nil {
			err = r.link.Do(ctx, func(ctx context.Context) (err error) {
				begun := r.cfg.Now()
				faults, err = r.cfg.Target.Check(ctx, views)
				r.checked(ctx, begun, failed-1, faults, err)
				return err
			})
		}
		var wait time.Duration
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil && len(faults) == 0:
			r.board.fine(who)
			return views, nil
		case err == nil && first:
			return nil, faults
		case err == nil:
			wait = r.cfg.Retries.Delay(failed, faults)
			r.board.fails(who, &failure{
				state: "target does not fit", detail: "the shape of a view changed, and the target lacks what it needs",
				faults: faults, tries: failed, next: r.cfg.Now().Add(wait),
			}, r.cfg.Now())
		default:
			wait = r.fails(ctx, who, failed, err)
		}
		if werr := retry.Sleep(ctx, wait); werr != nil {
			return nil, werr
		}
	}
}

// shapes asks the registry for the views' shapes, and waits for those that nothing was written of yet. It fails for a topic that is gone since began.
func (r *Runner) shapes(ctx context.Context, began time.Time) ([]View, error) {
	views := make([]View, 0, len(r.cfg.Views))
	poll := retry.Backoff{Base: 200 * time.Millisecond, Max: time.Second}
	for _, name := range r.cfg.Views {
		topic := Topic(r.cfg.Pipeline, name)
		for attempt := 0; ; attempt++ {
			t, err := r.cfg.Registry.Table(ctx, topic)
			n := 0
			if err == nil {
				n, err = r.cfg.Client.Partitions(ctx, topic)
			}
			if n > 0 {
				views = append(views, View{Name: name, Topic: topic, Table: t})
				break
			}
			switch {
			case errors.Is(err, registry.ErrNotFound):
				r.board.state(status.StateStarting, "waits for the first record of "+topic, r.cfg.Now())
			case err != nil:
				return nil, err
			case r.cfg.Now().Sub(began) >= missingFor:
				return nil, kafka.MissingTopic(topic)
			default:
				r.board.state(status.StateStarting, "waits for the topic "+topic+", which does not exist", r.cfg.Now())
			}
			if err := poll.Wait(ctx, attempt); err != nil {
				return nil, err
			}
		}
	}
	return views, nil
}

func sameShape(a, b *schemas.Table) bool {
	return reflect.DeepEqual(a.Columns, b.Columns) && reflect.DeepEqual(a.Key, b.Key)
}

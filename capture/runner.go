package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/internal/retry"
	"shelfstream/status"
)

var _ status.Reporter = (*Runner)(nil)

// Runner captures one source. As many processes as you like may run one for the same source: one of them owns it, the others stand by.
type Runner struct {
	cfg     RunnerConfig
	state   *state
	metrics *metrics
	// lost says that the position was lost and nothing was captured since. It belongs to the goroutine that owns the source.
	lost bool
}

// NewRunner checks the configuration and registers the metrics.
func NewRunner(cfg RunnerConfig) (*Runner, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.Logger = cfg.Logger.With("stage", status.KindCapture, "source", cfg.Source)
	r := &Runner{cfg: cfg, state: &state{now: cfg.Now, name: status.StateStarting, since: cfg.Now()}}
	var err error
	r.metrics, err = newMetrics(cfg.Registerer, cfg.Pipeline, cfg.Source, r.state)
	return r, err
}

// Status implements status.Reporter.
func (r *Runner) Status() status.Stage { return r.state.stage(r.cfg.Source) }

// Run captures until ctx ends; then it finishes the checkpoint under way, leaves the group and returns nil. What breaks is tried again
// for ever and shown in Status: only a person can tell that it is in vain.
func (r *Runner) Run(ctx context.Context) error {
	defer r.state.set(status.StateStopped, "", nil)
	for failed := 1; ; failed++ {
		begun := r.cfg.Now()
		err := r.member(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if r.cfg.Now().Sub(begun) > time.Minute {
			failed = 1
		}
		wait := r.cfg.Retries.Delay(failed, err)
		if errors.Is(err, kafka.ErrFenced) {
			r.cfg.Logger.Warn("another worker took the source over")
			r.state.set(status.StateStandby, "another worker took the source over", nil)
			r.state.parks(nil)
			r.state.tried(0, 0)
		} else {
			_ = r.retrying(err, failed, wait)
		}
		if retry.Sleep(ctx, wait) != nil {
			return nil
		}
	}
}

// member is in the source's group until ctx ends or a fence says that membership was lost.
func (r *Runner) member(ctx context.Context) error {
	if err := r.cfg.Client.EnsureTopics(ctx, r.topics()...); err != nil {
		return fmt.Errorf("prepare the topics: %w", err)
	}
	err := r.cfg.Client.RunGroup(ctx, kafka.GroupConfig{
		ID: r.cfg.name() + ".capture", Topics: []string{r.cfg.checkpointTopic()}, SessionTimeout: r.cfg.SessionTimeout,
	}, r.generation)
	if err != nil {
		return fmt.Errorf("take part in the group %s.capture: %w", r.cfg.name(), err)
	}
	return nil
}

// generation is one assignment of the group. The checkpoint topic has one partition: whoever has it owns the source.
func (r *Runner) generation(ctx context.Context, gen kafka.Generation) error {
	if !slices.Contains(gen.Assignment[r.cfg.checkpointTopic()], 0) {
		r.state.set(status.StateStandby, "another worker captures this source", nil)
		r.state.parks(nil)
		r.state.tried(0, 0)
		<-ctx.Done()
		return nil
	}
	return r.own(ctx)
}

// own runs one session after the other. Each begins with a fence of its own, so that what it finds on the topics is all there is.
func (r *Runner) own(ctx context.Context) error {
	failed := 0
	var shown fault.List // of the try before: a try may wait long for what the last one waited for, and whoever looks is to see why
	for {
		r.state.set(status.StateStarting, "", shown)
		r.state.clearWarnings()
		s, err := r.takeOver(ctx)
		if err == nil {
			before := s.commits.previous
			err = s.run(ctx)
			if s.commits.previous != before {
				failed, r.lost = 0, false
			}
			r.brokeOff(ctx, err, failed)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, kafka.ErrFenced):
			return err
		case errors.Is(err, errSignalled):
			r.cfg.Logger.Info("begins anew for an operator's request")
			shown = nil
			continue
		}
		r.metrics.retries.Inc()
		failed++
		wait := r.cfg.Retries.Delay(failed, err)
		shown = r.retrying(err, failed, wait)
		if retry.Sleep(ctx, wait) != nil {
			return nil
		}
	}
}

// retrying shows an error while its cause is waited out, and gives it as it is shown; failed is how many tries in a row have failed.
func (r *Runner) retrying(err error, failed int, wait time.Duration) fault.List {
	r.state.tried(failed, wait)
	faults := fault.All(err)
	if len(faults) == 0 {
		faults = fault.List{{
			Class: fault.Runtime, Cause: fault.Unexpected, Where: "source " + r.cfg.Source, What: "capturing broke off and is tried again", Err: err,
		}}
	}
	r.state.set(status.StateRetrying, "", faults)
	r.cfg.Logger.Warn("capturing broke off and is tried again", "error", err)
	return faults
}

// warn is for what is wrong but stops nothing.
func (r *Runner) warn(f *fault.Fault) {
	r.cfg.Logger.Warn("capture", "fault", f)
	r.state.warn(f)
}

// rekeyed asks for a resnapshot of a table whose key has changed its shape in the source.
func (r *Runner) rekeyed(ctx context.Context, table string) error {
	r.cfg.Logger.Info("the key of a table has another shape now; it is read again", "table", table)
	return RequestResnapshot(ctx, r.cfg.Client, r.cfg.Pipeline, r.cfg.Source, []string{table}, "capture: the key's shape changed")
}

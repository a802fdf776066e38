package capture

import (
	"context"
	"errors"
	"fmt"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/internal/retry"
	"shelfstream/status"
)

// session is one source from taking its topics over to the next error, request or end.
type session struct {
	r        *Runner
	producer *kafka.Producer
	commits  *commits
	parking  *parking
	writer   *writer
	scratch  *scratch
	requests requests
	start    Start
}

// run captures until ctx ends (nil), an operator asks for something (errSignalled) or something breaks. Everything that it
// started has ended when it returns.
func (s *session) run(ctx context.Context) error {
	cfg := &s.r.cfg
	source, err := cfg.NewSource()
	if err != nil {
		s.close(ctx)
		return fmt.Errorf("open the source: %w", err)
	}
	s.commits.confirm = source.Confirm

	// Checkpoints go on for a moment after ctx has ended.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	reading, stop := context.WithCancelCause(ctx)
	written, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(written)
		if err := s.commits.run(work); err != nil {
			stop(err)
		}
	}()
	go func() {
		defer close(watched)
		if err := watchSignals(reading, cfg, s.requests.next); err != nil {
			stop(err)
		}
	}()

	err = s.read(reading, source)
	cause := context.Cause(reading) // why it was told to end; nil if it ended by itself
	stop(nil)
	<-watched

	last, done := context.WithTimeout(work, cfg.CloseTimeout)
	defer done()
	drained := s.commits.drain(last)
	stopWork()
	<-written
	s.close(last)

	for _, e := range []error{err, cause, drained, s.producer.Err()} {
		if errors.Is(e, kafka.ErrFenced) {
			return e
		}
	}
	switch {
	case ctx.Err() != nil:
		if drained != nil {
			cfg.Logger.Warn("the last checkpoint was not written; its transactions are read again", "error", drained)
		}
		return nil
	case cause != nil:
		return cause
	case err == nil:
		return errEnded
	}
	return err
}

// close frees what the session holds. Nobody uses it any more.
func (s *session) close(ctx context.Context) {
	log := s.r.cfg.Logger
	if s.writer != nil && s.writer.snapshot != nil {
		if err := s.writer.snapshot.close(); err != nil {
			log.Warn("temporary files were not removed", "error", err)
		}
		s.r.state.snapshotGone()
	}
	// What is not acknowledged yet lies beyond the checkpoint and is read again, so nothing is waited for.
	if err := s.producer.Close(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, kafka.ErrFenced) {
		log.Debug("the producer did not end cleanly", "error", err)
	}
	if s.scratch != nil {
		if err := s.scratch.close(); err != nil {
			log.Warn("temporary files were not removed", "error", err)
		}
	}
}

// read looks the source over and runs it.
func (s *session) read(ctx context.Context, source Source) error {
	err := s.preflight(ctx, source)
	if err == nil {
		if len(s.start.Snapshot) > 0 {
			s.r.state.set(StateSnapshot, "", nil)
		} else {
			s.r.state.set(stateStreaming, "", nil)
		}
		err = source.Run(ctx, s.start, s.writer)
	}
	if err == nil || ctx.Err() != nil || !errors.Is(err, ErrPositionLost) {
		return err
	}
	s.r.lost = true
	if s.requests.all && !s.start.Fresh {
		return errSignalled // what would end this state was asked for already
	}
	faults := fault.All(err)
	if len(faults) == 0 || faults[0].Fix == "" {
		faults = fault.List{lostFault(s.r.cfg.Pipeline, s.r.cfg.Source, err)}
	}
	s.r.state.set(status.StatePositionLost, "waits for a resnapshot of all tables", faults)
	s.r.cfg.Logger.Error("position lost", "error", faults)
	s.r.brokeOff(ctx, faults, 0)
	<-ctx.Done()
	return context.Cause(ctx)
}

// preflight returns when the source has no faults.
func (s *session) preflight(ctx context.Context, source Source) error {
	shown := ""
	for attempt := 0; ; attempt++ {
		begun := s.r.cfg.Now()
		all, err := source.Preflight(ctx)
		if err != nil {
			return fmt.Errorf("look the source over: %w", err)
		}
		var faults fault.List
		lost := false
		for _, f := range all {
			switch {
			case !errors.Is(f, ErrPositionLost):
				faults.Add(f)
			case !s.start.Fresh:
				faults.Add(f)
				lost = true
			}
		}
		s.preflighted(begun, attempt, faults)
		if len(faults) == 0 {
			return nil
		}
		if lost {
			return faults
		}
		s.r.state.set(StateBlocked, fmt.Sprintf("%d faults must be put right first", len(faults)), faults)
		if text := faults.Error(); text != shown {
			shown = text
			s.r.cfg.Logger.Error("source is blocked", "faults", text)
		}
		wait := s.r.cfg.PreflightWait.Delay(attempt)
		s.r.state.tried(attempt+1, wait)
		if err := retry.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

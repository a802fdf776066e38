package incident

import (
	"context"
	"fmt"
	"time"

	"shelfstream/internal/kafka"
)

// turn is one process's time as keeper.
type turn struct {
	k        *Keeper
	producer *kafka.Producer
	requests *kafka.Fetcher
	state    *State
	marks    marks
	written  map[string][]byte    // by key, as the topic has it
	at       map[string]time.Time // when it was written last
	void     bool                 // what waits to be written is not to be
}

// calmly is how often an incident is written of which only numbers and words have changed.
const calmly = 10 * time.Second

// keep is the keeper's work until ctx ends. It shuts out who kept before, reads what they left, and looks again and again.
// process is for what is under way at the end of the turn.
func (k *Keeper) keep(ctx, process context.Context) (err error) {
	t := &turn{k: k, written: map[string][]byte{}, at: map[string]time.Time{}}
	t.producer, err = k.cfg.Client.NewProducer(ctx, kafka.ProducerConfig{TransactionalID: k.cfg.Pipeline + ".keeper", MaxBytes: 16 << 20})
	if err != nil {
		return fmt.Errorf("open the keeper's producer: %w", err)
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if t.void {
			cancel()
		}
		if cerr := t.producer.Close(end); err == nil && ctx.Err() == nil {
			err = cerr
		}
	}()
	if err := t.producer.Fence(ctx, map[string][]int32{Topic(k.cfg.Pipeline): {0}}); err != nil {
		return fmt.Errorf("shut out keepers from before: %w", err)
	}
	if err := t.load(ctx); err != nil {
		return err
	}
	t.requests = k.cfg.Client.NewFetcher(kafka.FetchConfig{MaxBytes: 4 << 20, PartitionBytes: 1 << 20})
	defer t.requests.Close()
	t.requests.Add(RequestsTopic(k.cfg.Pipeline), 0, t.marks.Requests)
	asking, stop := context.WithCancel(ctx)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		k.newest.run(asking, k.cfg.Logger)
	}()
	defer func() {
		stop()
		<-asked
	}()
	k.cfg.Logger.Info("keeps the pipeline's incidents", "open", len(t.state.open()))
	tick := time.NewTicker(k.cfg.Every)
	defer tick.Stop()
	for {
		if err := t.look(ctx, process); err != nil {
			return err
		}
		k.pulse.Beat()
		select {
		case <-ctx.Done():
			t.leave(process)
			return nil
		case <-tick.C:
		case <-t.requests.Ready():
		case <-k.sender.done:
		}
	}
}

// leaveWithin is how long the end of a turn waits for what is being delivered, so that the next keeper need not deliver it again.
const leaveWithin = 3 * time.Second

// leave notes how the last deliveries ended. If another keeper is there already, that is refused, and it delivers them again.
func (t *turn) leave(process context.Context) {
	if t.k.sender.running.Load() == 0 {
		return
	}
	end, cancel := context.WithTimeout(process, leaveWithin)
	defer cancel()
	t.k.sender.idle(end)
	outcomes := t.k.sender.take()
	next := t.state.clone()
	t.state = next
	t.k.teller.tell(t.state, outcomes)
	if err := t.write(end, next, true, t.k.cfg.Now()); err != nil {
		t.k.sender.giveBack(outcomes)
		t.k.cfg.Logger.Debug("how the last messages ended is not noted", "error", err)
	}
}

// writeSoon is write, unless the log does not take it within Rules.Alone. By then the processes tell people of the log by themselves, and what was decided just before, of what comes of
// that, is void: nobody is to be told of it when the log is back.
func (t *turn) writeSoon(ctx context.Context, next *State, urgent bool, now time.Time) error {
	soon, cancel := context.WithTimeout(ctx, t.k.cfg.Rules.Alone)
	defer cancel()
	err := t.write(soon, next, urgent, now)
	t.void = err != nil && soon.Err() != nil && ctx.Err() == nil
	return err
}

// look goes one step: what was asked for and delivered, what the stages report, what is to be told. It is written down before anything of it is sent.
func (t *turn) look(ctx, process context.Context) error {
	now := t.k.cfg.Now()
	urgent, err := t.asked(now)
	if err != nil {
		return err
	}
	outcomes := t.k.sender.take()
	t.k.teller.tell(t.state, outcomes)
	missing, unasked := t.k.newest.missing(&t.marks, now)
	next := t.k.cfg.Rules.Look(t.state, Input{Workers: t.k.cfg.Roster.Workers(), Missing: missing, Unasked: unasked, Away: t.k.cfg.Alone.away(), Now: now})
	t.k.teller.hide(next)
	batches := t.k.teller.plan(next, now, func(*Incident) bool { return true })
	if err := t.writeSoon(ctx, next, urgent || len(outcomes) > 0 || len(batches) > 0, now); err != nil {
		t.k.sender.giveBack(outcomes)
		return err
	}
	t.k.metrics.count(t.state, next)
	t.state = next
	for _, b := range batches {
		t.k.sender.send(ctx, process, b, t.k.teller.content(t.state, b))
	}
	return nil
}

package incident

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/status/escalate"
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
	t.tell(outcomes)
	if err := t.write(end, next, true, t.k.cfg.Now()); err != nil {
		t.k.sender.giveBack(outcomes)
		t.k.cfg.Logger.Debug("how the last messages ended is not noted", "error", err)
	}
}

// load reads what keepers before have left.
func (t *turn) load(ctx context.Context) error {
	s := newShelf()
	err := t.k.cfg.Client.Scan(ctx, Topic(t.k.cfg.Pipeline), 0, 0, -1, func(r *kafka.Record) error {
		s.record(r)
		if r.Value == nil {
			delete(t.written, string(r.Key))
			return nil
		}
		t.written[string(r.Key)] = bytes.Clone(r.Value)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the incidents: %w", err)
	}
	t.state, t.marks = &State{Incidents: s.incidents}, s.marks
	return nil
}

// look goes one step: what was asked for and delivered, what the stages report, what is to be told. It is written down before anything of it is sent.
func (t *turn) look(ctx, process context.Context) error {
	now := t.k.cfg.Now()
	urgent, err := t.asked(now)
	if err != nil {
		return err
	}
	outcomes := t.k.sender.take()
	t.tell(outcomes)
	missing, unasked := t.k.newest.missing(&t.marks, now)
	next := t.k.cfg.Rules.Look(t.state, Input{Workers: t.k.cfg.Roster.Workers(), Missing: missing, Unasked: unasked, Now: now})
	for _, i := range next.Incidents {
		t.mask(i)
	}
	batches := t.plan(next, now)
	if err := t.write(ctx, next, urgent || len(outcomes) > 0 || len(batches) > 0, now); err != nil {
		t.k.sender.giveBack(outcomes)
		return err
	}
	t.k.metrics.count(t.state, next)
	t.state = next
	for _, b := range batches {
		t.k.sender.send(ctx, process, b, t.content(b))
	}
	return nil
}

// plan asks whom to tell now. What follows from other trouble is left out until it is over, and then for the all-clear of those who were told before.
func (t *turn) plan(next *State, now time.Time) []escalate.Batch {
	if t.k.cfg.Policies == nil || t.k.cfg.Notifier == nil {
		return nil
	}
	var cases []escalate.Case
	var of []*Incident
	for _, i := range next.Incidents {
		if i.Behind != "" && i.Open() {
			continue
		}
		s := i.Subject()
		s.Opened, s.Acked = notAfter(s.Opened, now), notAfter(s.Acked, now)
		cases, of = append(cases, escalate.Case{Subject: s, State: i.Escalation}), append(of, i)
	}
	batches, states, _ := t.k.cfg.Policies.Plan(cases, now)
	for n, i := range of {
		i.Escalation = states[n]
	}
	return batches
}

// notAfter takes a time in the future, of a clock that went ahead, for now.
func notAfter(t, now time.Time) time.Time {
	if t.After(now) {
		return now
	}
	return t
}

// tell notes how deliveries ended.
func (t *turn) tell(outcomes []outcome) {
	for _, o := range outcomes {
		said := map[string]bool{}
		for _, id := range o.batch.About {
			i := t.state.Incidents[id]
			if i == nil || said[id] {
				continue
			}
			said[id] = true
			i.Escalation = t.k.cfg.Policies.Told(i.Escalation, o.batch.Message, o.channel, o.err, o.at)
			switch {
			case errors.Is(o.err, errTurnOver):
			case o.err != nil:
				i.note(o.at, "no channel reached "+o.batch.Message.Person+": "+shorten(t.k.cfg.Mask(o.err.Error())), "")
			default:
				i.note(o.at, fmt.Sprintf("%s was told (%s) by %s", o.batch.Message.Person, o.batch.Message.Reason, o.channel), "")
			}
		}
		t.k.metrics.message(o.err)
	}
}

func (t *turn) mask(i *Incident) {
	i.Where, i.What, i.Fix = t.k.cfg.Mask(i.Where), t.k.cfg.Mask(i.What), t.k.cfg.Mask(i.Fix)
	for n := range i.Samples {
		i.Samples[n] = t.k.cfg.Mask(i.Samples[n])
	}
}

// asked applies the requests that have come; true if there were any.
func (t *turn) asked(now time.Time) (any bool, err error) {
	topic := RequestsTopic(t.k.cfg.Pipeline)
	for {
		b := t.requests.TryPollPartition(topic, 0)
		if b == nil {
			return any, nil
		}
		var out *kafka.OffsetOutOfRangeError
		if errors.As(b.Err, &out) { // retention took them away, or the topic was made anew
			t.requests.Release(b)
			t.marks.Requests = out.Start
			t.requests.Add(topic, 0, out.Start)
			continue
		}
		if err := b.Err; err != nil {
			t.requests.Release(b)
			return any, fmt.Errorf("read requests: %w", err)
		}
		for n := range b.Records {
			var r Request
			if err := json.Unmarshal(b.Records[n].Value, &r); err != nil {
				t.k.cfg.Logger.Warn("a request is not understood and passed over", "topic", topic, "offset", b.Records[n].Offset, "error", err)
				continue
			}
			t.apply(&r, now)
			any = true
		}
		t.marks.Requests = b.Next
		t.requests.Release(b)
	}
}

// apply does what was asked for. Done twice, it is done once.
func (t *turn) apply(r *Request, now time.Time) {
	i := t.state.Incidents[r.Incident]
	if i == nil || r.What != Ack || i.Request == r.ID || !i.Open() {
		return
	}
	i.Acked, i.By, i.Note, i.Request = now.UTC().Round(time.Millisecond), r.By, r.Note, r.ID
	what := "taken on"
	if r.Note != "" {
		what += ": " + shorten(r.Note)
	}
	i.note(now, what, r.By)
}

// write brings the topic up to the state, and returns when it is acknowledged. What has changed in numbers and words only may wait, unless all is urgent.
func (t *turn) write(ctx context.Context, next *State, urgent bool, now time.Time) error {
	topic := Topic(t.k.cfg.Pipeline)
	put := func(key string, value []byte) error {
		return t.producer.Produce(ctx, topic, 0, kafka.Record{Key: []byte(key), Value: value})
	}
	fresh := map[string][]byte{}
	for id, i := range next.Incidents {
		value, err := json.Marshal(i)
		if err != nil {
			return fmt.Errorf("encode incident %s: %w", id, err)
		}
		if bytes.Equal(value, t.written[id]) || !urgent && onlyNumbers(t.state.Incidents[id], i) && since(t.at[id], now) < calmly {
			continue
		}
		if err := put(id, value); err != nil {
			return fmt.Errorf("write incident %s: %w", id, err)
		}
		fresh[id] = value
	}
	for id := range t.written {
		if next.Incidents[id] == nil && id != marksKey {
			if err := put(id, nil); err != nil {
				return fmt.Errorf("forget incident %s: %w", id, err)
			}
			fresh[id] = nil
		}
	}
	// The incidents first: a request is done when what it asked for is written.
	if err := t.producer.Flush(ctx); err != nil {
		return fmt.Errorf("write incidents: %w", err)
	}
	value, err := json.Marshal(t.marks)
	if err != nil {
		return fmt.Errorf("encode the keeper's marks: %w", err)
	}
	if !bytes.Equal(value, t.written[marksKey]) {
		if err := put(marksKey, value); err != nil {
			return fmt.Errorf("write the keeper's marks: %w", err)
		}
		if err := t.producer.Flush(ctx); err != nil {
			return fmt.Errorf("write the keeper's marks: %w", err)
		}
		t.written[marksKey] = value
	}
	for id, value := range fresh {
		t.at[id] = now
		if t.written[id] = value; value == nil {
			delete(t.written, id)
			delete(t.at, id)
		}
	}
	return nil
}

// onlyNumbers says whether nothing happened to an incident but that its numbers, words and times moved.
func onlyNumbers(before, after *Incident) bool {
	return before != nil && len(before.Log) == len(after.Log) && before.Severity == after.Severity && before.Resolved.Equal(after.Resolved) && before.Behind == after.Behind
}

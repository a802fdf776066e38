package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status"
	"shelfstream/status/escalate"
	"shelfstream/status/exchange"
)

// Channel takes messages to people. It is used by several goroutines at once.
type Channel interface {
	// Kind is what it does, in the words of exchange.Exchange: "mail", "webhook", "command".
	Kind() string
	// Send delivers one message to the address, which is what the person (or the channel itself) is called there; it may be empty. It returns when the other side
	// has taken the message, or has not: then with a *fault.Fault that holds no secret. bytes is what went over the line. It must not wait longer than ctx.
	// An error with RetryAfter() time.Duration asks to be left alone for so long.
	Send(ctx context.Context, to string, m escalate.Message, c Content) (bytes int64, err error)
}

// Config is what a Notifier works with.
type Config struct {
	// Channels by name.
	Channels map[string]Channel
	// Addresses gives the address of a person on a channel, and of a channel on itself: Addresses["anna"]["mail"], Addresses["chat"]["chat"].
	Addresses map[string]map[string]string
	// URL of the admin port as people reach it, for links; none without it. Signer makes those that acknowledge; nil: none.
	URL    string
	Signer *Signer
	// Exchanges takes the record of each attempt; nil: none. Mask hides secrets in it and in errors; nil: nothing is hidden.
	Exchanges exchange.Log
	Mask      func(string) string
	Worker    string
	// Timeout is for one attempt; 30 s if 0.
	Timeout time.Duration
	Now     func() time.Time // nil: time.Now
	Logger  *slog.Logger
}

// Notifier delivers messages. It is safe for use by several goroutines.
type Notifier struct {
	cfg Config

	mu sync.Mutex
	// quiet is until when a channel asked to be left alone.
	quiet map[string]time.Time
}

// maxDelivery bounds a Deliver over all its channels; package escalate hands a message out again after 10 minutes.
const maxDelivery = 5 * time.Minute

// New makes a Notifier.
func New(cfg Config) *Notifier {
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Mask == nil {
		cfg.Mask = func(s string) string { return s }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Notifier{cfg: cfg, quiet: map[string]time.Time{}}
}

// Deliver sends a message over the first of its channels that takes it, and says which that was. It takes five minutes at most. The error, if none takes it,
// has the fault of each; where each of them asked to be left alone it has RetryAfter() time.Duration.
func (n *Notifier) Deliver(ctx context.Context, m escalate.Message, c Content) (channel string, err error) {
	ctx, cancel := context.WithTimeout(ctx, maxDelivery)
	defer cancel()
	n.fill(&c, m, n.cfg.Now())
	var failed undelivered
	for i, name := range m.Channels {
		err := n.try(ctx, name, i+1, m, c)
		if err == nil {
			return name, nil
		}
		failed = append(failed, err)
		n.cfg.Logger.Warn("a message was not delivered", "channel", name, "person", m.Person, "incident", c.Incident, "error", n.cfg.Mask(err.Error()))
		if ctx.Err() != nil {
			break
		}
	}
	if len(failed) == 0 {
		failed = append(failed, &fault.Fault{
			Class: fault.Config, Where: "alerts.people", What: fmt.Sprintf("%s has no channel", m.Person), Fix: "add one to their 'reach' in alerts.people",
		})
	}
	return "", failed
}

// try is one attempt on one channel, and its record.
func (n *Notifier) try(ctx context.Context, name string, attempt int, m escalate.Message, c Content) error {
	channel, to, err := n.find(name, m.Person)
	if err != nil {
		return err
	}
	if wait := n.leftAlone(name); wait > 0 {
		return &later{wait, &fault.Fault{
			Class: fault.Environment, Cause: fault.ChannelThrottled, Where: "channel " + name, What: "it asked to be left alone for another " + status.Duration(wait),
			Fix: "nothing, it is tried again by itself; or send it fewer messages with alerts.throttle",
		}}
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	start := n.cfg.Now()
	bytes, err := channel.Send(ctx, to, m, c)
	e := exchange.Exchange{
		Link: "channel " + name, Direction: exchange.Out, Kind: channel.Kind(), At: start, Took: n.cfg.Now().Sub(start), Count: 1, Records: 1, Bytes: bytes,
		Keys: []string{m.ID}, Attempt: attempt, Outcome: exchange.OK, Worker: n.cfg.Worker,
	}
	if err != nil {
		e.Outcome = exchange.Failed
		e.Fault = n.shown(name, err)
		var wait interface{ RetryAfter() time.Duration }
		if errors.As(err, &wait) {
			n.mu.Lock()
			n.quiet[name] = n.cfg.Now().Add(wait.RetryAfter())
			n.mu.Unlock()
		}
	}
	if n.cfg.Exchanges != nil {
		n.cfg.Exchanges.Add(e)
	}
	return err
}

// find gives a channel and the address of a person on it.
func (n *Notifier) find(name, person string) (Channel, string, error) {
	channel, ok := n.cfg.Channels[name]
	to, reached := n.cfg.Addresses[person][name]
	if !ok || !reached {
		return nil, "", &fault.Fault{
			Class: fault.Config, Where: "alerts.people", What: fmt.Sprintf("%s is not reached by the channel %q (any more)", person, name),
			Fix: "nothing if that was changed on purpose: newer messages go where the configuration says",
		}
	}
	return channel, to, nil
}

func (n *Notifier) leftAlone(name string) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.quiet[name].Sub(n.cfg.Now())
}

func (n *Notifier) shown(name string, err error) *status.FaultJSON {
	if all := fault.All(err); len(all) > 0 {
		j := status.FaultJSONOf(all[0])
		j.What, j.Fix = n.cfg.Mask(j.What), n.cfg.Mask(j.Fix)
		return &j
	}
	return &status.FaultJSON{Class: "environment", Where: "channel " + name, What: n.cfg.Mask(err.Error())}
}

// undelivered are the errors of all channels.
type undelivered []error

func (u undelivered) Error() string { return errors.Join(u...).Error() }

func (u undelivered) Unwrap() []error { return u }

// RetryAfter is the shortest time for which every channel asked to be left alone; 0 if one of them did not ask.
func (u undelivered) RetryAfter() time.Duration {
	least := time.Duration(0)
	for _, err := range u {
		var l interface{ RetryAfter() time.Duration }
		if !errors.As(err, &l) {
			return 0
		}
		if d := l.RetryAfter(); least == 0 || d < least {
			least = d
		}
	}
	return least
}

// later is an error of a side that says when to come back.
type later struct {
	after time.Duration
	err   error
}

func (l *later) Error() string { return l.err.Error() }

func (l *later) Unwrap() error { return l.err }

// RetryAfter is how long to wait.
func (l *later) RetryAfter() time.Duration { return l.after }

package incident

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/internal/retry"
	"shelfstream/status"
	"shelfstream/status/escalate"
	"shelfstream/status/notify"
)

// Notifier takes messages to people; *notify.Notifier is one.
type Notifier interface {
	Deliver(ctx context.Context, m escalate.Message, c notify.Content) (channel string, err error)
}

// KeeperConfig says what a Keeper does. Client, Pipeline and Roster are required.
type KeeperConfig struct {
	Client   *kafka.Client
	Pipeline string
	// Replication 0 is the brokers' default.
	Replication int
	// Roster has the reports of all processes.
	Roster interface{ Workers() []Worker }
	Rules  Rules
	Expect []Expectation
	// Policies say whom to tell, and Notifier tells them; nil: nobody is told.
	Policies *escalate.Policies
	Notifier Notifier
	// Alone tells people while the log does not answer; nil: nobody does. Its incidents are shown with the keeper's.
	Alone *Alone
	// Mask hides secrets in what is kept; nil: there are none.
	Mask func(string) string
	// Every is how often it looks; 0 means a second.
	Every time.Duration
	// AskEvery is how often topics are asked for their newest record, for Expect; 0 means a fifth of the shortest of them, at most 30 s.
	AskEvery time.Duration
	// SessionTimeout is the consumer group's; 0 means its default.
	SessionTimeout time.Duration
	// Now is the clock; nil means time.Now.
	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Keeper knows the incidents of a pipeline, in every process; in one of them it also keeps them.
type Keeper struct {
	cfg     KeeperConfig
	metrics *metrics
	news    status.News
	reading atomic.Pointer[fault.Fault]
	keeping atomic.Pointer[fault.Fault]
	sender  *sender
	teller  *teller
	pulse   status.Pulse // of keeping: by this process, or by another as far as the group knows
	member  atomic.Int32 // 0 between generations, else one of the two below
	newest  *newest

	mu    sync.Mutex
	shelf *shelf
}

// NewKeeper makes a keeper; Run follows the incidents and keeps them. The error is of metrics that are registered already.
func NewKeeper(cfg KeeperConfig) (*Keeper, error) {
	if cfg.Every <= 0 {
		cfg.Every = time.Second
	}
	if cfg.AskEvery <= 0 {
		cfg.AskEvery = askEvery(cfg.Expect)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Mask == nil {
		cfg.Mask = func(s string) string { return s }
	}
	cfg.Rules.defaults()
	flow := map[string][]string{}
	maps.Copy(flow, cfg.Rules.Flow)
	for i := range cfg.Expect {
		flow[cfg.Expect[i].Link()] = cfg.Expect[i].Links
	}
	cfg.Rules.Flow = flow
	k := &Keeper{cfg: cfg, shelf: newShelf(), sender: newSender(cfg.Notifier), newest: newNewest(cfg.Client, cfg.Expect, cfg.AskEvery, cfg.Now)}
	var err error
	if k.metrics, err = newMetrics(cfg.Registerer, cfg.Pipeline); err != nil {
		return nil, fmt.Errorf("register metrics of incidents: %w", err)
	}
	k.teller = &teller{pipeline: cfg.Pipeline, policies: cfg.Policies, sender: k.sender, mask: cfg.Mask, count: k.metrics.message}
	return k, nil
}

// Run follows and keeps until ctx ends, and returns nil. What keeps it from working shows in Fault, and is tried again for ever.
func (k *Keeper) Run(ctx context.Context) error {
	process, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	k.pulse.Begin()
	var wait sync.WaitGroup
	wait.Go(func() {
		k.forever(ctx, &k.reading, fault.StatusUnreadable, "the incidents cannot be read; the data goes on", k.follow)
	})
	wait.Go(func() {
		k.forever(ctx, &k.keeping, fault.StatusUnwritable, "the incidents cannot be kept, and nobody is told of them; the data goes on", func(ctx context.Context, well func()) error {
			return k.elect(ctx, process, well)
		})
	})
	wait.Wait()
	giveUp()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	k.sender.idle(end)
	return nil
}

// forever runs fn again and again, and shows what it ended with until well is called.
func (k *Keeper) forever(ctx context.Context, shown *atomic.Pointer[fault.Fault], cause fault.Cause, what string, fn func(ctx context.Context, well func()) error) {
	back := retry.Backoff{Base: 500 * time.Millisecond, Max: 10 * time.Second}
	for attempt := 0; ; attempt++ {
		err := k.cfg.Client.EnsureTopics(ctx, topicSpecs(k.cfg.Pipeline, k.cfg.Replication)...)
		if err == nil {
			err = fn(ctx, func() {
				attempt = 0
				shown.Store(nil)
			})
		}
		if ctx.Err() != nil {
			return
		}
		if !errors.Is(err, kafka.ErrFenced) { // another keeper has taken over, as it should
			shown.Store(status.TopicFault(cause, Topic(k.cfg.Pipeline), what, "read and write", err))
			k.cfg.Logger.Warn("incidents: trying again", "error", err)
			k.news.Tell()
		}
		if back.Wait(ctx, attempt) != nil {
			return
		}
	}
}

// follow keeps the shelf as the topic is.
func (k *Keeper) follow(ctx context.Context, well func()) error {
	return k.cfg.Client.Follow(ctx, Topic(k.cfg.Pipeline), 0, kafka.Follower{
		Begin: func() {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.shelf = newShelf()
		},
		Record: func(r *kafka.Record) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.shelf.record(r)
		},
		CaughtUp: func() {
			well()
			k.news.Tell()
		},
	})
}

// elect takes part in the election, and keeps the incidents whenever it is this process's turn.
func (k *Keeper) elect(ctx, process context.Context, well func()) error {
	topic := Topic(k.cfg.Pipeline)
	group := kafka.GroupConfig{ID: k.cfg.Pipeline + ".keeper", Topics: []string{topic}, SessionTimeout: k.cfg.SessionTimeout}
	return k.cfg.Client.RunGroup(ctx, group, func(ctx context.Context, gen kafka.Generation) error {
		well()
		k.pulse.Beat() // whatever the role: somebody has been elected
		if len(gen.Assignment[topic]) == 0 {
			k.member.Store(standsBy)
			defer k.member.Store(0)
			defer k.pulse.Beat()
			<-ctx.Done()
			return nil
		}
		k.member.Store(keeps)
		defer k.member.Store(0)
		k.metrics.keeping.Set(1)
		defer k.metrics.keeping.Set(0)
		err := k.keep(ctx, process)
		if ctx.Err() != nil {
			return nil // the turn is over
		}
		return err
	})
}

// Fault says why incidents are not seen, or not kept, by this process; nil if all is well.
func (k *Keeper) Fault() *fault.Fault {
	if f := k.keeping.Load(); f != nil {
		return f
	}
	return k.reading.Load()
}

// Changed is closed when an incident is new or different. Take it before reading.
func (k *Keeper) Changed() <-chan struct{} { return k.news.Changed() }

// What this process's part in the election is.
const (
	standsBy = 1 // another process keeps
	keeps    = 2
)

// electionTakes is how long it may take until somebody is elected: a keeper that was killed is missed by the group only then, and others are waited for.
const electionTakes = time.Minute

// Quiet is for how long this process has not seen incidents being kept, beyond what an election takes; ever says whether it has at all.
func (k *Keeper) Quiet() (quiet time.Duration, ever bool) {
	quiet, ever = k.pulse.Quiet()
	switch k.member.Load() {
	case standsBy:
		return 0, ever
	case keeps:
		return quiet, ever
	}
	return max(0, quiet-electionTakes), ever
}

// Incidents are all that are kept, and those of this process alone, the open ones first.
func (k *Keeper) Incidents() []Incident {
	own := k.cfg.Alone.Incidents()
	k.mu.Lock()
	defer k.mu.Unlock()
	list := k.shelf.list()
	if len(own) == 0 {
		return list
	}
	open := map[string]bool{}
	for n := range list {
		open[list[n].Key] = open[list[n].Key] || list[n].Open()
	}
	for n := range own {
		if !open[own[n].Key] { // else everybody knows it
			list = append(list, own[n])
		}
	}
	Sorted(list)
	return list
}

// askWithin is how long a request may take to be written down.
const askWithin = 10 * time.Second

// Ack asks for an incident to be taken on. It returns when the request is written down; the incident shows it a moment later. One of this process alone is taken on at once, without
// the log. The error is status.ErrNotFound if there is no such incident.
func (k *Keeper) Ack(ctx context.Context, id, by, note string) error {
	if err := k.cfg.Alone.Ack(id, by, note); !errors.Is(err, status.ErrNotFound) {
		k.news.Tell()
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	k.mu.Lock()
	_, ok := k.shelf.incidents[id]
	k.mu.Unlock()
	if !ok {
		return fmt.Errorf("incident %s: %w", id, status.ErrNotFound)
	}
	return Send(ctx, k.cfg.Client, k.cfg.Pipeline, k.cfg.Replication, Request{ID: rand.Text(), At: k.cfg.Now().UTC(), By: by, What: Ack, Incident: id, Note: note})
}

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
	// Mask hides secrets in what is kept; nil: there are none.
	Mask func(string) string
	// Every is how often it looks; 0 means a second.
	Every time.Duration
	// AskEvery is how often topics are asked for their newest record, for Expect; 0 means 30 s.
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
		cfg.AskEvery = 30 * time.Second
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
	return k, nil
}

// Run follows and keeps until ctx ends, and returns nil. What keeps it from working shows in Fault, and is tried again for ever.
func (k *Keeper) Run(ctx context.Context) error {
	process, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	var wait sync.WaitGroup
	wait.Go(func() { k.forever(ctx, &k.reading, "the incidents cannot be read; the data goes on", k.follow) })
	wait.Go(func() {
		k.forever(ctx, &k.keeping, "the incidents cannot be kept, and nobody is told of them; the data goes on", func(ctx context.Context, well func()) error {
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
func (k *Keeper) forever(ctx context.Context, shown *atomic.Pointer[fault.Fault], what string, fn func(ctx context.Context, well func()) error) {
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
			shown.Store(k.faultOf(what, err))
			k.cfg.Logger.Warn("incidents: trying again", "error", err)
			k.news.Tell()
		}
		if back.Wait(ctx, attempt) != nil {
			return
		}
	}
}

func (k *Keeper) faultOf(what string, err error) *fault.Fault {
	if l := fault.All(err); len(l) > 0 {
		return l[0]
	}
	return &fault.Fault{
		Class: fault.Environment, Cause: "status.unwritable", Where: "topic " + Topic(k.cfg.Pipeline), What: what, Err: err,
		Fix: "see that the brokers run and that this user may read and write the topics " + Topic(k.cfg.Pipeline) + " and " + RequestsTopic(k.cfg.Pipeline),
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
		if len(gen.Assignment[topic]) == 0 {
			<-ctx.Done()
			return nil
		}
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

// Incidents are all that are kept, the open ones first.
func (k *Keeper) Incidents() []Incident {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.shelf.list()
}

// Ack asks for an incident to be taken on. It returns when the request is written down; the incident shows it a moment later. The error is status.ErrNotFound if there is no such incident.
func (k *Keeper) Ack(ctx context.Context, id, by, note string) error {
	k.mu.Lock()
	_, ok := k.shelf.incidents[id]
	k.mu.Unlock()
	if !ok {
		return fmt.Errorf("incident %s: %w", id, status.ErrNotFound)
	}
	return Send(ctx, k.cfg.Client, k.cfg.Pipeline, k.cfg.Replication, Request{ID: rand.Text(), At: k.cfg.Now().UTC(), By: by, What: Ack, Incident: id, Note: note})
}

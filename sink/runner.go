package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/internal/retry"
	"shelfstream/schemas/registry"
	"shelfstream/status"
	"shelfstream/status/exchange"
)

// RunnerConfig says what a runner does. Pipeline, Sink, Views, Client, Registry and Target are required.
type RunnerConfig struct {
	Pipeline, Sink string
	// Views are the names of the views the target's tables are made of.
	Views    []string
	Client   *kafka.Client
	Registry *registry.Client
	Target   Target
	// Owner names this process to people who look into the target.
	Owner string

	// Workers is how many partitions are written at once; 0 means 4, or fewer if there are fewer partitions.
	Workers int
	// MaxRecords and MaxBytes bound one transaction; 0 means 4,000 records and 4 MiB (as they are on the topic).
	MaxRecords, MaxBytes int
	// FetchBytes is what is fetched ahead over all partitions; 0 means 24 MiB.
	FetchBytes int
	// MaxKeys is how many keys a replay or prune remembers at once (50 bytes each); 0 means 1.5 million. More keys need more passes.
	MaxKeys int

	// RetryParked is how often parked records are tried again; 0 means one minute.
	RetryParked time.Duration
	// Touch is how often an idle partition's row is renewed in the target; 0 means 20 s.
	Touch time.Duration
	// TombstoneRetention is delete.retention.ms of the cleaned topics: a partition that nobody wrote for longer may have missed
	// tombstones, so its keys are compared. 0 means 24 h, Kafka's default.
	TombstoneRetention time.Duration
	// Retries spaces tries against a target, a registry or a log that fails.
	Retries retry.Policy

	// SessionTimeout and Heartbeat are the consumer group's; 0 means its defaults.
	SessionTimeout, Heartbeat time.Duration

	// Exchanges takes what was spoken with the target; nil = nobody wants to know.
	Exchanges exchange.Log

	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

func (c *RunnerConfig) defaults() {
	if c.Workers <= 0 {
		c.Workers = 4
	}
	if c.MaxRecords <= 0 {
		c.MaxRecords = 4000
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = 4 << 20
	}
	if c.FetchBytes <= 0 {
		c.FetchBytes = 24 << 20
	}
	if c.RetryParked <= 0 {
		c.RetryParked = time.Minute
	}
	if c.Touch <= 0 {
		c.Touch = 20 * time.Second
	}
	if c.TombstoneRetention <= 0 {
		c.TombstoneRetention = 24 * time.Hour
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Retries = c.Retries.WithDefaults()
}

// Runner keeps one target equal to cleaned topics, together with all other runners of the same sink: they share the partitions as the
// consumer group "<pipeline>.<sink>".
type Runner struct {
	cfg     RunnerConfig
	metrics *metrics

	// link stands before every call of the target that all workers depend on alike.
	link *retry.Breaker
	// board is what Status shows.
	board board
	// pruning makes one comparison of all keys at a time.
	pruning sync.Mutex
}

// NewRunner makes a runner; Run starts it.
func NewRunner(cfg RunnerConfig) (*Runner, error) {
	cfg.defaults()
	if len(cfg.Views) == 0 {
		return nil, &fault.Fault{Class: fault.Config, Where: "sinks." + cfg.Sink, What: "takes nothing from any view", Fix: "add a table with 'from: <view>'"}
	}
	r := &Runner{cfg: cfg, link: retry.NewBreaker(cfg.Retries, linkDown, cfg.Now)}
	r.board.start(cfg.Now())
	var err error
	if r.metrics, err = newMetrics(cfg.Registerer, cfg.Pipeline, cfg.Sink, r.lag, r.held); err != nil {
		return nil, fmt.Errorf("register metrics of sink %s: %w", cfg.Sink, err)
	}
	return r, nil
}

// Topic is the cleaned topic of a view.
func Topic(pipeline, view string) string { return pipeline + "." + view }

// Group is the consumer group of a sink.
func Group(pipeline, sink string) string { return pipeline + "." + sink }

// Run works until ctx ends (then it returns nil), or until the first comparison of the target with the views finds faults (a fault.List). Everything else is
// retried and shows in Status.
func (r *Runner) Run(ctx context.Context) error {
	defer r.board.state(status.StateStopped, "", r.cfg.Now())
	views, err := r.prepare(ctx, true)
	if err != nil {
		return ended(ctx, err)
	}
	topics := make([]string, len(views))
	for i := range views {
		topics[i] = views[i].Topic
	}
	group := kafka.GroupConfig{ID: Group(r.cfg.Pipeline, r.cfg.Sink), Topics: topics, SessionTimeout: r.cfg.SessionTimeout, Heartbeat: r.cfg.Heartbeat}
	return ended(ctx, r.cfg.Client.RunGroup(ctx, group, func(ctx context.Context, gen kafka.Generation) error {
		for {
			err := r.generation(ctx, gen, views)
			if ctx.Err() != nil {
				return nil // the generation is over
			}
			if !errors.Is(err, errShape) {
				return err
			}
			next, err := r.prepare(ctx, false)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			views = next
		}
	}))
}

func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// generation works on the assigned partitions until ctx ends or a worker meets a new shape.
func (r *Runner) generation(ctx context.Context, gen kafka.Generation, views []View) error {
	var parts []*partition
	for _, v := range views {
		d := newDecoders(r.cfg.Registry, v)
		for _, id := range gen.Assignment[v.Topic] {
			owner := r.cfg.Owner
			if gen.MemberID != "" {
				owner += " " + gen.MemberID
			}
			parts = append(parts, &partition{Partition: Partition{View: v, ID: id, Owner: owner}, decoders: d})
		}
	}
	r.board.assign(parts, r.cfg.Now())
	if len(parts) == 0 {
		<-ctx.Done()
		return nil
	}
	n := min(r.cfg.Workers, len(parts))
	workers := make([]*worker, n)
	for i := range workers {
		workers[i] = newWorker(r, n)
	}
	for i, p := range parts {
		workers[i%n].parts = append(workers[i%n].parts, p)
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, w := range workers {
		g.Go(func() error { return w.run(ctx) })
	}
	return g.Wait()
}

package transform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/internal/retry"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
	"shelfstream/status"
	"shelfstream/transform/rules"
)

// Config is what a view's runner needs.
type Config struct {
	Pipeline string
	View     View
	// Rules are the rule files in the order of their layers.
	Rules []rules.Source
	Zone  *time.Location

	Client   *kafka.Client
	Registry *registry.Client
	Store    *Store

	// Partitions of the cleaned topic; it must be that of the raw topics.
	Partitions  int
	Replication int
	// TopicConfigs are settings of the topics that the view makes, e.g. delete.retention.ms.
	TopicConfigs map[string]string
	// DeleteRetention is delete.retention.ms: a state that was away for longer is rebuilt. 0 means never.
	DeleteRetention time.Duration
	// Announces says that other views read this one: its tasks say after each evaluation how far they are.
	Announces bool
	// Guards hold back changes of the view's products that are more than usual.
	Guards []Guard
	// Retries spaces the runs of a task that broke off, and tries of what comes before.
	Retries retry.Policy
	// SessionTimeout is after how long without a heartbeat a worker loses its tasks; 0 means the group's default.
	SessionTimeout time.Duration

	// Clock is the instant for rules and for what is written; nil means time.Now.
	Clock      func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer

	dirtyLimit int // for tests: see task.dirtyLimit
}

// Runner keeps one view's cleaned topic equal to its sources, for the partitions that the group gives to this worker.
type Runner struct {
	cfg     Config
	topic   string
	metrics *metrics

	mu    sync.Mutex
	bound *bound
	tasks map[int32]*task
	state string
	since time.Time
	note  string
	err   error
}

// bound is a view bound to the shapes of its tables; it holds for one Run.
type bound struct {
	layout     *layout
	program    *rules.Program
	decoders   *decoders
	codec      *schemas.Codec
	keyID      int32
	valueID    int32
	frontier   *frontier
	viewID     uint16
	maxMessage int
	// checkpointID is the schema of what the tasks announce.
	checkpointID int32
	// kept and board are nil where the view needs none.
	kept    *kept
	board   *guardBoard
	signals *signalLog
	poke    *notifier
}

// NewRunner makes a runner; nothing is read before Run.
func NewRunner(cfg Config) (*Runner, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Runner{cfg: cfg, topic: cfg.Pipeline + "." + cfg.View.Name, tasks: map[int32]*task{}, state: status.StateStarting, since: cfg.Clock()}
	r.metrics = newMetrics(cfg.Registerer, cfg.View.Name, func() float64 { return float64(r.parkedNow()) })
	if cfg.Registerer != nil && len(cfg.Guards) > 0 {
		cfg.Registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "shelfstream_transform_held", Help: "Changes of products that guards hold.", ConstLabels: prometheus.Labels{"view": cfg.View.Name},
		}, func() float64 { return float64(r.heldNowCount()) }))
	}
	return r, nil
}

// Topic is the view's cleaned topic.
func (r *Runner) Topic() string { return r.topic }

// ParkedTopic is the topic that says which products are held and why.
func (r *Runner) ParkedTopic() string { return r.topic + ".parked" }

// Run works until ctx ends (then it returns nil) or until something breaks that no retry mends: a fault in the rules, or a topic of
// another shape.
func (r *Runner) Run(ctx context.Context) error {
	b, err := r.bind(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		r.fail(err)
		return err
	}
	r.mu.Lock()
	r.bound = b
	r.mu.Unlock()
	r.say(status.StateStarting, "waiting for a share of the partitions") // that others have all the work is not known yet

	// What operators asked for is known before anything is evaluated: an override holds from the first product on.
	backoff := retry.Backoff{Base: 50 * time.Millisecond, Max: 2 * time.Second}
	if err := backoff.Do(ctx, func(ctx context.Context) error { return b.signals.read(ctx, r.cfg.Client) }, nil); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		r.fail(err)
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.signals.follow(gctx, r.cfg.Client) })
	g.Go(func() error { return r.followCheckpoints(gctx, b) })
	g.Go(func() error {
		cfg := kafka.GroupConfig{ID: r.topic, Topics: []string{r.cfg.View.Root}, SessionTimeout: r.cfg.SessionTimeout}
		return r.cfg.Client.RunGroup(gctx, cfg, func(ctx context.Context, gen kafka.Generation) error {
			return r.generation(ctx, b, gen)
		})
	})
	err = g.Wait()
	if ctx.Err() != nil {
		r.say(status.StateStopped, "")
		return nil
	}
	r.fail(err)
	return err
}

// bind waits until the tables' topics and schemas exist, then checks the view and the rules against them.
func (r *Runner) bind(ctx context.Context) (*bound, error) {
	shapes := map[string]*schemas.Table{}
	topics := r.cfg.View.topics()
	streams := r.streams()
	awaited := slices.Clone(topics)
	for _, s := range streams {
		awaited = append(awaited, s.topic)
	}
	for _, t := range awaited {
		if err := r.awaitTopic(ctx, t); err != nil {
			return nil, err
		}
	}
	for _, t := range topics {
		table, err := r.awaitShape(ctx, t)
		if err != nil {
			return nil, err
		}
		shapes[t] = table
	}
	if err := r.checkPartitions(ctx); err != nil {
		return nil, err
	}
	l, err := bind(r.cfg.View, func(t string) *schemas.Table { return shapes[t] })
	if err != nil {
		return nil, err
	}
	program, err := rules.Compile(r.cfg.Rules, environment(l, r.cfg.Zone))
	if err != nil {
		return nil, err
	}
	b := &bound{layout: l, program: program, decoders: newDecoders(r.cfg.Registry), frontier: newFrontier(streams...)}
	b.frontier.onTear = r.metrics.torn.Inc
	if !b.frontier.common && !r.cfg.Announces {
		b.frontier.remember = 1
	}
	if err := r.publish(ctx, b); err != nil {
		return nil, err
	}
	return b, r.bindGuards(b)
}

// bindGuards checks the guards against the products' shape and lays out what is kept of them.
func (r *Runner) bindGuards(b *bound) error {
	gs, err := bindGuards(r.cfg.View, r.cfg.Guards, b.codec.Table())
	if err != nil {
		return err
	}
	b.poke = newNotifier()
	if len(gs) > 0 {
		b.board = newGuardBoard(gs, r.cfg.Clock, b.poke)
		b.board.of = r.cfg.Partitions
	}
	b.signals = &signalLog{topic: SignalsTopic(r.cfg.Pipeline, r.cfg.View.Name), view: r.cfg.View.Name, board: b.board, poke: b.poke, log: r.cfg.Logger}
	b.kept, err = newKept(b.program, gs, b.codec, b.valueID, r.cfg.Registry)
	return err
}

// streams are the checkpoint topics that the view goes by.
func (r *Runner) streams() []stream {
	var out []stream
	for _, t := range r.cfg.View.Checkpoints {
		out = append(out, stream{topic: t, writers: 1})
	}
	for _, v := range r.cfg.View.Views {
		out = append(out, stream{topic: CheckpointTopic(v), writers: r.cfg.Partitions, view: true})
	}
	return out
}

// environment is what the rules are checked against.
func environment(l *layout, zone *time.Location) rules.Env {
	env := rules.Env{View: l.view.Name, Root: l.root().table, Zone: zone}
	for i := range l.children {
		env.Children = append(env.Children, rules.Child{Name: l.child(i).name, Table: l.child(i).table})
	}
	for i := range l.lookups() {
		in := l.lookup(i)
		env.Lookups = append(env.Lookups, rules.Lookup{Name: in.name, Table: in.table, Many: in.many, Broadcast: true, On: l.rootColumns(in)})
	}
	return env
}

// Compile checks a view and its rules against given shapes without any log or state: what `check` and tests do. The shape of the
// products comes back.
func Compile(v View, files []rules.Source, zone *time.Location, shape func(topic string) *schemas.Table) (*schemas.Table, error) {
	l, err := bind(v, shape)
	if err != nil {
		return nil, err
	}
	p, err := rules.Compile(files, environment(l, zone))
	if err != nil {
		return nil, err
	}
	return p.Output(), nil
}

// publish makes the output topics and registers the products' shape.
func (r *Runner) publish(ctx context.Context, b *bound) error {
	out := *b.program.Output()
	out.Name = r.topic
	codec, err := schemas.Compile(&out)
	if err != nil {
		return fmt.Errorf("shape of the products: %w", err)
	}
	b.codec = codec
	configs := map[string]string{"cleanup.policy": "compact", settingMaxMessage: strconv.Itoa(defaultMaxMessage)}
	maps.Copy(configs, r.cfg.TopicConfigs)
	specs := []kafka.TopicSpec{
		{Name: r.topic, Partitions: r.cfg.Partitions, Replication: r.cfg.Replication, Configs: configs, Least: r.least()},
		{Name: r.ParkedTopic(), Partitions: r.cfg.Partitions, Replication: r.cfg.Replication, Configs: configs},
		signalsSpec(r.cfg.Pipeline, r.cfg.View.Name, r.cfg.Replication),
	}
	if r.cfg.Announces {
		if b.checkpointID, err = r.cfg.Registry.Register(ctx, CheckpointTopic(r.topic)+"-value", schemas.CheckpointSchema); err != nil {
			return err
		}
		specs = append(specs, kafka.TopicSpec{Name: CheckpointTopic(r.topic), Partitions: 1, Replication: r.cfg.Replication, Configs: announcementConfigs})
	}
	if err := r.cfg.Client.EnsureTopics(ctx, specs...); err != nil {
		return err
	}
	if b.maxMessage, err = r.maxMessage(ctx); err != nil {
		return err
	}
	if b.keyID, err = r.cfg.Registry.Register(ctx, r.topic+"-key", codec.KeySchema()); err != nil {
		return err
	}
	if b.valueID, err = r.cfg.Registry.Register(ctx, r.topic+"-value", codec.ValueSchema()); err != nil {
		return err
	}
	b.viewID, err = r.cfg.Store.view(r.topic)
	return err
}

// least are settings that a cleaned topic must have as soon as another view reads it, also where nobody did when it was made: readers go by offsets, so
// what lies below such an offset must stay until a newer one covers it.
func (r *Runner) least() map[string]int64 {
	lag, err := strconv.ParseInt(r.cfg.TopicConfigs[settingCompactionLag], 10, 64)
	if !r.cfg.Announces || err != nil {
		return nil
	}
	return map[string]int64{settingCompactionLag: lag}
}

const settingCompactionLag = "min.compaction.lag.ms"

// announcementConfigs: of what a task announced only the newest counts, beside what was announced while the tasks of a view were last at one.
var announcementConfigs = map[string]string{"cleanup.policy": "compact", settingCompactionLag: "60000", "segment.ms": "60000"}

func (r *Runner) checkPartitions(ctx context.Context) error {
	var faults fault.List
	topics := []string{r.cfg.View.Root}
	for _, c := range r.cfg.View.Children {
		if !c.Scattered {
			topics = append(topics, c.Topic)
		}
	}
	for _, t := range topics {
		n, err := r.cfg.Client.Partitions(ctx, t)
		if err != nil {
			return err
		}
		if n != r.cfg.Partitions {
			faults.Add(&fault.Fault{
				Class: fault.Config, Where: "view " + r.cfg.View.Name, What: fmt.Sprintf("topic %s has %d partitions, the pipeline has %d", t, n, r.cfg.Partitions),
				Fix: "set log.partitions to what the topics have, or begin a new pipeline name",
			})
		}
	}
	return faults.Err()
}

// awaitTopic waits until capture has made a topic.
func (r *Runner) awaitTopic(ctx context.Context, topic string) error {
	backoff := retry.Backoff{Base: 50 * time.Millisecond, Max: 2 * time.Second}
	return backoff.Do(ctx, func(ctx context.Context) error {
		n, err := r.cfg.Client.Partitions(ctx, topic)
		if err == nil && n == 0 {
			err = errors.New("not there yet")
		}
		if err != nil {
			r.say("waiting", "topic "+topic+": "+err.Error())
		}
		return err
	}, nil)
}

// awaitShape waits until capture has registered a table's schemas.
func (r *Runner) awaitShape(ctx context.Context, topic string) (*schemas.Table, error) {
	var table *schemas.Table
	backoff := retry.Backoff{Base: 50 * time.Millisecond, Max: 2 * time.Second}
	err := backoff.Do(ctx, func(ctx context.Context) error {
		var err error
		if table, err = r.cfg.Registry.Table(ctx, topic); err != nil {
			r.say("waiting", "schemas of "+topic+": "+err.Error())
		}
		return err
	}, nil)
	return table, err
}

func (r *Runner) followCheckpoints(ctx context.Context, b *bound) error {
	defer b.frontier.close()
	backoff := retry.Backoff{Base: 50 * time.Millisecond, Max: 2 * time.Second}
	err := backoff.Do(ctx, func(ctx context.Context) error {
		return b.frontier.follow(ctx, r.cfg.Client, r.cfg.Logger)
	}, func(err error) bool { return len(fault.All(err)) == 0 || fault.All(err)[0].Class == fault.Environment })
	if err != nil && ctx.Err() == nil {
		b.frontier.fail(err)
		return err
	}
	return nil
}

// generation runs the tasks of one assignment until it ends.
func (r *Runner) generation(ctx context.Context, b *bound, gen kafka.Generation) error {
	g, ctx := errgroup.WithContext(ctx)
	partitions := gen.Assignment[r.cfg.View.Root]
	if len(partitions) == 0 {
		r.say(status.StateStandby, "other workers have all partitions")
		<-ctx.Done()
		return nil
	}
	if b.board != nil {
		b.board.assign(partitions)
	}
	tasks := map[int32]*task{}
	for _, p := range partitions {
		tasks[p] = r.newTask(b, p)
	}
	r.mu.Lock()
	r.tasks = tasks
	r.mu.Unlock()
	r.say(status.StateLive, "") // Status shows that of a task which is not yet
	for _, t := range tasks {
		g.Go(func() error { return r.keepRunning(ctx, t) })
	}
	err := g.Wait()
	r.mu.Lock()
	r.tasks = map[int32]*task{}
	r.mu.Unlock()
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return nil
	}
	return err
}

// keepRunning runs a task again after what a retry mends. Losing the fence ends the generation's work for this task: whoever took
// it over has it, and the group will say so.
func (r *Runner) keepRunning(ctx context.Context, t *task) error {
	rebuilt := 0
	for {
		err := t.run(ctx)
		if errors.Is(err, kafka.ErrFenced) {
			r.cfg.Logger.Warn("another worker took the task over", "view", r.cfg.View.Name, "partition", t.partition)
			t.watch.set(func(o *observer) {
				o.state, o.waiting, o.failed, o.faults = "fenced", "another worker took the partition over", 0, nil
			})
			<-ctx.Done()
			return nil
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		var rebuild *rebuildError
		if errors.As(err, &rebuild) {
			r.cfg.Logger.Info("task begins anew", "view", r.cfg.View.Name, "partition", t.partition, "why", err)
			if err := retry.Sleep(ctx, retry.Backoff{}.Delay(rebuilt)); err != nil {
				return err
			}
			rebuilt++
			continue // nothing has failed
		}
		r.cfg.Logger.Error("task failed", "view", r.cfg.View.Name, "partition", t.partition, "error", err)
		var wait time.Duration
		t.watch.set(func(o *observer) {
			o.failed++
			wait = r.cfg.Retries.Delay(o.failed, err)
			o.state, o.waiting, o.nextTry, o.faults = status.StateRetrying, err.Error(), r.cfg.Clock().Add(wait), r.faultsOf(err)
		})
		if retry.Sleep(ctx, wait) != nil {
			return err
		}
	}
}

// faultsOf are the faults in an error, or one that says it.
func (r *Runner) faultsOf(err error) fault.List {
	if l := fault.All(err); len(l) > 0 {
		return l
	}
	return fault.List{{Class: fault.Runtime, Cause: fault.Unexpected, Where: "view " + r.cfg.View.Name, What: "a task broke off and is tried again", Err: err}}
}

func (r *Runner) newTask(b *bound, partition int32) *task {
	return &task{
		watch:     observer{state: status.StateStarting},
		partition: partition, topic: r.topic, parked: r.ParkedTopic(),
		layout: b.layout, program: b.program, decoders: b.decoders, frontier: b.frontier,
		client: r.cfg.Client, store: r.cfg.Store, prefix: makePrefix(b.viewID, partition),
		clock: r.cfg.Clock, log: r.cfg.Logger, metrics: r.metrics, retention: r.cfg.DeleteRetention, dirtyLimit: r.cfg.dirtyLimit,
		outCodec: b.codec, keyID: b.keyID, valueID: b.valueID,
		partitions: r.cfg.Partitions, maxMessage: b.maxMessage, announces: r.cfg.Announces, checkpointID: b.checkpointID,
		kept: b.kept, guarding: newGuarding(b.board), signals: b.signals, poke: b.poke,
	}
}

package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/internal/kafka/embedded"
	"shelfstream/internal/retry"
	"shelfstream/schemas/registry"
	"shelfstream/sink"
	"shelfstream/status/audit"
	"shelfstream/status/exchange"
	"shelfstream/transform"
)

// role says what a process may start by itself.
type role uint8

const (
	// roleAll is 'run' and the demo: the embedded log and registry live in it.
	roleAll role = iota
	// roleCapture, roleTransform and roleSink are one stage of several processes: log and registry are elsewhere.
	roleCapture
	roleTransform
	roleSink
	// roleTool looks into a pipeline, or asks it for something, whether it runs or not. It never takes over what a running
	// one has: it joins its log, and reads its schemas without a registry's rights.
	roleTool
)

// alone says whether log and registry are elsewhere.
func (r role) alone() bool { return r == roleCapture || r == roleTransform || r == roleSink }

// How long things may take at the start and at the end.
const (
	reachWithin = 15 * time.Second
	closeWithin = 3 * time.Second
)

// app is what the stages of a process share. Close it after they have ended.
type app struct {
	cfg     *pipeline
	role    role
	log     *slog.Logger
	metrics *prometheus.Registry

	brokers     []string
	registryURL string
	broker      *embedded.Broker // nil unless the log lives in this process
	client      *kafka.Client
	registry    *registry.Client
	// registryServer is the embedded registry of this process; nil if another one is used.
	registryServer *registryServer
	store          *transform.Store
	targets        map[string]sink.Target
	worker         string             // this process's name; of one that runs stages
	recorder       *exchange.Recorder // nil unless it runs stages
	audit          *audit.Trail
	alerts         *alerts // nil unless it runs stages
	watching       *watch  // nil unless it runs stages

	closers []func(ctx context.Context) error // what was opened last is closed first
}

// openApp connects to the log and the registry, or starts them.
func openApp(ctx context.Context, cfg *pipeline, log *slog.Logger, r role) (_ *app, err error) {
	a := &app{cfg: cfg, role: r, log: log, metrics: prometheus.NewRegistry(), brokers: cfg.Log.Brokers, registryURL: cfg.Log.Registry.URL, targets: map[string]sink.Target{}}
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	defer func() {
		if err != nil {
			err = errors.Join(cfg.placedError("", err), a.Close())
		}
	}()
	boundMemory(cfg.State.CacheMB)
	if err := a.needsProcesses(r); err != nil {
		return nil, err
	}
	if cfg.Log.Embedded() {
		if err := a.embeddedLog(ctx, r); err != nil {
			return nil, err
		}
	}
	if err := a.openClient(ctx, r); err != nil {
		return nil, err
	}
	return a, a.openRegistry(ctx, r)
}

// needsProcesses refuses a stage of its own when the log or the registry live in 'run'.
func (a *app) needsProcesses(r role) error {
	if !r.alone() {
		return nil
	}
	var l fault.List
	if a.cfg.Log.Embedded() {
		l.Add(&fault.Fault{
			Class: fault.Config, Where: a.cfg.PlaceNear("log"), What: "log.brokers: no brokers are named, and the embedded log lives in 'shelfstream run'",
			Fix: "use 'shelfstream run', or name Kafka's brokers: log: { brokers: [host:9092] }",
		})
	}
	if a.registryURL == "" {
		l.Add(&fault.Fault{
			Class: fault.Config, Where: a.cfg.PlaceNear("log", "registry"), What: "log.registry.url: no schema registry is named, and the embedded one lives in 'shelfstream run'",
			Fix: "use 'shelfstream run', or name a registry: log: { registry: { url: http://host:8081 } }",
		})
	}
	return l.Err()
}

// embeddedLog starts the broker. A tool joins the running pipeline's; when none runs it opens the log on a free port.
func (a *app) embeddedLog(ctx context.Context, r role) error {
	listen := a.cfg.Log.Listen
	if r == roleTool {
		if e, ok := readEndpoints(ctx, a.cfg); ok {
			a.brokers = []string{e.Broker}
			return nil
		}
		listen = "127.0.0.1:0"
	}
	b, err := embedded.Start(embedded.Config{Dir: a.cfg.LogDir(), Listen: listen, Logger: a.log})
	if err != nil {
		return err
	}
	a.onClose(func(context.Context) error { return b.Close() })
	a.brokers, a.broker = []string{b.Addr()}, b
	return nil
}

func (a *app) openClient(ctx context.Context, r role) error {
	tlsConfig, err := a.cfg.tlsConfig()
	if err != nil {
		return err
	}
	kc := kafka.Config{Brokers: a.brokers, ClientID: a.cfg.Log.ClientID, TLS: tlsConfig, Logger: a.log, Registerer: a.metrics}
	if s := a.cfg.Log.SASL; s != nil {
		kc.SASL = &kafka.SASL{Mechanism: s.Mechanism, User: s.User, Password: s.Password}
	}
	if a.client, err = kafka.Open(kc); err != nil {
		return err
	}
	a.onClose(func(context.Context) error { return a.client.Close() })
	if r != roleTool {
		a.worker = workerName()
		if err := errors.Join(a.openRecorder(), a.openAlerts()); err != nil {
			return err
		}
		return a.awaitBrokers(ctx, r)
	}
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	return retry.Backoff{Base: 100 * time.Millisecond, Max: time.Second}.Do(ctx, a.client.Ping, mayAnswer)
}

// openRegistry connects to the named registry, or starts the embedded one.
func (a *app) openRegistry(ctx context.Context, r role) error {
	reg := a.cfg.Log.Registry
	if a.registryURL == "" {
		listen, owner := reg.Listen, true
		if r == roleTool {
			listen, owner = "127.0.0.1:0", false
		}
		s, err := startRegistry(ctx, a.client, registryConfig{topic: a.registryTopic(), replication: a.cfg.Log.Replication, listen: listen, owner: owner}, a.log)
		if err != nil {
			return err
		}
		a.onClose(s.Close)
		a.registryServer, a.registryURL = s, s.url
	}
	a.registry = registry.NewClient(a.registryURL, registryOptions(a.cfg, registry.WithLogger(a.log))...)
	return nil
}

// registryTopic is where the embedded registry keeps its schemas: in an embedded log under the name that everybody knows; in a
// Kafka that others use too under the pipeline's own, since a registry of theirs has that one.
func (a *app) registryTopic() string {
	if a.cfg.Log.Embedded() {
		return "_schemas"
	}
	return a.cfg.Name + "._schemas"
}

// openStore opens the transform's state.
func (a *app) openStore(readOnly bool) error {
	s, err := transform.OpenStore(a.cfg.StateDir(), transform.StoreOptions{CacheMB: a.cfg.State.CacheMB, ReadOnly: readOnly, Fatal: a.die, Logger: a.log})
	if err != nil {
		return err
	}
	a.store = s
	a.onClose(func(context.Context) error { return s.Close() })
	return nil
}

// die ends the process at once, for what must not return: the state's files and everything else are then as after a crash, which loses nothing.
func (a *app) die(err error) {
	a.log.Error("the process ends at once", "error", a.cfg.Redact(err.Error()))
	os.Exit(fault.ExitCode(err))
}

// target opens a sink's connector once.
func (a *app) target(name string) (sink.Target, error) {
	if t, ok := a.targets[name]; ok {
		return t, nil
	}
	s, ok := a.cfg.Sinks.Get(name)
	if !ok {
		return nil, unknownName("sink", name, a.cfg.Sinks.Names())
	}
	t, err := sinkKinds()[s.Section.Kind].open(a.cfg.sinks[name], sinkParts{
		pipeline: a.cfg.Name, sink: name, zone: a.cfg.Zone, path: a.cfg.Path, client: a.client, registry: a.registry,
		replication: a.cfg.Log.Replication, topics: a.topicConfigs(), log: a.log, metrics: a.metrics, exchanges: a.exchanges(),
	})
	if err != nil {
		return nil, err
	}
	if c, ok := t.(io.Closer); ok {
		a.onClose(func(context.Context) error { return c.Close() })
	}
	a.targets[name] = t
	return t, nil
}

func (a *app) onClose(f func(context.Context) error) { a.closers = append(a.closers, f) }

// Close closes what was opened, the last first.
func (a *app) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	var errs []error
	for _, closing := range slices.Backward(a.closers) {
		errs = append(errs, closing(ctx))
	}
	a.closers = nil
	return errors.Join(errs...)
}

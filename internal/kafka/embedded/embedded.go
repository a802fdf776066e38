// Package embedded runs a broker inside the process: franz-go's kfake with a data directory. It speaks the real protocol, so any client
// can read it. It is for the demo, for tests and for a small shop on one machine; there is no replication.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	kgo "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"shelfstream/internal/fault"
)

// Config says where the log is kept and where the broker listens.
type Config struct {
	Dir    string // data directory, made if missing; "" keeps everything in memory
	Listen string // "127.0.0.1:0" (also "") takes any free port
	// Compaction is how often compacted topics are cleaned; 0 means 15 s.
	Compaction time.Duration
	// Settings are broker settings beside ours, as in server.properties (such as message.max.bytes).
	Settings map[string]string
	Logger   *slog.Logger
}

// Broker is a running broker.
type Broker struct {
	cluster *kfake.Cluster
	addr    string
	lock    *dirLock
	disk    *disk
	client  *kgo.Client
	// endCleaner ends the cleaner and waits for it.
	endCleaner func()

	once sync.Once
	err  error
}

// Start opens the directory and listens. Every write is on disk before it is acknowledged. The error is a *fault.Fault if the directory
// is in use by another process, or the address is.
func Start(cfg Config) (*Broker, error) {
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Compaction <= 0 {
		cfg.Compaction = 15 * time.Second
	}
	host, portText, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, &fault.Fault{Class: fault.Config, Where: "log.listen", What: fmt.Sprintf("%q is no address to listen on", cfg.Listen), Fix: "write it as host:port", Err: err}
	}
	port, err := strconv.Atoi(portText)
	if err != nil || port < 0 || port > 65535 {
		return nil, &fault.Fault{Class: fault.Config, Where: "log.listen", What: fmt.Sprintf("%q is no port", portText), Fix: "use a number from 0 to 65535; 0 takes a free one"}
	}
	b := &Broker{}
	settings := map[string]string{
		// Our cleaner does it; see there.
		"log.cleaner.backoff.ms": strconv.FormatInt((365 * 24 * time.Hour).Milliseconds(), 10),
		// kfake deletes by age in compacted topics too, where Kafka does not: a row that nobody changed for a week would be gone.
		"log.retention.ms": "-1",
	}
	maps.Copy(settings, cfg.Settings)
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.ClusterID("shelfstream-embedded"), kfake.BrokerConfigs(settings),
		kfake.GroupMinSessionTimeout(100 * time.Millisecond),
		// kfake binds the port on 127.0.0.1 itself; the host is put in here so that a chosen one counts.
		kfake.Ports(port), kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			l, err := net.Listen(network, net.JoinHostPort(host, portText))
			return listener{l}, err
		}),
	}
	if cfg.Dir != "" {
		if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
			return nil, &fault.Fault{Class: fault.Environment, Cause: fault.DiskUnusable, Where: "log.data_dir " + cfg.Dir, What: "the log's directory cannot be made", Fix: "check the path and its permissions", Err: err}
		}
		if b.lock, err = lockDir(filepath.Join(cfg.Dir, "lock")); err != nil {
			return nil, err
		}
		opts = append(opts, kfake.DataDir(filepath.Join(cfg.Dir, "data")), kfake.SyncWrites())
	}
	if b.disk, err = newDisk(cfg.Dir, cfg.Logger); err != nil {
		return nil, errors.Join(err, b.lock.release())
	}
	if f := b.Fault(); f != nil {
		return nil, errors.Join(f, b.lock.release())
	}
	opts = append(opts, kfake.WithLogger(&logger{cfg.Logger, b.disk}))
	b.cluster, err = kfake.NewCluster(opts...)
	if err != nil {
		err = &fault.Fault{
			Class: fault.Environment, Cause: fault.AddressTaken, Where: "embedded log on " + cfg.Listen, What: "the embedded broker does not start",
			Fix: "choose another address with log.listen, or stop what uses it", Err: err,
		}
		return nil, errors.Join(err, b.lock.release())
	}
	b.disk.guard(b.cluster)
	b.addr = b.cluster.ListenAddrs()[0]
	ctx, stop := context.WithCancel(context.Background())
	b.client = &kgo.Client{Addr: kgo.TCP(b.addr), Transport: &kgo.Transport{}, Timeout: 10 * time.Second}
	c := &cleaner{cluster: b.cluster, client: b.client, every: cfg.Compaction}
	var cleaning sync.WaitGroup
	cleaning.Go(func() { c.run(ctx) })
	b.endCleaner = func() {
		stop()
		cleaning.Wait()
	}
	return b, nil
}

// Addr is the address clients connect to, host:port.
func (b *Broker) Addr() string { return b.addr }

// Close ends every connection, writes what is left to disk and frees the directory.
func (b *Broker) Close() error {
	b.once.Do(func() {
		b.endCleaner()
		err := b.settle()
		b.cluster.Close()
		b.err = errors.Join(err, b.lock.release())
	})
	return b.err
}

// settle leaves nothing half done to kfake's end. kfake handles one request at a time, except that it also ends while one is being looked at by our
// guard; then it writes that one after it has written down what it holds, into files that the next broker has opened by then. So records are
// refused from here on, and the answer to a question put after that means that none is being looked at any more.
func (b *Broker) settle() error {
	b.disk.closing.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), b.client.Timeout)
	defer cancel()
	_, err := b.client.ApiVersions(ctx, &kgo.ApiVersionsRequest{})
	if t, ok := b.client.Transport.(*kgo.Transport); ok {
		t.CloseIdleConnections()
	}
	if err != nil {
		return fmt.Errorf("the embedded log did not answer when it was to end, and was ended all the same: %w", err)
	}
	return nil
}

// logger passes kfake's warnings on; the rest is about single requests. That something took long is for whoever looks for it: most of a
// transaction's end is the wait for the disk, which every start does once.
type logger struct {
	log  *slog.Logger // may be nil
	disk *disk
}

// Logf formats one of kfake's messages.
func (l *logger) Logf(level kfake.LogLevel, format string, args ...any) {
	if level != kfake.LogLevelError && level != kfake.LogLevelWarn {
		return
	}
	message := fmt.Sprintf(format, args...)
	l.disk.heard(message)
	switch {
	case l.log == nil:
	case level == kfake.LogLevelWarn && strings.Contains(format, " slow "):
		l.log.Debug("embedded log", "message", message)
	default:
		l.log.Warn("embedded log", "message", message)
	}
}

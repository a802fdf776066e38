package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"

	"shelfstream/internal/fault"
)

// EnvBroker chooses what StartBroker starts: "embedded" (also if it is not set) or "kafka". `make test` runs the integration
// suites once with each.
const EnvBroker = "SHELFSTREAM_BROKER"

// Broker is a log to test against: a real Apache Kafka or the embedded one in a process of its own.
type Broker struct {
	server
	name string
	addr string
}

// StartBroker starts the kind of broker that SHELFSTREAM_BROKER names, in dir ("" = a directory of its own that Close removes).
// A suite that calls it runs on either without knowing which.
func StartBroker(ctx context.Context, dir string) (*Broker, error) {
	switch kind := os.Getenv(EnvBroker); kind {
	case "", "embedded":
		return StartEmbedded(ctx, dir, 15*time.Second)
	case "kafka":
		k, err := StartKafka(ctx, dir)
		if err != nil {
			return nil, err
		}
		return &k.Broker, nil
	default:
		return nil, &fault.Fault{Class: fault.Config, Where: EnvBroker, What: fmt.Sprintf("%q is no kind of broker", kind), Fix: "set it to embedded or kafka"}
	}
}

// StartEmbedded builds internal/testenv/embeddedlog and starts it on dir ("" = a directory of its own). Compacted topics are cleaned
// every compaction.
func StartEmbedded(ctx context.Context, dir string, compaction time.Duration) (*Broker, error) {
	program, err := buildEmbedded(ctx)
	if err != nil {
		return nil, err
	}
	p, err := newPlace("log", dir, nil)
	if err != nil {
		return nil, err
	}
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	b := &Broker{name: "embedded log", addr: addr}
	b.server = server{
		place: p,
		command: command{
			name: b.name, path: program, log: filepath.Join(p.dir, "embedded.log"),
			args: []string{"-dir", filepath.Join(p.dir, "log"), "-listen", addr, "-compaction", compaction.String()},
		},
		timeout: 60 * time.Second,
		stopSig: syscall.SIGTERM,
		probe:   func(ctx context.Context) error { return brokerAnswers(ctx, addr) },
	}
	if err := b.Restart(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, report(b.name)
}

// Addr is host:port for clients without password and TLS.
func (b *Broker) Addr() string { return b.addr }

// Name tells brokers apart in messages: "Apache Kafka 4.3.1", "embedded log".
func (b *Broker) Name() string { return b.name }

// buildEmbedded builds the program into the user's cache: `go build` leaves it alone while nothing changed, which is faster than
// linking it for each package.
func buildEmbedded(ctx context.Context) (string, error) {
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	dir, unlock, err := lockCache("embeddedlog")
	if err != nil {
		return "", err
	}
	defer unlock()
	out := filepath.Join(dir, "embeddedlog")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, "./internal/testenv/embeddedlog")
	cmd.Dir = root
	if b, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the embedded log: %w\n%s", err, b)
	}
	return out, nil
}

// brokerAnswers asks for the cluster's metadata until the broker has registered itself with its controller.
func brokerAnswers(ctx context.Context, addr string) error {
	t := &kafka.Transport{DialTimeout: 2 * time.Second}
	defer t.CloseIdleConnections()
	c := kafka.Client{Addr: kafka.TCP(addr), Transport: t, Timeout: 3 * time.Second}
	m, err := c.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return err
	}
	if len(m.Brokers) == 0 {
		return errors.New("the broker has not registered yet")
	}
	return nil
}

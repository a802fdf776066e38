package testenv

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"

	"shelfstream/internal/fault"
)

// Kafka is a running single-node Apache Kafka in KRaft mode.
type Kafka struct {
	Broker
	version string
	cfg     kafkaConfig
}

// KafkaOption changes how StartKafka starts the broker.
type KafkaOption func(*kafkaConfig)

type kafkaConfig struct {
	props map[string]string
	heap  string
	port  int
	users map[string]string
	tls   *KafkaTLS

	controllerPort, saslPort, tlsPort, saslTLSPort int
}

// KafkaProperty sets a broker property, e.g. "log.cleaner.backoff.ms", "100".
func KafkaProperty(name, value string) KafkaOption {
	return func(c *kafkaConfig) { c.props[name] = value }
}

// KafkaHeap sets the JVM's heap ("512m" without it).
func KafkaHeap(size string) KafkaOption { return func(c *kafkaConfig) { c.heap = size } }

// KafkaPort sets the port of the plain listener; without it a free one is taken.
func KafkaPort(port int) KafkaOption { return func(c *kafkaConfig) { c.port = port } }

// KafkaStock keeps the group's initial rebalance delay, the partitions of the internal topics and the session time as Apache ships them. Without it
// they are small, so that a test waits for nothing; benchmarks use it.
func KafkaStock() KafkaOption {
	return func(c *kafkaConfig) { maps.DeleteFunc(c.props, func(k, _ string) bool { return quick[k] != "" }) }
}

// KafkaUsers adds a listener that asks for SASL PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 (SASLAddr), with these users and passwords.
// With KafkaWithTLS there is one for SASL over TLS too (SASLTLSAddr).
func KafkaUsers(users map[string]string) KafkaOption {
	return func(c *kafkaConfig) { c.users = maps.Clone(users) }
}

// KafkaWithTLS adds a listener with the certificate that NewKafkaTLS made (TLSAddr).
func KafkaWithTLS(t *KafkaTLS) KafkaOption { return func(c *kafkaConfig) { c.tls = t } }

// quick lists what differs from Apache's defaults so that tests do not wait.
var quick = map[string]string{
	"group.initial.rebalance.delay.ms":     "0",
	"group.min.session.timeout.ms":         "500",
	"offsets.topic.num.partitions":         "4",
	"transaction.state.log.num.partitions": "4",
	"broker.session.timeout.ms":            "2000",
	"broker.heartbeat.interval.ms":         "250",
	"controlled.shutdown.enable":           "false",
}

// StartKafka formats a log directory in dir, or takes up the one that is there, and starts the broker. With dir "" it lives in a
// directory of its own that Close removes. The jars come from SHELFSTREAM_KAFKA_JARS or the user's cache, where Maven
// puts them the first time.
func StartKafka(ctx context.Context, dir string, opts ...KafkaOption) (*Kafka, error) {
	java, err := findJava(ctx)
	if err != nil {
		return nil, err
	}
	jars, version, err := FetchKafka(ctx)
	if err != nil {
		return nil, err
	}
	cfg := kafkaConfig{props: maps.Clone(quick), heap: "512m"}
	for _, o := range opts {
		o(&cfg)
	}
	if err := cfg.pickPorts(); err != nil {
		return nil, err
	}
	p, err := newPlace("kafka", dir, nil)
	if err != nil {
		return nil, err
	}
	k := &Kafka{version: version, cfg: cfg, Broker: Broker{name: "Apache Kafka " + version, addr: hostPort(cfg.port)}}
	conf, err := k.format(ctx, java, jars, p)
	if err != nil {
		return nil, errors.Join(err, p.remove())
	}
	k.server = server{
		place: p,
		command: command{
			name: k.name, path: java, dir: p.dir, log: filepath.Join(p.dir, "kafka.log"),
			args: append(jvmArgs(jars, p, "-Xms"+cfg.heap, "-Xmx"+cfg.heap, "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-Djava.awt.headless=true"), "kafka.Kafka", conf),
		},
		timeout: 90 * time.Second,
		stopSig: syscall.SIGTERM,
		probe:   func(ctx context.Context) error { return brokerAnswers(ctx, k.addr) },
	}
	if err := k.Restart(ctx); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, report(k.name)
}

func (c *kafkaConfig) pickPorts() error {
	ports := []*int{&c.port, &c.controllerPort}
	if c.users != nil {
		ports = append(ports, &c.saslPort)
	}
	if c.tls != nil {
		ports = append(ports, &c.tlsPort)
	}
	if c.users != nil && c.tls != nil {
		ports = append(ports, &c.saslTLSPort)
	}
	for _, p := range ports {
		if *p != 0 {
			continue
		}
		port, err := freePort()
		if err != nil {
			return err
		}
		*p = port
	}
	return nil
}

const log4j = `status=warn
appender.c.type=Console
appender.c.name=c
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=%d{HH:mm:ss.SSS} %p %c{1} %m%n
rootLogger.level=INFO
rootLogger.appenderRef.c.ref=c
`

func jvmArgs(jars string, p place, options ...string) []string {
	return append(options, "-Dlog4j2.configurationFile="+filepath.Join(p.dir, "log4j2.properties"), "-cp", filepath.Join(jars, "*"))
}

// format writes the configuration and prepares the log directory unless that was done before.
func (k *Kafka) format(ctx context.Context, java, jars string, p place) (conf string, err error) {
	props := k.cfg.properties(filepath.Join(p.dir, "data"))
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(props)) {
		fmt.Fprintf(&b, "%s=%s\n", name, strings.ReplaceAll(props[name], "\n", "\\\n"))
	}
	conf = filepath.Join(p.dir, "kafka.properties")
	if err := errors.Join(writeFile(conf, b.String()), writeFile(filepath.Join(p.dir, "log4j2.properties"), log4j)); err != nil {
		return "", err
	}
	if p.exists("data/meta.properties") {
		return conf, nil
	}
	id := uuid.New()
	args := append(jvmArgs(jars, p, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"), "kafka.tools.StorageTool", "format", "-t", base64UUID(id), "-c", conf)
	for _, user := range slices.Sorted(maps.Keys(k.cfg.users)) {
		for _, mech := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mech, user, k.cfg.users[user]))
		}
	}
	cmd := exec.CommandContext(ctx, java, args...)
	cmd.SysProcAttr = sysProcAttr(nil)
	cmd.Env = os.Environ()
	if out, err := runLocked(cmd); err != nil {
		return "", &fault.Fault{Class: fault.Environment, Where: "Apache Kafka", What: "formatting the log directory ended with:\n" + string(out), Err: err}
	}
	return conf, nil
}

// SASLAddr is host:port of the listener that KafkaUsers adds.
func (k *Kafka) SASLAddr() string { return hostPort(k.cfg.saslPort) }

// TLSAddr is host:port of the listener that KafkaWithTLS adds.
func (k *Kafka) TLSAddr() string { return hostPort(k.cfg.tlsPort) }

// SASLTLSAddr is host:port of the listener with SASL over TLS, which KafkaUsers and KafkaWithTLS add together.
func (k *Kafka) SASLTLSAddr() string { return hostPort(k.cfg.saslTLSPort) }

// Version is Kafka's version, "4.3.1".
func (k *Kafka) Version() string { return k.version }

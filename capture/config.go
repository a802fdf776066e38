package capture

import (
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/internal/retry"
	"shelfstream/schemas/registry"
	"shelfstream/status/exchange"
)

// RunnerConfig is what a Runner works with. Required: Pipeline, Source, Tables, Partitions, Client, Registry, NewSource.
type RunnerConfig struct {
	// Pipeline and Source are the names in the configuration; topics, group and transactional id are made of them.
	Pipeline, Source string
	// Tables are the captured tables by the name the pipeline gives them.
	Tables map[string]TableConfig
	// Partitions is the number of partitions of each raw topic; Replication 0 is the broker's default.
	Partitions, Replication int
	// TopicConfigs are settings of the raw topics on top of (and stronger than) those the design needs.
	TopicConfigs map[string]string

	Client   *kafka.Client
	Registry *registry.Client
	// NewSource makes the source; it is called again after each error, as a Source runs once.
	NewSource func() (Source, error)

	// Logger and Registerer may be nil.
	Logger     *slog.Logger
	Registerer prometheus.Registerer

	// CheckpointEvery is the least time between two checkpoints; 0 = the next one begins as soon as the one before is
	// acknowledged.
	CheckpointEvery time.Duration
	// HeartbeatEvery is the least time between two checkpoints while no row changes; 0 = one second.
	HeartbeatEvery time.Duration
	// CloseTimeout is how long the last checkpoint may take after ctx ended; 0 = 4 seconds.
	CloseTimeout time.Duration
	// ScratchDir holds temporary files while a table is compared with its topic; "" = the system's temporary directory. Nothing
	// in it outlives a run.
	ScratchDir string
	// ProducerBytes bounds the memory of records on their way to the brokers; 0 = 16 MB.
	ProducerBytes int
	// Retries spaces the tries to read a source that broke off.
	Retries retry.Policy
	// PreflightWait is between two looks at a source that has faults; the zero value is 2 s to 30 s.
	PreflightWait retry.Backoff
	// SessionTimeout is how long a worker may be silent before another takes the source over; 0 = the group's default.
	SessionTimeout time.Duration
	// Exchanges takes what was spoken with the source; nil = nobody wants to know.
	Exchanges exchange.Log
	// Compression of the raw topics' batches; the zero value is the producer's default.
	Compression kafka.Compression
	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

func (c *RunnerConfig) setDefaults() {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.HeartbeatEvery <= 0 {
		c.HeartbeatEvery = time.Second
	}
	if c.CloseTimeout <= 0 {
		c.CloseTimeout = 4 * time.Second
	}
	if c.ScratchDir == "" {
		c.ScratchDir = os.TempDir()
	}
	if c.ProducerBytes <= 0 {
		c.ProducerBytes = 16 << 20
	}
	c.Retries = c.Retries.WithDefaults()
	if c.PreflightWait.Base <= 0 {
		c.PreflightWait = retry.Backoff{Base: 2 * time.Second, Max: 30 * time.Second}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// validate finds what no start could work with; faults of users' files are found before by the configuration itself.
func (c *RunnerConfig) validate() error {
	var l fault.List
	where := "source " + c.Source
	bad := func(what, fix string) {
		l.Add(&fault.Fault{Class: fault.Config, Where: where, What: what, Fix: fix})
	}
	if c.Pipeline == "" || c.Source == "" {
		bad("the pipeline and the source need a name", "name both in the configuration")
	}
	if len(c.Tables) == 0 {
		bad("no tables are configured", "list the tables to capture under the source's tables")
	}
	if c.Partitions < 1 {
		bad("the number of partitions must be at least 1", "set log.partitions")
	}
	for _, name := range sortedTables(c.Tables) {
		if slices.Contains([]string{"checkpoints", "signals", "parked"}, name) {
			bad("a table cannot be called "+name+": that topic is the source's own", "give the table another name under tables")
		}
		if strings.TrimSpace(name) == "" {
			bad("a table has an empty name", "name it under tables")
		}
	}
	return l.Err()
}

func sortedTables(m map[string]TableConfig) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func (c *RunnerConfig) rawTopic(table string) string { return RawTopic(c.Pipeline, c.Source, table) }

func (c *RunnerConfig) checkpointTopic() string { return CheckpointTopic(c.Pipeline, c.Source) }
func (c *RunnerConfig) signalsTopic() string    { return SignalsTopic(c.Pipeline, c.Source) }
func (c *RunnerConfig) parkedTopic() string     { return ParkedTopic(c.Pipeline, c.Source) }

// name is "<pipeline>.<source>": the transactional id, and the prefix of everything that belongs to the source.
func (c *RunnerConfig) name() string { return c.Pipeline + "." + c.Source }

package config

import (
	"path/filepath"
	"time"
	_ "time/tzdata" // time zones are part of a configuration's meaning, also in a container without zoneinfo

	"go.yaml.in/yaml/v3"
)

// Pipeline is one configuration file.
type Pipeline struct {
	Name     string      `yaml:"pipeline" required:"true" doc:"Name of the pipeline; the first part of every topic's name."`
	Timezone string      `yaml:"timezone" doc:"IANA time zone in which today() and validity dates are meant, e.g. Europe/Oslo."`
	Log      Log         `yaml:"log" doc:"Kafka and the schema registry. Without brokers an embedded log runs inside 'shelfstream run'."`
	State    State       `yaml:"state" doc:"Where transform keeps its state. Losing it costs time only."`
	Sources  Map[Source] `yaml:"sources" required:"true" doc:"The systems that are captured, by name."`
	Views    Map[View]   `yaml:"views" doc:"The products, categories or orders made of captured rows, by name."`
	Sinks    Map[Sink]   `yaml:"sinks" doc:"The systems that are kept equal, by name."`
	Retries  Retries     `yaml:"retries" doc:"How often, and how long after one another, what failed is tried again."`
	Admin    Admin       `yaml:"admin" doc:"The status page, metrics, health and readiness."`
	Alerts   Alerts      `yaml:"alerts" doc:"What counts as an incident beyond faults, and who is told, when, and over which channels."`

	// Zone is Timezone, loaded.
	Zone *time.Location `yaml:"-"`
	// File is the path the configuration was read from; relative paths in it start from its folder.
	File string `yaml:"-"`

	root      *yaml.Node        // the expanded tree, for the places of faults
	originals map[string]string // YAML path -> text before secrets were put in
	secrets   []string          // values that must not be printed
}

// SetDefaults fills in what a file may leave out.
func (p *Pipeline) SetDefaults() {
	p.Timezone = "UTC"
	p.Log.SetDefaults()
	p.State.SetDefaults()
	p.Retries.SetDefaults()
	p.Admin.SetDefaults()
	p.Alerts.SetDefaults()
}

// Log says where the topics are.
type Log struct {
	Brokers     []string `yaml:"brokers" doc:"Kafka bootstrap servers, host:port. None: the embedded log."`
	ClientID    string   `yaml:"client_id" doc:"Name under which brokers see this program."`
	TLS         TLS      `yaml:"tls" doc:"true, or certificates; for the brokers."`
	SASL        *SASL    `yaml:"sasl" doc:"How to log in to the brokers."`
	Partitions  int      `yaml:"partitions" doc:"Partitions of every raw and cleaned topic: the largest number of workers that can share a view."`
	Replication int      `yaml:"replication" doc:"Replicas of every topic; 0 = the broker's default."`
	DataDir     string   `yaml:"data_dir" doc:"Folder of the embedded log."`
	Listen      string   `yaml:"listen" doc:"Address of the embedded log, for any Kafka client; port 0 = any free port."`
	Registry    Registry `yaml:"registry" doc:"The schema registry. Without a url an embedded one runs inside 'shelfstream run'."`
	Topics      Topics   `yaml:"topics" doc:"Settings of the topics that Shelfstream creates."`

	SessionTimeout time.Duration `yaml:"session_timeout" doc:"After so long without a sign of life from a worker others take over its work. The brokers' group.min.session.timeout.ms is the least."`
}

// SetDefaults gives the embedded log Kafka's usual port on loopback, where analysts' clients look first.
func (l *Log) SetDefaults() {
	l.ClientID = "shelfstream"
	l.Partitions = 4
	l.Listen = "127.0.0.1:9092"
	l.Registry.Listen = "127.0.0.1:8081"
	l.SessionTimeout = 10 * time.Second
	l.Topics.SetDefaults()
}

// Embedded says whether no brokers are named.
func (l *Log) Embedded() bool { return len(l.Brokers) == 0 }

// SASL is a login to the brokers.
type SASL struct {
	Mechanism string `yaml:"mechanism" required:"true" enum:"PLAIN,SCRAM-SHA-256,SCRAM-SHA-512" doc:"How the password is proven."`
	User      string `yaml:"user" required:"true" doc:"User name."`
	Password  string `yaml:"password" required:"true" secret:"true" doc:"Password; best as ${NAME} or file:/path."`
}

// Registry is a Confluent-compatible schema registry.
type Registry struct {
	URL      string `yaml:"url" doc:"Address, e.g. http://registry:8081. None: the embedded registry."`
	Listen   string `yaml:"listen" doc:"Address of the embedded registry; port 0 = any free port."`
	User     string `yaml:"user" doc:"User name for HTTP basic authentication."`
	Password string `yaml:"password" secret:"true" doc:"Password; best as ${NAME} or file:/path."`
}

// Topics are the settings of created topics.
type Topics struct {
	MinCompactionLag time.Duration     `yaml:"min_compaction_lag" doc:"min.compaction.lag.ms: a row's older states stay for at least so long. Must be longer than a checkpoint can be late."`
	DeleteRetention  time.Duration     `yaml:"delete_retention" doc:"delete.retention.ms: deletes stay for so long. Whoever was away for longer starts over."`
	Configs          map[string]string `yaml:"configs" doc:"Further topic settings by their Kafka names, e.g. segment.bytes."`
}

// SetDefaults leaves an hour for a late checkpoint and a week for a worker that is away.
func (t *Topics) SetDefaults() {
	t.MinCompactionLag = time.Hour
	t.DeleteRetention = 7 * 24 * time.Hour
}

// State is where transform keeps what it can rebuild.
type State struct {
	Dir     string `yaml:"dir" doc:"Folder of the state."`
	CacheMB int    `yaml:"cache_mb" doc:"Memory for cached state, in MB, for all views of the process together."`
}

// SetDefaults keeps the whole process below 300 MB with a million products.
func (s *State) SetDefaults() { s.CacheMB = 96 }

// Source is one captured system: its connector's section, and its tables.
type Source struct {
	Section Section
	Tables  Map[Table]
}

// Table is one captured table, by the name its topic gets.
type Table struct {
	Name        string   `yaml:"table" doc:"The table in the source, \"schema.table\"; the same name if left out."`
	PartitionBy []string `yaml:"partition_by" doc:"Columns whose values choose the partition; the primary key if left out. Children of a view need the columns of their 'on'."`
	Broadcast   bool     `yaml:"broadcast" doc:"Every task reads the whole table: needed for lookups, meant for small tables."`
	Columns     []string `yaml:"columns" doc:"The only columns captured; the key's are always added. All if left out."`
}

// View is one product-like thing put together from captured rows, or from another view's products.
type View struct {
	From     string      `yaml:"from" required:"true" doc:"The root, source.table or the name of another view: one of its rows is one product, or with group_by a member of one."`
	GroupBy  []string    `yaml:"group_by" doc:"Columns of 'from': each distinct value of them is one product, whose rows are the child 'members'."`
	OrderBy  OrderBy     `yaml:"order_by" doc:"Columns that order the members of a group; \"column desc\" for falling. Their key decides between equals."`
	Key      []string    `yaml:"key" doc:"Columns of the root that name a product; the root's primary key if left out."`
	Children Map[Child]  `yaml:"children" doc:"Tables or views with several rows for one root row."`
	Lookups  Map[Lookup] `yaml:"lookups" doc:"Broadcast tables, or views, that a root row points at."`
	Rules    []string    `yaml:"rules" doc:"Rule files in layers: a later one may override a rule of an earlier one by its name. standard:<name> is one that is shipped with the product."`
	Guards   []Guard     `yaml:"guards" doc:"Hold back changes that are more than usual, until they are put right in the source or applied with the command 'held apply'."`
}

// Child is a 1:n part of a view.
type Child struct {
	From      string  `yaml:"from" required:"true" doc:"The table, source.table, or another view."`
	On        On      `yaml:"on" required:"true" doc:"The column that both tables share, a list of them, or {child_column: root_column}."`
	OrderBy   OrderBy `yaml:"order_by" doc:"Columns that order the rows; \"column desc\" for falling. The primary key decides between equals."`
	Scattered bool    `yaml:"scattered" doc:"The rows do not lie where their products lie: each task reads the whole topic and keeps what belongs to its products."`
}

// Lookup is an n:1 part of a view.
type Lookup struct {
	From  string `yaml:"from" required:"true" doc:"The table, source.table, which must be broadcast; or another view."`
	On    On     `yaml:"on" doc:"The column that both tables share, a list of them, or {lookup_column: root_column}; instead of a root column also lookup.column of another lookup, child.column (the rows that fit any of the child's), or {value: constant}; {column: email, fold: true} or {from: lines.sku, fold: true} makes no difference of case and white space."`
	Every bool   `yaml:"every" doc:"Instead of 'on': every product sees every row."`
}

// Sink is one system kept equal.
type Sink struct {
	Section Section

	views []string // all of the pipeline
}

// Views lists the views a sink's tables are made of, from the 'from' of each entry in the section's
// tables ("product", "product.images"), in the order of the file, each once. The answers of a sink ("api.answers"; see AnswersOf) count as a view of that name.
func (s *Sink) Views() []string {
	var views []string
	seen := map[string]bool{}
	for _, from := range s.froms() {
		if v := s.view(from.node.Value); v != "" && !seen[v] {
			seen[v] = true
			views = append(views, v)
		}
	}
	return views
}

// ViewOf is the view that one of the section's tables is made of, or "".
func (s *Sink) ViewOf(table string) string {
	for _, from := range s.froms() {
		if from.table == table {
			return s.view(from.node.Value)
		}
	}
	return ""
}

// Path makes a path of the configuration absolute: relative ones start from the configuration's folder.
func (p *Pipeline) Path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(p.File), name)
}

// StateDir is the folder of transform's state: state.dir, or "shelfstream-data/<pipeline>/state" beside the file.
func (p *Pipeline) StateDir() string {
	if p.State.Dir != "" {
		return p.Path(p.State.Dir)
	}
	return p.Path(filepath.Join("shelfstream-data", p.Name, "state"))
}

// LogDir is the folder of the embedded log: log.data_dir, or "shelfstream-data/<pipeline>/log" beside the file.
func (p *Pipeline) LogDir() string {
	if p.Log.DataDir != "" {
		return p.Path(p.Log.DataDir)
	}
	return p.Path(filepath.Join("shelfstream-data", p.Name, "log"))
}

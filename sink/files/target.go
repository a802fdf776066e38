package files

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/ledger"
	"shelfstream/status/exchange"
)

// Options are what a target is given beside its section. Pipeline and Sink are required; without a Client no partition can be opened.
type Options struct {
	Pipeline, Sink string
	Client         *kafka.Client
	// Replication and Topics are for the ledger's topic.
	Replication int
	Topics      map[string]string
	// Zone is where timestamps are shown in; nil: UTC.
	Zone *time.Location
	// Path makes a path of the configuration absolute; nil: as it is.
	Path func(string) string
	// Exchanges takes what was written and acknowledged; nil = nobody wants to know.
	Exchanges exchange.Log
	Logger    *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Target writes instruction files.
type Target struct {
	cfg  Config
	opts Options

	// step is told of each step before it is done; tests end the process there.
	step func(name string)

	mu sync.Mutex
	// notices are what is wrong with acknowledgements, by partition.
	notices map[string]notice
}

var (
	_ sink.Target     = (*Target)(nil)
	_ sink.DryChecker = (*Target)(nil)
	_ sink.Rewinder   = (*Target)(nil)
	_ sink.Noticer    = (*Target)(nil)
	_ sink.Looker     = (*Target)(nil)
	_ sink.Session    = (*session)(nil)
	_ sink.Retrier    = (*session)(nil)
)

// New makes a target of a section without faults.
func New(cfg Config, opts Options) (*Target, error) {
	if opts.Path == nil {
		opts.Path = func(p string) string { return p }
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	t := &Target{cfg: Config{Tables: map[string]TableConfig{}}, opts: opts, step: func(string) {}, notices: map[string]notice{}}
	for name, table := range cfg.Tables {
		t.cfg.Tables[name] = table.withDefaults()
	}
	return t, nil
}

func (t *Target) path(p string) string { return t.opts.Path(p) }

// where is a table's place for people.
func (t *Target) where(table string) string { return "sink " + t.opts.Sink + ": table " + table }

// table finds what is made of a view.
func (t *Target) table(view string) (string, TableConfig, bool) {
	for name, c := range t.cfg.Tables {
		if c.From == view {
			return name, c, true
		}
	}
	return "", TableConfig{}, false
}

// Check implements sink.Target: templates against the views' shapes, and the folders. It makes nothing.
func (t *Target) Check(_ context.Context, views []sink.View) (fault.List, error) {
	var l fault.List
	for _, v := range views {
		name, cfg, ok := t.table(v.Name)
		if !ok {
			continue
		}
		d, err := newDocument(name, cfg, v.Table, t.opts.Zone, t.path)
		if err != nil {
			l = append(l, fault.All(err)...)
			d = &document{table: name, cfg: cfg}
		}
		l = append(l, t.checkFolders(d)...)
	}
	return l, nil
}

// DryCheck implements sink.DryChecker.
func (t *Target) DryCheck(ctx context.Context, views []sink.View) (fault.List, error) {
	return t.Check(ctx, views)
}

// Ping looks at the folders alone.
func (t *Target) Ping(context.Context) error {
	var l fault.List
	for _, name := range slices.Sorted(maps.Keys(t.cfg.Tables)) {
		l = append(l, t.checkFolders(&document{table: name, cfg: t.cfg.Tables[name]})...)
	}
	return l.Err()
}

func (t *Target) checkFolders(d *document) fault.List {
	var l fault.List
	add := func(err error) {
		for _, f := range fault.All(t.folderFault(d, err)) {
			l.Add(f)
		}
	}
	dir := t.path(d.cfg.Dir)
	err := hasDir(dir)
	if err == nil {
		err = mayWrite(dir)
	}
	add(err)
	for _, other := range []string{d.cfg.Acknowledge.Dir, d.cfg.Acknowledge.FailedDir} {
		if other != "" {
			add(hasDir(t.path(other)))
		}
	}
	return l
}

func (t *Target) ledger(awaits bool) ledger.Config {
	return ledger.Config{
		Client: t.opts.Client, Sink: t.opts.Sink, Topic: ledger.Topic(t.opts.Pipeline, t.opts.Sink), Replication: t.opts.Replication, TopicConfigs: t.opts.Topics, Awaits: awaits, Now: t.opts.Now,
	}
}

// Open implements sink.Target.
func (t *Target) Open(ctx context.Context, p sink.Partition) (_ sink.Session, err error) {
	name, cfg, ok := t.table(p.View.Name)
	if !ok {
		return nil, fmt.Errorf("sink %s makes nothing of the view %s", t.opts.Sink, p.View.Name)
	}
	d, err := newDocument(name, cfg, p.View.Table, t.opts.Zone, t.path)
	if err != nil {
		return nil, err
	}
	l, err := ledger.Open(ctx, t.ledger(cfg.Acknowledge.By != byNone), p)
	if err != nil {
		return nil, err
	}
	s := &session{t: t, p: p, doc: d, l: l, dir: t.path(cfg.Dir), tail: fmt.Sprintf(".%s.%s.%d.", t.opts.Sink, p.View.Name, p.ID), token: newToken()}
	if err := s.recover(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.watch(ctx)
	return s, nil
}

// recover finishes what a crash left, and removes what nobody intends.
func (s *session) recover(ctx context.Context) error {
	if err := s.finish(ctx); err != nil {
		return err
	}
	// Nothing is intended now: every temporary file of the partition is rubbish.
	return s.t.folderFault(s.doc, removeRubbish(s.dir, s.tail, nil))
}

// Rewind implements sink.Rewinder. What was delivered is known, and not delivered again.
func (t *Target) Rewind(ctx context.Context, p sink.Partition, to int64, prune bool) (sink.Place, error) {
	if prune {
		return sink.Place{}, &fault.Fault{
			Class: fault.Config, Where: "sink " + t.opts.Sink, What: "files that were handed over cannot be compared with the topic", Fix: "leave -prune out",
		}
	}
	_, cfg, _ := t.table(p.View.Name)
	return ledger.Rewind(ctx, t.ledger(cfg.Acknowledge.By != byNone && cfg.Acknowledge.By != ""), p, to)
}

// ListParked lists what this sink holds back, of all partitions and whoever writes them now, at most limit records.
func (t *Target) ListParked(ctx context.Context, limit int) ([]sink.Parked, error) {
	return ledger.ListParked(ctx, t.ledger(false), func(view string) string { return sink.Topic(t.opts.Pipeline, view) }, limit)
}

// Lookup implements sink.Looker with the file that was made of a record, and what became of it.
func (t *Target) Lookup(ctx context.Context, v sink.View, key []schemas.Value) ([]sink.Found, error) {
	name, cfg, ok := t.table(v.Name)
	if !ok {
		return nil, nil
	}
	id, err := v.KeyBytes(key)
	if err != nil {
		return nil, err
	}
	found, err := ledger.Lookup(ctx, t.ledger(cfg.Acknowledge.By != byNone), v, id, name, "file")
	return []sink.Found{found}, err
}

// marks are the paths whose being there says that the reader is done with a file, for good or ill.
type marks struct{ taken, refused []string }

func (s *session) marks(name string) marks {
	a := &s.doc.cfg.Acknowledge
	var m marks
	bare := strings.TrimSuffix(name, filepath.Ext(name))
	beside := func(suffix string) []string {
		return slices.Compact([]string{filepath.Join(s.dir, name+suffix), filepath.Join(s.dir, bare+suffix)})
	}
	switch a.By {
	case byRenamed, byStatus:
		m.taken = beside(a.Suffix)
	case byMoved:
		m.taken = []string{filepath.Join(s.t.path(a.Dir), name)}
	}
	if a.FailedSuffix != "" {
		m.refused = beside(a.FailedSuffix)
	}
	if a.FailedDir != "" {
		m.refused = append(m.refused, filepath.Join(s.t.path(a.FailedDir), name))
	}
	return m
}

// firstThere is the first of some paths that there is, "" if there is none.
func firstThere(paths []string) (string, error) {
	for _, p := range paths {
		if ok, err := exists(p); err != nil || ok {
			return p, err
		}
	}
	return "", nil
}

// mostAnswer is how much of a status file is kept.
const mostAnswer = 500

// textOf is what a status file says, cut to what a person reads.
func textOf(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	b = b[:min(len(b), mostAnswer)]
	return strings.Join(strings.Fields(strings.ToValidUTF8(string(b), "?")), " ")
}

package capture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/status"
)

// Parked is a row that cannot be written to its topic, with the reason: the value of a record of the parked topic. The topic keeps the row's
// last good version, if there was one under the same key and in the same partition.
type Parked struct {
	Table string      `json:"table"`
	Key   string      `json:"key"` // table and key columns, for people
	Cause fault.Cause `json:"cause,omitempty"`
	Where string      `json:"where"`
	What  string      `json:"what"`
	Fix   string      `json:"fix"`
	Since time.Time   `json:"since"`
	// Position and Transaction are the newest change's that could not be written.
	Position    Position `json:"position,omitempty"`
	Transaction string   `json:"transaction,omitempty"`
	// Bytes is what the row takes where it is only too large: it is tried again by itself at a start at which the topic accepts so many.
	Bytes int `json:"bytes,omitempty"`
}

func (p *Parked) fault() *fault.Fault {
	return &fault.Fault{Class: fault.Runtime, Cause: p.Cause, Where: p.Where, What: p.What, Fix: p.Fix}
}

// trouble is what the row counts under.
func (p *Parked) trouble() *status.Held {
	return &status.Held{Key: p.Key, Fault: status.FaultJSONOf(p.fault()), Since: p.Since}
}

const (
	// mostParked bounds the rows that are parked at once: beyond it not single rows are bad, but a table or its settings, and going on would
	// only hide that.
	mostParked = 10_000
)

// parking is what a session knows of parked rows. Records of its topic are written by the producer of the rows, before the checkpoint that covers
// the row's change: so a crash between the two has the source send the change again, which parks the row again, or clears it.
type parking struct {
	cfg      *RunnerConfig
	producer *kafka.Producer
	limits   map[string]int // bytes of a batch, by raw topic

	mu   sync.Mutex // the lanes of a snapshot park as well
	rows map[string]*parkedRow
	of   map[string]int // rows by table
	why  status.Tally
}

type parkedRow struct {
	Parked
	seen *snapshot // that met it
}

// loadParking reads what earlier workers have parked. After the fence.
func loadParking(ctx context.Context, cfg *RunnerConfig, p *kafka.Producer) (*parking, error) {
	k := &parking{cfg: cfg, producer: p, rows: map[string]*parkedRow{}, of: map[string]int{}}
	topic := cfg.parkedTopic()
	err := cfg.Client.Scan(ctx, topic, 0, 0, -1, func(r *kafka.Record) error {
		if r.Value == nil {
			k.drop(string(r.Key))
			return nil
		}
		row := &parkedRow{}
		if err := json.Unmarshal(r.Value, &row.Parked); err != nil {
			return &fault.Fault{
				Class: fault.Runtime, Cause: fault.TopicForeign, Where: fmt.Sprintf("%s/0@%d", topic, r.Offset), What: "this record is no parked row",
				Fix: "see who else writes to this topic; only the capture worker of the source may", Err: err,
			}
		}
		k.put(string(r.Key), row)
		return nil
	})
	if err == nil {
		k.limits, err = k.readLimits(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("read the parked rows: %w", err)
	}
	// A table that is not configured any more is not written either.
	return k, k.clear(ctx, func(_ string, row *parkedRow) bool {
		_, configured := cfg.Tables[row.Table]
		return !configured
	})
}

// smaller lists the tables with rows that were too large when they were parked, and are not any more.
func (k *parking) smaller() []string {
	tables := map[string]bool{}
	for _, row := range k.rows {
		if row.Bytes > 0 && row.Bytes <= k.limits[k.cfg.rawTopic(row.Table)] {
			tables[row.Table] = true
		}
	}
	return slices.Sorted(maps.Keys(tables))
}

// any says whether rows of a table are parked: hardly ever.
func (k *parking) any(table string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.of[table] > 0
}

// park holds a row back. by is the snapshot that read it, nil for a change.
func (k *parking) park(ctx context.Context, t *tableShape, row []schemas.Value, why *refusal, at Meta, by *snapshot) error {
	key, shown := t.rowName(row)
	if why.fix == "" {
		why.fix = fmt.Sprintf("correct the value in the source, and the row is written by itself; or leave the column out under columns, and then shelfstream capture resnapshot -source %s -table %s", k.cfg.Source, t.state.table)
	}
	p := &parkedRow{seen: by, Parked: Parked{
		Table: t.state.table, Key: shown, Cause: why.cause(), Where: t.state.topic + ": row " + shown, What: "the row is parked: " + why.Error(), Fix: why.fix,
		Since: k.cfg.Now().UTC(), Position: at.Position, Transaction: at.Transaction, Bytes: why.bytes,
	}}
	k.mu.Lock()
	if old := k.rows[key]; old != nil {
		p.Since = old.Since
	} else if len(k.rows) >= mostParked {
		k.mu.Unlock()
		return &fault.Fault{
			Class: fault.Runtime, Cause: fault.RowsTooMany, Where: p.Where, What: fmt.Sprintf("%d rows are parked already, so it is not single rows that are bad", mostParked),
			Fix: "look at " + k.cfg.parkedTopic() + " for the reasons; " + why.fix, Err: why,
		}
	}
	k.put(key, p)
	k.mu.Unlock()
	value, err := json.Marshal(&p.Parked)
	if err != nil {
		return fmt.Errorf("describe a parked row: %w", err)
	}
	if err := k.producer.Produce(ctx, k.cfg.parkedTopic(), 0, kafka.Record{Key: []byte(key), Value: value}); err != nil {
		return fmt.Errorf("park a row of %s: %w", t.state.table, err)
	}
	k.cfg.Logger.Error("row parked", "table", p.Table, "row", p.Key, "reason", why, "fix", p.Fix)
	return nil
}

// good notes that a row of a table could be written, or is gone.
func (k *parking) good(ctx context.Context, t *tableShape, row []schemas.Value) error {
	if !k.any(t.state.table) {
		return nil
	}
	name, _ := t.rowName(row)
	return k.clear(ctx, func(key string, _ *parkedRow) bool { return key == name })
}

// only notes that of the tables nothing is bad but what the snapshot met; nil: nothing at all.
func (k *parking) only(ctx context.Context, by *snapshot, tables ...string) error {
	return k.clear(ctx, func(_ string, row *parkedRow) bool {
		return slices.Contains(tables, row.Table) && (by == nil || row.seen != by)
	})
}

// clear takes out the rows that gone names.
func (k *parking) clear(ctx context.Context, gone func(key string, row *parkedRow) bool) error {
	out := map[string]*parkedRow{}
	k.mu.Lock()
	for key, row := range k.rows {
		if gone(key, row) {
			out[key] = row
			k.drop(key)
		}
	}
	k.mu.Unlock()
	for key, row := range out {
		if err := k.producer.Produce(ctx, k.cfg.parkedTopic(), 0, kafka.Record{Key: []byte(key)}); err != nil {
			return fmt.Errorf("clear a parked row of %s: %w", row.Table, err)
		}
		k.cfg.Logger.Info("row not parked any more", "table", row.Table, "row", row.Key)
	}
	return nil
}

// put and drop hold k.mu, or are alone.
func (k *parking) put(key string, row *parkedRow) {
	k.drop(key)
	k.rows[key] = row
	k.of[row.Table]++
	k.why.Add(row.trouble())
}

func (k *parking) drop(key string) {
	if row := k.rows[key]; row != nil {
		k.of[row.Table]--
		k.why.Drop(row.trouble())
		delete(k.rows, key)
	}
}

// show tells how many rows are parked, and why.
func (k *parking) show() (int, []status.Trouble) {
	k.mu.Lock()
	n := len(k.rows)
	k.mu.Unlock()
	return n, status.Troubles(&k.why)
}

// refusal is why a row has no record.
type refusal struct {
	what  string
	fix   string // "": the value is to be corrected
	bytes int    // if it is only too large
	err   error
}

// Error says what is wrong with the row.
func (r *refusal) Error() string {
	if r.err != nil {
		return r.what + ": " + r.err.Error()
	}
	return r.what
}

// Unwrap gives the cause.
func (r *refusal) Unwrap() error { return r.err }

// cause names it in the catalogue.
func (r *refusal) cause() fault.Cause {
	if r.bytes > 0 {
		return fault.KafkaTooLarge
	}
	return fault.RowUnwritable
}

// refused finds the refusal in an error of a record; other errors come back.
func refused(err error) (*refusal, error) {
	var r *refusal
	if err == nil || errors.As(err, &r) {
		return r, nil
	}
	return nil, err
}

package rest

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/sink"
)

// answers writes what the other side calls its records to a topic of its own, keyed as the records are and in as many partitions, so that whoever reads the
// view can read it beside it. A record that is gone there is a tombstone.
type answers struct {
	cfg *Options

	mu       sync.Mutex
	producer *kafka.Producer
	shapes   map[string]*answerShape // by view
}

// answerShape is how the answers of one view are written.
type answerShape struct {
	table          *schemas.Table // of the view, that it was made for
	codec          *schemas.Codec
	keyID, valueID int32
}

// AnswerTable is the shape of the answers on a topic, made of the view's: its key, what the other side calls the record, under which idempotency key it was delivered, and when.
func AnswerTable(topic string, view *schemas.Table) *schemas.Table {
	t := &schemas.Table{Name: topic}
	for i, k := range view.Key {
		c := view.Columns[k]
		c.Nullable = false
		t.Columns = append(t.Columns, c)
		t.Key = append(t.Key, i)
	}
	taken := func(name string) string {
		for t.Column(name) >= 0 {
			name += "_"
		}
		return name
	}
	return &schemas.Table{Name: topic, Key: t.Key, Columns: append(
		t.Columns,
		schemas.Column{Name: taken("answer"), Type: schemas.Type{Kind: schemas.KindText}},
		schemas.Column{Name: taken("delivery"), Type: schemas.Type{Kind: schemas.KindText}},
		schemas.Column{Name: taken("delivered_at"), Type: schemas.Type{Kind: schemas.KindTimestampTZ}},
	)}
}

// Answers gives, by view, what stands behind the sink's name in the name of its answers: "answers", or "answers.order" where several views are delivered. Views of which no call names
// an answer are not there.
func (c *Config) Answers() map[string]string {
	out := map[string]string{}
	for _, t := range c.Tables {
		if !t.answered() {
			continue
		}
		out[t.From] = c.answersName(t.From)
	}
	return out
}

func (c *Config) answersName(view string) string {
	if len(c.Tables) > 1 {
		return "answers." + view
	}
	return "answers"
}

func (t *TableConfig) answered() bool {
	return t.Call.Answer != "" || t.Update != nil && t.Update.Answer != ""
}

// makeReady makes the topics of answers before there is one, so that who reads them can begin, and need not wait for the first.
func (t *Target) makeReady(ctx context.Context, views []sink.View) error {
	if t.answers == nil {
		return nil
	}
	t.answers.mu.Lock()
	defer t.answers.mu.Unlock()
	named := t.cfg.Answers()
	for _, v := range views {
		if named[v.Name] == "" {
			continue
		}
		if _, err := t.answers.shape(ctx, v, 0, t.answerTopic(v.Name)); err != nil {
			return fmt.Errorf("make the topic of the answers of %s: %w", v.Name, t.answers.ended(err))
		}
	}
	return nil
}

// tell writes the answers of records, and returns when the log has them. Records without one are left out.
func (t *Target) tell(ctx context.Context, p sink.Partition, items []*item) error {
	var some []*item
	for _, it := range items {
		if it.answer != "" {
			some = append(some, it)
		}
	}
	if len(some) == 0 || t.answers == nil {
		return nil
	}
	if err := t.answers.write(ctx, p, t.answerTopic(p.View.Name), some); err != nil {
		return fmt.Errorf("write the answers of %s: %w", p, err)
	}
	return nil
}

func (t *Target) answerTopic(view string) string {
	return sink.Topic(t.opts.Pipeline, t.name+"."+t.cfg.answersName(view))
}

func (a *answers) write(ctx context.Context, p sink.Partition, topic string, items []*item) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	shape, err := a.shape(ctx, p.View, int(p.ID)+1, topic)
	if err != nil {
		return err
	}
	for _, it := range items {
		row := make([]schemas.Value, 0, len(it.rec.KeyValues)+3)
		row = append(row, it.rec.KeyValues...)
		row = append(row, schemas.Text(it.answer), schemas.Text(it.entry.Name), schemas.TimestampTZ(it.entry.At.UnixMicro()))
		r := kafka.Record{Headers: []kafka.Header{
			{Key: "__source_ts_ms", Value: fmt.Append(nil, it.rec.SourceTSMS)}, {Key: "__pos", Value: []byte(it.rec.Position)},
		}}
		if r.Key, err = shape.codec.AppendKey(schemas.AppendFrame(nil, shape.keyID), row); err != nil {
			return err
		}
		if it.hash != 0 {
			if r.Value, err = shape.codec.AppendValue(schemas.AppendFrame(nil, shape.valueID), row); err != nil {
				return err
			}
		}
		if err := a.producer.Produce(ctx, topic, p.ID, r); err != nil {
			return a.ended(err)
		}
	}
	return a.ended(a.producer.Flush(ctx))
}

// ended drops a producer that cannot go on; the next try makes another.
func (a *answers) ended(err error) error {
	if err != nil && a.producer.Err() != nil {
		a.producer = nil
	}
	return err
}

// shape makes the topic, with the view's partitions and at least as many as given, and registers its schemas, once. a.mu is held.
func (a *answers) shape(ctx context.Context, v sink.View, partitions int, topic string) (*answerShape, error) {
	if a.producer == nil {
		producer, err := a.cfg.Client.NewProducer(ctx, kafka.ProducerConfig{MaxBytes: 4 << 20})
		if err != nil {
			return nil, err
		}
		a.producer = producer
	}
	if s := a.shapes[v.Name]; s != nil && s.table == v.Table {
		return s, nil
	}
	n, err := a.cfg.Client.Partitions(ctx, v.Topic)
	if err != nil {
		return nil, err
	}
	configs := map[string]string{}
	maps.Copy(configs, a.cfg.TopicConfigs)
	configs["cleanup.policy"] = "compact"
	if err := a.cfg.Client.EnsureTopics(ctx, kafka.TopicSpec{Name: topic, Partitions: max(n, partitions), Replication: a.cfg.Replication, Configs: configs}); err != nil {
		return nil, err
	}
	s := &answerShape{table: v.Table}
	if s.codec, err = schemas.Compile(AnswerTable(topic, v.Table)); err != nil {
		return nil, err
	}
	if s.keyID, err = a.cfg.Registry.Register(ctx, topic+"-key", s.codec.KeySchema()); err != nil {
		return nil, err
	}
	if s.valueID, err = a.cfg.Registry.Register(ctx, topic+"-value", s.codec.ValueSchema()); err != nil {
		return nil, err
	}
	a.shapes[v.Name] = s
	return s, nil
}

func (a *answers) close(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.producer == nil {
		return nil
	}
	return a.producer.Close(ctx)
}

// answersOff says why answers cannot be written, at a configuration whose name makes a topic that is another's.
func answersOff(topic string) *fault.Fault {
	return &fault.Fault{Class: fault.Config, Where: "rest", What: "the topic " + topic + " of its answers is a view's", Fix: "give the view or the sink another name"}
}

// clashes says whether the topic of answers would be that of a view: pipeline names may have points in them.
func clashes(topic string, views []sink.View) bool {
	for _, v := range views {
		if strings.EqualFold(v.Topic, topic) {
			return true
		}
	}
	return false
}

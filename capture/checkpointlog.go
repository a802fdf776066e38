package capture

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// append writes a checkpoint and waits until all in-sync replicas have it. The producer is the one of the rows, so that
// one fence shuts an older owner out of both.
func (c *commits) append(ctx context.Context, cp *schemas.Checkpoint) error {
	topic := c.cfg.checkpointTopic()
	value := cp.Append(schemas.AppendFrame(make([]byte, 0, 512), c.schemaID))
	r := kafka.Record{
		Key: []byte(c.cfg.Source), Value: value,
		Headers: []kafka.Header{
			{Key: HeaderSourceTime, Value: strconv.AppendInt(nil, cp.CommitTimeUS/1000, 10)},
			{Key: headerNote, Value: c.note.text},
		},
	}
	if err := c.producer.Produce(ctx, topic, 0, r); err != nil {
		return fmt.Errorf("append a checkpoint: %w", err)
	}
	if err := c.producer.Flush(ctx); err != nil {
		return fmt.Errorf("append a checkpoint: %w", err)
	}
	return nil
}

// note is what a checkpoint's record carries in a header for the next capture worker alone.
type note struct {
	// Signals is the offset of the first signal that is not done.
	Signals int64 `json:"signals"`
	// Tables says how the rows of each complete table are laid out in its topic.
	Tables map[string]tableLayout `json:"tables"`

	text []byte
}

// tableLayout is what may not change without a resnapshot, as the rows already written would stay under other keys or in other partitions.
type tableLayout struct {
	// Key is the schema id of the record keys.
	Key int32 `json:"key"`
	// By is partition_by; empty = the key.
	By []string `json:"by,omitempty"`
}

func (n *note) encode() error {
	text, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode the checkpoint's note: %w", err)
	}
	n.text = text
	return nil
}

// lastCheckpoint reads the newest checkpoint with its note; nil if there is none.
func lastCheckpoint(ctx context.Context, client *kafka.Client, topic string) (*schemas.Checkpoint, note, error) {
	var n note
	r, err := client.Last(ctx, topic, 0)
	if err != nil {
		return nil, n, fmt.Errorf("read the last checkpoint: %w", err)
	}
	if r == nil {
		return nil, n, nil
	}
	_, body, err := schemas.ParseFrame(r.Value)
	var cp *schemas.Checkpoint
	if err == nil {
		cp, err = schemas.DecodeCheckpoint(body)
	}
	for _, h := range r.Headers {
		if h.Key == headerNote && err == nil {
			err = json.Unmarshal(h.Value, &n)
		}
	}
	if err != nil {
		return nil, n, &fault.Fault{
			Class: fault.Runtime, Cause: fault.TopicForeign, Where: fmt.Sprintf("%s/0@%d", topic, r.Offset), What: "this record is not a checkpoint",
			Fix: "see who else writes to this topic; only the capture worker of the source may", Err: err,
		}
	}
	return cp, n, nil
}

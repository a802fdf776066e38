package sink

import (
	"context"
	"fmt"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
)

// RewindConfig asks for a replay of one sink.
type RewindConfig struct {
	Pipeline, Sink string
	Views          []string
	Client         *kafka.Client
	Target         Target

	// From the beginning of the topics, unless one of these is set: from the first record written at At or later, or from the offset Offset
	// (then only Partition).
	At        time.Time
	Offset    *int64
	Partition int32
	// OnePartition rewinds only Partition, wherever it is rewound to.
	OnePartition bool
	// By is who asks; the target keeps it with the place.
	By string
	// Prune has all keys compared as well, and those removed from the target that the topic does not have.
	Prune bool
}

// Rewound is what a replay was asked for of one partition.
type Rewound struct {
	Topic     string
	Partition int32
	// From and To are the places before and now; equal where there is nothing to replay.
	From, To int64
}

// Rewind sets a sink's places back, whether its workers run or not. Workers that run notice with their next transaction, and replay; others when
// they start. The target never shows an older state on the way (see replay.go).
func Rewind(ctx context.Context, cfg RewindConfig) ([]Rewound, error) {
	t, ok := cfg.Target.(Rewinder)
	if !ok {
		return nil, &fault.Fault{Class: fault.Config, Where: "sinks." + cfg.Sink, What: "this kind of target cannot be replayed", Fix: "replay the view instead"}
	}
	var out []Rewound
	for _, name := range cfg.Views {
		v := View{Name: name, Topic: Topic(cfg.Pipeline, name)}
		starts, err := cfg.Client.StartOffsets(ctx, v.Topic)
		if err != nil {
			return out, err
		}
		if len(starts) == 0 {
			return out, &fault.Fault{Class: fault.Config, Where: "topic " + v.Topic, What: "it does not exist: nothing was ever published", Fix: "run the pipeline first"}
		}
		one := cfg.OnePartition || cfg.Offset != nil
		if one && int(cfg.Partition) >= len(starts) {
			return out, &fault.Fault{
				Class: fault.Config, Where: v.Topic, What: fmt.Sprintf("has %d partitions and no partition %d", len(starts), cfg.Partition),
				Fix: fmt.Sprintf("write a number from 0 to %d", len(starts)-1),
			}
		}
		for id := range starts {
			p := Partition{View: v, ID: int32(id), Owner: cfg.By}
			to := starts[id]
			switch {
			case one && p.ID != cfg.Partition:
				continue
			case cfg.Offset != nil:
				to = max(*cfg.Offset, to)
			case !cfg.At.IsZero():
				if to, err = cfg.Client.OffsetAt(ctx, v.Topic, p.ID, cfg.At); err != nil {
					return out, err
				}
			}
			before, err := t.Rewind(ctx, p, to, cfg.Prune)
			if err != nil {
				return out, fmt.Errorf("rewind %s: %w", p, err)
			}
			out = append(out, Rewound{Topic: v.Topic, Partition: p.ID, From: before.Next, To: min(to, before.Next)})
		}
	}
	return out, nil
}

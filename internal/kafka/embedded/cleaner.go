package embedded

import (
	"context"
	"strconv"
	"strings"
	"time"

	kgo "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
)

// cleaner compacts, in the place of kfake's own ticker, which takes a record as soon as a newer one has its key, whatever min.compaction.lag.ms says. A
// reader that stops at an offset, as a transform does at a checkpoint, would then miss the row's state below it and show half a transaction.
//
// kfake compacts all topics or none, and whole partitions. So it is let compact only while every compacted topic with a lag has rested for that long:
// then no record is younger than the lag, and nothing is taken that Kafka would keep. A log on which something changes all the time grows until it
// rests.
//
// A record that comes in between the look and the compaction may take an older version of its key with it that is not old enough. Only a task that rebuilds
// its state at that very moment could notice, until its next checkpoint. On Apache Kafka there is no such moment.
type cleaner struct {
	cluster *kfake.Cluster
	client  *kgo.Client
	every   time.Duration
}

// run compacts until ctx ends.
func (c *cleaner) run(ctx context.Context) {
	t := time.NewTicker(c.every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if c.rested(ctx, time.Now()) {
			c.cluster.Compact()
		} else {
			c.cluster.ApplyRetention() // of topics that are bounded by age or size, which would else grow with the others
		}
	}
}

// rested says whether nothing is younger than its topic's min.compaction.lag.ms.
func (c *cleaner) rested(ctx context.Context, now time.Time) bool {
	m, err := c.client.Metadata(ctx, &kgo.MetadataRequest{})
	if err != nil {
		return false // it ends, or is busy; the next round comes
	}
	for _, t := range m.Topics {
		info := c.cluster.TopicInfo(t.Name)
		if info == nil || !strings.Contains(setting(info, "cleanup.policy"), "compact") {
			continue
		}
		lag, err := strconv.ParseInt(setting(info, "min.compaction.lag.ms"), 10, 64)
		if err != nil || lag <= 0 {
			continue
		}
		for _, p := range c.cluster.PartitionInfos(t.Name) {
			if now.UnixMilli()-p.MaxTimestamp < lag {
				return false
			}
		}
	}
	return true
}

func setting(info *kfake.TopicInfo, name string) string {
	if v := info.Configs[name]; v != nil {
		return *v
	}
	return ""
}

package capture

import (
	"maps"
	"strconv"
	"time"

	"shelfstream/internal/kafka"
)

// RawTopic is the topic of a captured table by its configured name.
func RawTopic(pipeline, source, table string) string { return pipeline + "." + source + "." + table }

// CheckpointTopic is the topic of a source's checkpoints: one partition, key = the source's name as plain text, value =
// schemas.Checkpoint in Confluent's wire format.
func CheckpointTopic(pipeline, source string) string { return pipeline + "." + source + ".checkpoints" }

// SignalsTopic is the topic on which operators ask a source's worker for something; see RequestResnapshot.
func SignalsTopic(pipeline, source string) string { return pipeline + "." + source + ".signals" }

// ParkedTopic is the topic of a source's parked rows: one partition, key = the row's name, value = Parked as JSON, a tombstone when the row could be
// written or is gone.
func ParkedTopic(pipeline, source string) string { return pipeline + "." + source + ".parked" }

// Headers of raw records.
const (
	HeaderOp            = "__op"           // one letter, see Op
	HeaderSourceTime    = "__source_ts_ms" // commit time, milliseconds since the epoch in decimal
	HeaderPosition      = "__pos"          // Meta.Position
	HeaderTransaction   = "__txid"         // Meta.Transaction; empty for what a snapshot wrote
	HeaderSpecial       = "__special"      // "column=NaN": a value that its column's Avro type cannot hold, published as null
	headerNote          = "__capture"      // on checkpoints: see note
	defaultCompactLag   = time.Hour
	defaultDeleteRetain = 7 * 24 * time.Hour
)

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// rawTopicConfigs keeps the newest row of each key for ever. The compaction lag is longer than a checkpoint can be
// late, so that a row's state below the last checkpoint is still there when a newer one lies beyond it.
func rawTopicConfigs(more map[string]string) map[string]string {
	c := map[string]string{
		"cleanup.policy":        "compact",
		"min.compaction.lag.ms": millis(defaultCompactLag),
		"delete.retention.ms":   millis(defaultDeleteRetain),
		settingMaxMessage:       strconv.Itoa(defaultMaxMessage),
	}
	maps.Copy(c, more)
	return c
}

// checkpointTopicConfigs: only the newest record matters and there are many a second, so segments are small and
// cleaned early.
func checkpointTopicConfigs() map[string]string {
	return map[string]string{
		"cleanup.policy":            "compact",
		"segment.bytes":             strconv.Itoa(16 << 20),
		"segment.ms":                millis(time.Hour),
		"min.cleanable.dirty.ratio": "0.1",
	}
}

// signalsTopicSpec keeps requests until the worker has been back, however long it was away.
func signalsTopicSpec(pipeline, source string, replication int) kafka.TopicSpec {
	return kafka.TopicSpec{
		Name: SignalsTopic(pipeline, source), Partitions: 1, Replication: replication,
		Configs: map[string]string{"cleanup.policy": "delete", "retention.ms": "-1"},
	}
}

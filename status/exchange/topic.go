package exchange

import (
	"strconv"
	"strings"
	"time"

	"shelfstream/internal/kafka"
)

// Topic is where the exchanges of a pipeline are kept: one partition, keys as below, values JSON.
//
//	exchange/<run>/<number>   an Exchange
//	hour/<run>/<link>         how many there were in each minute of the last hour
//
// A run is one process from its start to its end, so no key is ever written by two. What falls out of the newest ones gets a tombstone.
func Topic(pipeline string) string { return pipeline + ".exchanges" }

const (
	exchangePrefix = "exchange/"
	hourPrefix     = "hour/"
)

// keepBytes bounds the topic where nobody compacts it (the embedded log compacts only when everything rests). Recorders write again what is about to be
// dropped: what lies refreshAfter records back. A record has at most about 3 kB.
const (
	keepBytes    = 64 << 20
	refreshAfter = 20_000
)

// Keep and KeepFailed are how many exchanges of a link are kept if nothing else is said: those that went well, and the others.
const (
	Keep       = 100
	KeepFailed = 300
)

func topicSpec(name string, replication int) kafka.TopicSpec {
	hour := strconv.FormatInt(time.Hour.Milliseconds(), 10)
	return kafka.TopicSpec{Name: name, Partitions: 1, Replication: replication, Configs: map[string]string{
		"cleanup.policy": "compact,delete", "retention.ms": "-1", "retention.bytes": strconv.Itoa(keepBytes), "delete.retention.ms": hour,
		"segment.bytes": strconv.Itoa(8 << 20), "segment.ms": hour, "min.cleanable.dirty.ratio": "0.1",
	}}
}

// isExchange and hourLink read a record's key.
func isExchange(key string) bool { return strings.HasPrefix(key, exchangePrefix) }

func hourLink(key string) (run, link string, ok bool) {
	rest, ok := strings.CutPrefix(key, hourPrefix)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

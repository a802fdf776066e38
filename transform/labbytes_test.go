package transform

import (
	"encoding/hex"
	"fmt"
	"strings"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// body is what stands after the schema's id: two pipelines register their own schemas.
func (l *lab) body(framed []byte) string {
	l.t.Helper()
	if framed == nil {
		return "gone"
	}
	_, b, err := schemas.ParseFrame(framed)
	check(l.t, err)
	return hex.EncodeToString(b)
}

// sequence is every record of a cleaned topic, partition by partition in the order of the log, as "key=value" of their bytes.
func (l *lab) sequence(topic string) []string {
	l.t.Helper()
	var out []string
	for p := range int32(labPartitions) {
		out = append(out, fmt.Sprintf("partition %d", p))
		check(l.t, l.client.Scan(l.t.Context(), topic, p, 0, -1, func(r *kafka.Record) error {
			out = append(out, l.body(r.Key)+"="+l.body(r.Value))
			return nil
		}))
	}
	return out
}

// newestBytes is the newest value of each key of a cleaned topic, as their bytes; the key says its partition too.
func (l *lab) newestBytes(topic string) map[string]string {
	l.t.Helper()
	out := map[string]string{}
	partition := ""
	for _, s := range l.sequence(topic) {
		key, value, record := strings.Cut(s, "=")
		switch {
		case !record:
			partition = s
		case value == "gone":
			delete(out, partition+" "+key)
		default:
			out[partition+" "+key] = value
		}
	}
	return out
}

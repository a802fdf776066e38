package capture

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// settingMaxMessage bounds a batch, as it is sent: compressed.
const settingMaxMessage = "max.message.bytes"

// defaultMaxMessage is what raw topics are created with: room for a row with a picture in it. Kafka's own megabyte is soon too small for that.
const defaultMaxMessage = 16 << 20

// readLimits asks what each raw topic accepts. Where that may not be seen, what we would have created it with counts; should the topic accept less,
// the producer ends at the first row that is too large.
func (k *parking) readLimits(ctx context.Context) (map[string]int, error) {
	tables := sortedTables(k.cfg.Tables)
	topics := make([]string, len(tables))
	for i, t := range tables {
		topics[i] = k.cfg.rawTopic(t)
	}
	set, err := k.cfg.Client.TopicSettings(ctx, settingMaxMessage, topics...)
	if err != nil {
		return nil, err
	}
	limits := make(map[string]int, len(topics))
	for _, t := range topics {
		for _, text := range []string{set[t], k.cfg.TopicConfigs[settingMaxMessage]} {
			if n, err := strconv.Atoi(text); err == nil && n > 0 && limits[t] == 0 {
				limits[t] = n
			}
		}
		if limits[t] == 0 {
			limits[t] = defaultMaxMessage
		}
	}
	return limits, nil
}

// fits is the refusal of a record that its topic would not accept.
func (k *parking) fits(t *tableShape, r *kafka.Record) error {
	limit := k.limits[t.state.topic]
	if kafka.PlainSize(r) <= limit {
		return nil
	}
	n, err := k.producer.BatchSize(*r)
	if err != nil {
		return fmt.Errorf("measure a row of %s: %w", t.state.table, err)
	}
	if n <= limit {
		return nil
	}
	return &refusal{
		bytes: n, what: fmt.Sprintf("it takes %d bytes, and the topic accepts %d (%s)", n, limit, settingMaxMessage),
		fix: fmt.Sprintf("make the row smaller in the source, or leave its large column out under columns; or raise the limit with kafka-configs --alter --entity-type topics --entity-name %s --add-config %s=%d, and then shelfstream capture resnapshot -source %s -table %s",
			t.state.topic, settingMaxMessage, 2*n, k.cfg.Source, t.state.table),
	}
}

// rowName names a row within the source: as a key that tells all apart, and for people.
func (t *tableShape) rowName(row []schemas.Value) (key, shown string) {
	parts := []string{t.state.table}
	var b []byte
	b = strconv.AppendQuote(append(b, '['), t.state.table)
	for _, c := range t.table.Key {
		text := string(schemas.AppendCanonical(nil, row[c]))
		b = strconv.AppendQuote(append(b, ','), text)
		parts = append(parts, strings.ToValidUTF8(text, "\uFFFD"))
	}
	return string(append(b, ']')), strings.Join(parts, "/")
}

package transform

import (
	"context"
	"fmt"
	"strconv"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
)

// settingMaxMessage bounds a batch as it is sent, compressed. defaultMaxMessage is what cleaned topics are created with: as much as a raw row may take.
const (
	settingMaxMessage = "max.message.bytes"
	defaultMaxMessage = 16 << 20
)

// maxMessage asks what the cleaned topic accepts; where that may not be seen, what it would have been created with counts.
func (r *Runner) maxMessage(ctx context.Context) (int, error) {
	set, err := r.cfg.Client.TopicSettings(ctx, settingMaxMessage, r.topic)
	if err != nil {
		return 0, err
	}
	for _, text := range []string{set[r.topic], r.cfg.TopicConfigs[settingMaxMessage]} {
		if n, err := strconv.Atoi(text); err == nil && n > 0 {
			return n, nil
		}
	}
	return defaultMaxMessage, nil
}

// fits is the fault of a product whose record the topic would refuse; the producer would end at it, and with it all other products.
func (e *evaluation) fits() error {
	t := e.t
	r := kafka.Record{Key: e.keyBytes, Value: e.value, Headers: e.sent}
	if kafka.PlainSize(&r) <= t.maxMessage {
		return nil
	}
	n, err := t.producer.BatchSize(r)
	if err != nil {
		return fmt.Errorf("measure a product: %w", err)
	}
	if n <= t.maxMessage {
		return nil
	}
	return &fault.Fault{
		Class: fault.Runtime, Cause: fault.KafkaTooLarge, Where: "topic " + t.topic, What: fmt.Sprintf("the product takes %d bytes, and its topic accepts %d (%s)", n, t.maxMessage, settingMaxMessage),
		Fix: fmt.Sprintf("leave its large field out in the rules; or raise the limit with kafka-configs --alter --entity-type topics --entity-name %s --add-config %s=%d and start the view again", t.topic, settingMaxMessage, 2*n),
	}
}

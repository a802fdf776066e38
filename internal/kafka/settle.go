package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	kgo "github.com/segmentio/kafka-go"

	"shelfstream/internal/fault"
)

// missingFor is how long a topic may be unknown before that is an error: long enough for a cluster that is just starting.
const missingFor = time.Minute

// settle acts on what became of one batch at the broker node. p.mu is held.
func (p *Producer) settle(ctx context.Context, b *pbatch, node int32, a answer) {
	part := b.part
	part.inflight = false
	if a.err == nil {
		p.acknowledge(b, a.base)
		p.markReady(part)
		return
	}
	b.tainted = true
	b.unsure = true // also where the broker answered: some errors come after it has written the batch
	if ctx.Err() != nil {
		return // closing; whether it was written is not known any more
	}
	where := fmt.Sprintf("%s/%d", part.topic, part.partition)
	var ke kgo.Error
	errors.As(a.err, &ke)
	switch ke {
	case kgo.MessageSizeTooLarge, kgo.RecordListTooLarge:
		if err := p.split(b); err != nil {
			p.fail(err)
			return
		}
	case kgo.InvalidProducerEpoch, kgo.ProducerFenced, kgo.InvalidProducerIDMapping:
		if p.cfg.TransactionalID != "" {
			p.fail(fmt.Errorf("%s: producer %q: %w", where, p.cfg.TransactionalID, ErrFenced))
			return
		}
		p.fail(lostState(where, a.err))
		return
	case kgo.OutOfOrderSequenceNumber, kgo.UnknownProducerId:
		p.forgot(b, a.err)
		return
	case kgo.Unknown:
		// A broker that could not store the batch. It may have noted the sequence all the same (kfake does), so that sending again could
		// be taken for a duplicate and acknowledged without being there.
		p.fail(&fault.Fault{
			Class: fault.Environment, Cause: fault.KafkaStoreFailed, Where: where, What: "the broker could not store the records",
			Fix: "look into the broker's log; a full disk is the usual cause. Then start again: nothing unacknowledged counts as delivered", Err: a.err,
		})
		return
	case kgo.UnknownTopicOrPartition:
		if !p.stillMissing(part, time.Now()) {
			return
		}
	default:
		// A batch damaged on its way is sent again, but one that arrives damaged every time is not the network's fault.
		if !transient(a.err) || (ke == kgo.InvalidMessage && b.attempts >= 10) {
			p.fail(faultFor("produce to "+where, a.err))
			return
		}
	}
	if now, _, ok := p.c.meta.leader(part.topic, part.partition); !ok || now == node { // a new leader is asked at once
		part.notSoon = time.Now().Add(p.c.backoff.Delay(b.attempts))
	}
	if b.attempts++; b.attempts == 3 {
		p.log.Warn("kafka: produce is being retried", "topic", part.topic, "partition", part.partition, "error", a.err)
	}
	p.c.metrics.produceRetries.Inc()
	p.markReady(part)
}

// stillMissing tells whether to go on waiting for a topic to appear, and fails the producer if not. p.mu is held.
func (p *Producer) stillMissing(part *prodPart, now time.Time) bool {
	if part.missing.IsZero() {
		part.missing = now
	}
	if now.Sub(part.missing) < missingFor {
		return true
	}
	p.fail(faultFor(fmt.Sprintf("produce to %s/%d", part.topic, part.partition), kgo.UnknownTopicOrPartition))
	return false
}

// acknowledge takes the partition's first batch off its queue, unless its offset shows that earlier ones are gone. p.mu is held.
func (p *Producer) acknowledge(b *pbatch, base int64) {
	part := b.part
	if base < part.next {
		p.fail(lostRecords(part, base))
		return
	}
	part.queue[0] = nil
	if part.queue = part.queue[1:]; len(part.queue) == 0 {
		part.queue = nil
	}
	part.missing, part.notSoon, part.lookups, part.forgets = time.Time{}, time.Time{}, 0, 0
	part.next = base + int64(b.raw.count)
	m := p.c.metrics
	m.producedRecords.Add(float64(b.raw.count))
	m.producedBytes.Add(float64(len(b.enc)))
	p.release(b.charged)
	for _, ref := range b.marks { // last: whoever waits for it looks at the rest
		ref.m.reached(part.index, base+int64(ref.count))
	}
	if !b.tainted {
		p.c.pool.put(b.enc)
	}
	b.enc = nil
}

// release gives bytes back to those who wait in Produce. p.mu is held.
func (p *Producer) release(n int) {
	p.buffered -= n
	p.c.metrics.producerBuffered.Sub(float64(n))
	if p.space != nil && p.buffered < p.cfg.MaxBytes {
		close(p.space)
		p.space = nil
	}
}

// split replaces a batch that its topic does not accept by two halves with the same sequences. p.mu is held.
func (p *Producer) split(b *pbatch) error {
	part := b.part
	recs, err := b.records(&p.c.codecs)
	if err != nil {
		return err
	}
	if len(recs) == 1 {
		return &fault.Fault{
			Class: fault.Environment, Cause: fault.KafkaTooLarge, Where: fmt.Sprintf("%s/%d", part.topic, part.partition),
			What: fmt.Sprintf("a record of %d bytes (key of %d bytes, value of %d) is larger than the topic accepts", b.charged, len(recs[0].Key), len(recs[0].Value)),
			Fix:  "raise max.message.bytes of the topic (and message.max.bytes of the brokers), for instance: kafka-configs --alter --entity-type topics --entity-name " + part.topic + " --add-config max.message.bytes=10485760",
			Err:  kgo.MessageSizeTooLarge,
		}
	}
	mid := len(recs) / 2
	halves := make([]*pbatch, 2)
	for i, rs := range [][]Record{recs[:mid], recs[mid:]} {
		h := &pbatch{part: part, sealed: true, identity: b.identity, tainted: true}
		if i == 1 {
			h.seq = int32((int64(b.seq) + int64(mid)) & 0x7fffffff)
		}
		for k := range rs {
			h.charged += h.raw.size(&rs[k])
			h.raw.add(&rs[k])
		}
		halves[i] = h
	}
	for _, ref := range b.marks {
		if int(ref.count) <= mid {
			halves[0].marks = append(halves[0].marks, ref)
		} else {
			halves[1].marks = append(halves[1].marks, markRef{ref.m, ref.count - int32(mid)})
		}
	}
	diff := halves[0].charged + halves[1].charged - b.charged
	p.buffered += diff
	p.c.metrics.producerBuffered.Add(float64(diff))
	part.queue = append(halves, part.queue[1:]...)
	return nil
}

// records decodes a batch that was encoded here.
func (b *pbatch) records(c *codecs) ([]Record, error) {
	set := b.enc[sizePrefix:]
	h, err := parseHeader(set)
	if err != nil {
		return nil, err
	}
	payload := set[headerBytes:h.size]
	if codec := int(h.attributes & attrCodec); codec != codecNone {
		if payload, err = c.decompress(nil, payload, codec); err != nil {
			return nil, err
		}
	}
	var d recordDecoder
	return d.records(nil, &h, payload, 0)
}

// lookUp asks for the leaders of topics that are not known, and has their partitions tried again.
func (p *Producer) lookUp(ctx context.Context, topics []string) {
	err := p.c.refresh(ctx, topics...)
	now := time.Now()
	p.mu.Lock()
	p.asking = false
	for _, part := range p.ready {
		if _, _, ok := p.c.meta.leader(part.topic, part.partition); ok {
			continue
		}
		part.notSoon = now.Add(p.c.backoff.Delay(part.lookups))
		part.lookups++
		if err == nil && int(part.partition) >= p.c.meta.partitions(part.topic) && !p.stillMissing(part, now) {
			break
		}
	}
	p.mu.Unlock()
	if err != nil && ctx.Err() == nil && !transient(err) {
		p.mu.Lock()
		p.fail(faultFor("find partition leaders", err))
		p.mu.Unlock()
	}
	signal(p.wake)
}

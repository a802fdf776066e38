package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	kgo "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	produceAPI "github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/protocol/rawproduce"
)

const (
	// brokerFlights is how many requests may be under way to one broker. A partition is in one at most: that is what keeps its order
	// over retries. The second carries partitions that became ready after the first had left.
	brokerFlights = 2
	// requestBytes bounds one request, records before compression; brokers refuse more than 100 MiB unless told otherwise.
	requestBytes = 8 << 20
)

// run sends what is ready until ctx ends, and waits for all it started.
func (p *Producer) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer close(p.ended)
	defer wg.Wait()
	if p.codec != codecNone {
		wg.Go(func() { p.compressor(ctx) })
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(p.schedule(ctx, &wg))
		select {
		case <-p.wake:
		case <-timer.C:
		case <-p.failed:
			return
		case <-ctx.Done():
			return
		}
	}
}

// schedule sends one request to each broker that has a free place and partitions to send, and returns when to look again if nothing
// happens until then.
func (p *Producer) schedule(ctx context.Context, wg *sync.WaitGroup) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	again := time.Hour
	if p.forgotten {
		p.startRecovery(ctx, wg)
		return again
	}
	now := time.Now()
	type load struct {
		addr    string
		bytes   int
		batches []*pbatch
	}
	loads := map[int32]*load{}
	var keep []*prodPart
	var unknown []string
	for _, part := range p.ready {
		if len(part.queue) == 0 { // acknowledged by what recover found in the log
			part.ready = false
			continue
		}
		if wait := part.notSoon.Sub(now); wait > 0 {
			again = min(again, wait)
			keep = append(keep, part)
			continue
		}
		node, addr, ok := p.c.meta.leader(part.topic, part.partition)
		if !ok {
			unknown = append(unknown, part.topic)
			keep = append(keep, part)
			continue
		}
		l := loads[node]
		if l == nil {
			l = &load{addr: addr}
			loads[node] = l
		}
		b := part.queue[0]
		if p.flights[node] >= brokerFlights || (l.bytes > 0 && l.bytes+b.charged > requestBytes) {
			keep = append(keep, part)
			continue
		}
		if !b.sealed {
			p.seal(b)
		}
		part.ready, part.inflight = false, true
		l.bytes += b.charged
		l.batches = append(l.batches, b)
	}
	p.ready = append(p.ready[:0], keep...)
	for node, l := range loads {
		if len(l.batches) == 0 {
			continue
		}
		p.flights[node]++
		wg.Go(func() { p.fly(ctx, node, l.addr, l.batches) })
	}
	if len(unknown) > 0 && !p.asking {
		p.asking = true
		wg.Go(func() { p.lookUp(ctx, unknown) })
	}
	return again
}

// fly sends one request and settles its batches.
func (p *Producer) fly(ctx context.Context, node int32, addr string, batches []*pbatch) {
	answers := make([]answer, len(batches))
	if open := p.unwritten(ctx, batches, answers); len(open) > 0 {
		p.request(ctx, addr, batches, open, answers)
	}
	var stale []string
	for i, b := range batches {
		a := &answers[i]
		if errors.Is(a.err, kgo.DuplicateSequenceNumber) {
			// Older than the broker's memory of our last five batches: the log itself has to say where it is.
			if a.base, a.err = p.locate(ctx, b); a.err == nil && a.base < 0 {
				a.err = fmt.Errorf("the batch is called a duplicate but is not in the log: %w", kgo.OutOfOrderSequenceNumber)
			}
		}
		if a.err != nil && transient(a.err) {
			stale = append(stale, b.part.topic)
		}
	}
	if len(stale) > 0 && ctx.Err() == nil {
		// A refresh that fails leaves the old knowledge, with which the next attempt fails and asks again.
		_ = p.c.refresh(ctx, stale...)
	}
	p.mu.Lock()
	p.flights[node]--
	for i, b := range batches {
		p.settle(ctx, b, node, answers[i])
	}
	p.mu.Unlock()
	signal(p.wake)
}

// answer is what became of one batch.
type answer struct {
	base int64 // offset of its first record
	err  error
}

// unwritten answers for those of the batches that turn out to be in the log, after an attempt whose answer was lost, and returns the
// indexes of the others. A broker that remembers our sequences would tell them by itself; but one that lost its memory with its life (the
// embedded log, killed) would write them twice.
func (p *Producer) unwritten(ctx context.Context, batches []*pbatch, answers []answer) (open []int) {
	for i, b := range batches {
		if b.unsure && b.pid >= 0 {
			base, err := p.locate(ctx, b)
			if err != nil || base >= 0 {
				answers[i] = answer{base, err}
				continue
			}
		}
		open = append(open, i)
	}
	return open
}

// request sends those of the batches that open names, and fills in their answers.
func (p *Producer) request(ctx context.Context, addr string, batches []*pbatch, open []int, answers []answer) {
	all := func(err error) {
		for _, i := range open {
			answers[i] = answer{err: err}
		}
	}
	req := &rawproduce.Request{Acks: -1, Timeout: int32(p.cfg.RequestTimeout.Milliseconds() * 2 / 3)}
	at := make(map[tp]int, len(open))
	topics := map[string]int{}
	for _, i := range open {
		b := batches[i]
		if err := p.encode(b); err != nil {
			all(err)
			return
		}
		b.stamp()
		k, ok := topics[b.part.topic]
		if !ok {
			k = len(req.Topics)
			topics[b.part.topic] = k
			req.Topics = append(req.Topics, rawproduce.RequestTopic{Topic: b.part.topic})
		}
		req.Topics[k].Partitions = append(req.Topics[k].Partitions, rawproduce.RequestPartition{
			Partition: b.part.partition, RecordSet: protocol.RawRecordSet{Reader: bytes.NewReader(b.enc)},
		})
		at[b.part.tp] = i
	}
	all(kgo.NetworkException) // for those that the answer does not name
	p.c.metrics.produceRequests.Inc()
	m, err := p.c.send(ctx, addr, p.cfg.RequestTimeout, &exchange{req: req})
	if err != nil {
		all(err)
		return
	}
	for _, t := range m.(*produceAPI.Response).Topics {
		for _, r := range t.Partitions {
			if i, ok := at[tp{t.Topic, r.Partition}]; ok {
				answers[i] = answer{r.BaseOffset, code(r.ErrorCode)}
				if r.ErrorCode == 0 && r.BaseOffset < 0 {
					answers[i].err = kgo.DuplicateSequenceNumber // acknowledged, but not where
				}
			}
		}
	}
}

// encode makes the bytes to send, unless that is done already, or being done: then it waits.
func (p *Producer) encode(b *pbatch) error {
	p.mu.Lock()
	for b.enc == nil && b.encoding != nil {
		wait := b.encoding
		p.mu.Unlock()
		<-wait
		p.mu.Lock()
	}
	if b.enc != nil || b.raw.buf == nil { // done by another goroutine, and perhaps even acknowledged since
		p.mu.Unlock()
		return nil
	}
	b.encoding = make(chan struct{})
	id := b.identity
	p.mu.Unlock()
	enc, err := p.encoded(b, id)
	p.mu.Lock()
	defer p.mu.Unlock()
	close(b.encoding)
	b.enc, b.encoding = enc, nil
	return err
}

func (p *Producer) encoded(b *pbatch, id identity) ([]byte, error) {
	m := batchMeta{
		count: b.raw.count, firstTS: b.raw.firstTS, maxTS: b.raw.maxTS,
		producerID: id.pid, producerEpoch: id.epoch, baseSequence: id.seq,
	}
	const head = sizePrefix + headerBytes
	enc := b.raw.buf
	if p.codec != codecNone {
		dst := p.c.pool.get(len(enc))[:head]
		out, ok, err := p.c.codecs.compress(dst, enc[head:], p.codec)
		if err != nil {
			return nil, err
		}
		if ok {
			p.c.pool.put(enc)
			enc, m.attributes = out, int16(p.codec)
		} else if out != nil {
			p.c.pool.put(out)
		}
	}
	b.raw.buf = nil
	finish(enc, &m)
	return enc, nil
}

// compressor encodes full batches while those before them are under way.
func (p *Producer) compressor(ctx context.Context) {
	for {
		p.mu.Lock()
		var b *pbatch
		if len(p.full) > 0 {
			b = p.full[0]
			p.full = p.full[1:]
		}
		p.mu.Unlock()
		if b != nil {
			if err := p.encode(b); err != nil {
				p.mu.Lock()
				p.fail(err)
				p.mu.Unlock()
			}
			continue
		}
		select {
		case <-p.press:
		case <-p.failed:
			return
		case <-ctx.Done():
			return
		}
	}
}

package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// ProducerConfig says how a producer behaves. The zero value is a good one.
type ProducerConfig struct {
	// TransactionalID names the owner of some partitions, over restarts and machines, and makes Fence available; "" for none.
	TransactionalID string
	MaxBytes        int         // records held until acknowledged, in bytes; 0 means 32 MiB. Produce blocks at it
	BatchBytes      int         // where a batch is full, in bytes before compression; 0 means 900 KiB
	Compression     Compression // the zero value is LZ4
	// RequestTimeout bounds one produce request, after which it is sent again with the same sequence; 0 means 15 s.
	RequestTimeout time.Duration
}

// Producer writes records to partitions: each once and in order (an idempotent producer, acks=all), with no wait for more to come. While
// a partition's batch is under way its next one grows. Errors that pass are retried for ever, and a broker that has forgotten the
// producer is got over (recover.go); any other ends the producer (Err). Its methods may be called by several goroutines; records that
// one goroutine gives to one partition keep their order.
type Producer struct {
	c     *Client
	cfg   ProducerConfig
	codec int
	log   *slog.Logger
	pid   int64
	epoch int16

	wake   chan struct{} // capacity 1: something became ready to send
	press  chan struct{} // capacity 1: full batches wait for the compressor
	stop   context.CancelFunc
	ended  chan struct{} // closed when every goroutine of the producer has ended
	failed chan struct{} // closed with err

	mu       sync.Mutex
	parts    map[tp]*prodPart
	list     []*prodPart
	ready    []*prodPart // have something to send and nothing under way
	full     []*pbatch   // sealed by size, not yet compressed
	flights  map[int32]int
	buffered int
	space    chan struct{} // not nil while Produce waits for bytes; closed to wake it
	err      error
	closed   bool
	asking   bool // a metadata lookup is under way
	// forgotten: a broker has lost our sequence, so nothing is sent until recover has made a new beginning; recovering: it is at work.
	forgotten, recovering bool
	fenced                map[string][]int32 // what Fence was called for
}

// prodPart is one partition of a producer.
type prodPart struct {
	tp
	index    int
	queue    []*pbatch // in order; the last may still be open, the first may be under way
	inflight bool
	ready    bool // in Producer.ready
	nextSeq  int32
	next     int64     // offset after the last acknowledged record, -1 before the first
	notSoon  time.Time // back-off after an error
	missing  time.Time // since when the topic is said not to exist
	lookups  int       // times its leader was asked for in vain
	forgets  int       // times its sequence was forgotten since the last acknowledgement
}

// pbatch is one batch on its way.
type pbatch struct {
	part     *prodPart
	raw      builder
	sealed   bool
	identity               // from sealed on
	charged  int           // bytes counted in Producer.buffered
	enc      []byte        // as sent, with its size prefix; nil until encoded
	encoding chan struct{} // not nil while a goroutine encodes it; closed then
	attempts int
	// tainted: an attempt failed on our side, so its connection may still be reading enc, which therefore must not be reused.
	tainted bool
	// unsure: an attempt failed, and it may have been written all the same.
	unsure bool
	marks  []markRef
}

// identity is what a broker and a reader tell a batch by.
type identity struct {
	pid   int64
	epoch int16
	seq   int32
}

// NewProducer asks for a producer id and returns a producer, retrying until ctx ends. With a transactional id this raises the id's epoch:
// older producers of the same id can no longer call Fence, but their writes are only shut out by calling it here.
func (c *Client) NewProducer(ctx context.Context, cfg ProducerConfig) (*Producer, error) {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 32 << 20
	}
	if cfg.BatchBytes <= 0 {
		cfg.BatchBytes = 900 << 10
	}
	if cfg.RequestTimeout <= 0 {
		cfg.RequestTimeout = requestTimeout
	}
	codec, err := cfg.Compression.wire()
	if err != nil {
		return nil, err
	}
	p := &Producer{
		c: c, cfg: cfg, codec: codec, log: c.log, pid: -1, epoch: -1,
		wake: make(chan struct{}, 1), press: make(chan struct{}, 1), ended: make(chan struct{}), failed: make(chan struct{}),
		parts: map[tp]*prodPart{}, flights: map[int32]int{},
	}
	if err := p.initID(ctx); err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	go p.run(run)
	return p, nil
}

// Produce copies r into the batch being built for the partition and returns; it blocks while MaxBytes are waiting for their
// acknowledgement. Offset is ignored. The error is the producer's fatal one, or ctx's.
func (p *Producer) Produce(ctx context.Context, topic string, partition int32, r Record) error {
	if partition < 0 {
		return fmt.Errorf("produce to %s: partition %d", topic, partition)
	}
	if r.TimestampMS == 0 {
		r.TimestampMS = time.Now().UnixMilli()
	}
	p.mu.Lock()
	for {
		if p.err != nil || p.closed {
			defer p.mu.Unlock()
			return p.endedError()
		}
		if p.buffered < p.cfg.MaxBytes {
			break
		}
		if p.space == nil {
			p.space = make(chan struct{})
		}
		space := p.space
		p.mu.Unlock()
		select {
		case <-space:
		case <-p.failed:
		case <-ctx.Done():
			return ctx.Err()
		}
		p.mu.Lock()
	}
	part := p.part(topic, partition)
	b, size := p.batchFor(part, &r)
	b.raw.buf = p.c.pool.grow(b.raw.buf, len(b.raw.buf)+size)
	b.raw.add(&r)
	b.charged += size
	p.buffered += size
	p.c.metrics.producerBuffered.Add(float64(size))
	woken := p.markReady(part)
	p.mu.Unlock()
	if woken {
		signal(p.wake)
	}
	return nil
}

// part finds or makes the partition. p.mu is held.
func (p *Producer) part(topic string, partition int32) *prodPart {
	k := tp{topic, partition}
	part := p.parts[k]
	if part == nil {
		part = &prodPart{tp: k, index: len(p.list), next: -1}
		p.parts[k] = part
		p.list = append(p.list, part)
	}
	return part
}

// batchFor gives the open batch that r goes into, and what r will take there. p.mu is held.
func (p *Producer) batchFor(part *prodPart, r *Record) (*pbatch, int) {
	if n := len(part.queue); n > 0 {
		if b := part.queue[n-1]; !b.sealed {
			size := b.raw.size(r)
			if len(b.raw.buf)+size <= p.cfg.BatchBytes {
				return b, size
			}
			p.seal(b)
			if p.codec != codecNone && part.inflight {
				p.full = append(p.full, b)
				signal(p.press)
			}
		}
	}
	b := &pbatch{part: part}
	part.queue = append(part.queue, b)
	size := b.raw.size(r)
	b.raw.buf = p.c.pool.get(sizePrefix + headerBytes + size)[:sizePrefix+headerBytes]
	return b, size
}

// seal closes a batch and gives it its sequence. p.mu is held.
func (p *Producer) seal(b *pbatch) {
	b.sealed = true
	p.number(b)
}

// number gives a batch its place in the partition's sequence. p.mu is held.
func (p *Producer) number(b *pbatch) {
	b.identity = identity{p.pid, p.epoch, b.part.nextSeq}
	b.part.nextSeq = int32((int64(b.seq) + int64(b.raw.count)) & 0x7fffffff) // sequences start again at 0 after 2^31-1
}

// markReady notes that the partition has something to send. p.mu is held.
func (p *Producer) markReady(part *prodPart) bool {
	if part.ready || part.inflight || len(part.queue) == 0 {
		return false
	}
	part.ready = true
	p.ready = append(p.ready, part)
	return true
}

// signal wakes the reader of a channel with capacity 1.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// fail ends the producer for good. p.mu is held.
func (p *Producer) fail(err error) {
	if p.err != nil {
		return
	}
	p.err = err
	close(p.failed)
}

// endedError is why nothing can be produced any more. p.mu is held.
func (p *Producer) endedError() error {
	if p.err != nil {
		return p.err
	}
	return ErrClosed
}

// Err is the error that ended the producer, nil while it works: ErrFenced, or a *fault.Fault that says what a person can do.
func (p *Producer) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Flush waits until everything produced so far is acknowledged.
func (p *Producer) Flush(ctx context.Context) error { return p.Mark().Wait(ctx) }

// Close flushes until ctx ends, then ends the producer. The error is why not everything was acknowledged.
func (p *Producer) Close(ctx context.Context) error {
	p.mu.Lock()
	closed := p.closed
	p.closed = true
	p.mu.Unlock()
	var err error
	if !closed {
		err = p.Flush(ctx)
	}
	p.stop()
	<-p.ended
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.fail(ErrClosed) // for those who still wait on a Mark
	}
	p.c.metrics.producerBuffered.Sub(float64(p.buffered))
	p.buffered = 0
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

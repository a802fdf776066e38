package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"shelfstream/internal/fault"
)

// A broker may forget the sequence of a producer that is still at work: the embedded log when it is killed, Kafka when a producer wrote
// nothing to a partition for producer.id.expiration.ms. It then refuses a batch that continues the sequence. The producer goes on with a
// new epoch and sequences from 0, provided that nothing is lost, doubled, or put in another order:
//
//	lost       The log must reach to where it was acknowledged. If it does not, the producer ends with a fault that names the offsets.
//	doubled    The refused batch, and any other whose answer was lost, is looked for in the log first. One that arrives late, after it was
//	           looked for, stands there twice with nothing between: a row is whole, so that is harmless.
//	reordered  Such a late one cannot come after newer records: the first batch of the new epoch shuts the old one out of the partition.
//	           That is why a producer without transactional id counts its epoch on by itself (KIP-360) and does not ask for another id.
//
// A producer with a transactional id must not count on by itself: the next epoch may be a newer owner's. It fences its partitions once more,
// which brokers grant to the present epoch only, so that an owner that was fenced out ends with ErrFenced as it should. What leaders have
// forgotten with the sequence, the fence against older owners, is there again after it.

// mostForgets is how often in a row a new beginning may be refused before that is taken for something else.
const mostForgets = 3

// forgot notes that the broker does not know the sequence that b continues. p.mu is held.
func (p *Producer) forgot(b *pbatch, err error) {
	part := b.part
	if part.forgets++; part.forgets > mostForgets {
		p.fail(lostState(fmt.Sprintf("%s/%d", part.topic, part.partition), err))
		return
	}
	b.unsure = true
	p.forgotten = true
	p.c.metrics.produceRetries.Inc()
	p.log.Warn("kafka: the broker has forgotten this producer's sequence, which begins anew", "topic", part.topic, "partition", part.partition, "error", err)
	p.markReady(part)
}

// startRecovery begins the recovery once nothing is under way any more. p.mu is held.
func (p *Producer) startRecovery(ctx context.Context, wg *sync.WaitGroup) {
	for _, n := range p.flights {
		if n > 0 {
			return
		}
	}
	if p.recovering {
		return
	}
	p.recovering = true
	wg.Go(func() {
		err := p.recover(ctx)
		p.mu.Lock()
		if err != nil {
			p.fail(err)
		}
		p.forgotten, p.recovering = false, false
		p.mu.Unlock()
		signal(p.wake)
	})
}

// recover makes the new beginning. Nothing is under way and nothing is sent while it runs.
func (p *Producer) recover(ctx context.Context) error {
	p.mu.Lock()
	var waiting []*pbatch // each partition's first, if it was sent
	for _, part := range p.list {
		if len(part.queue) > 0 && part.queue[0].sealed {
			waiting = append(waiting, part.queue[0])
		}
	}
	pid, epoch, fenced := p.pid, p.epoch, p.fenced
	p.mu.Unlock()
	for _, b := range waiting {
		part := b.part
		end, err := p.c.EndOffset(ctx, part.topic, part.partition)
		if err != nil {
			return err
		}
		if end < part.next {
			return lostRecords(part, end)
		}
	}
	var err error
	switch {
	case len(fenced) > 0:
		pid, epoch, err = p.shutOut(ctx, fenced)
	case p.cfg.TransactionalID != "" || epoch == math.MaxInt16:
		pid, epoch, err = p.nextID(ctx)
		err = p.fencing(err)
	default:
		epoch++
	}
	if err != nil {
		return err
	}
	for _, b := range waiting {
		if !b.unsure {
			continue
		}
		var base int64
		err := p.c.retrying(ctx, fmt.Sprintf("look for a batch in %s/%d", b.part.topic, b.part.partition), func(ctx context.Context) (err error) {
			base, err = p.locate(ctx, b)
			return err
		})
		if err != nil {
			return err
		}
		if base >= 0 {
			p.mu.Lock()
			p.acknowledge(b, base)
			p.mu.Unlock()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin(pid, epoch)
	return nil
}

// begin goes on with an id and an epoch whose sequences count from 0. p.mu is held, and nothing is under way.
func (p *Producer) begin(pid int64, epoch int16) {
	p.pid, p.epoch = pid, epoch
	for _, part := range p.list {
		part.nextSeq = 0
		for _, b := range part.queue {
			if b.sealed {
				p.number(b)
				b.unsure = false
			}
		}
	}
}

// stamp brings an encoded batch up to its present identity. The bytes may still be read by a connection that was given up, so they are
// left as they are and copied.
func (b *pbatch) stamp() {
	if b.enc == nil {
		return
	}
	be := binary.BigEndian
	h := b.enc[sizePrefix:]
	if (identity{int64(be.Uint64(h[43:])), int16(be.Uint16(h[51:])), int32(be.Uint32(h[53:]))}) == b.identity {
		return
	}
	b.enc = bytes.Clone(b.enc)
	b.tainted = true // as the pool lends whole sizes only
	h = b.enc[sizePrefix:]
	be.PutUint64(h[43:], uint64(b.pid))
	be.PutUint16(h[51:], uint16(b.epoch))
	be.PutUint32(h[53:], uint32(b.seq))
	putChecksum(h)
}

// lostState is the fault of a broker that refuses what this producer writes and cannot be brought round.
func lostState(where string, err error) error {
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.KafkaRecordsLost, Where: where, What: "the log does not continue what this producer has written",
		Fix: "look for data loss on the brokers (unclean leader election, a deleted topic); on starting again the writer resumes from its last checkpoint", Err: err,
	}
}

// lostRecords is the fault of a log that ends, or goes on, before an offset up to which everything was acknowledged.
func lostRecords(part *prodPart, at int64) error {
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.KafkaRecordsLost, Where: fmt.Sprintf("%s/%d", part.topic, part.partition),
		What: fmt.Sprintf("acknowledged records are gone: the log goes on at offset %d, and was acknowledged up to offset %d", at, part.next),
		Fix:  "look for what took them on the brokers (unclean leader election, a disk put back from a backup, a topic deleted and made anew); then have the source read again whole: shelfstream capture resnapshot",
	}
}

package kafka

import (
	"errors"
	"fmt"
	"time"

	"shelfstream/internal/fault"
)

// chunk is one partition's share of one answer: some whole batches, still as they came. It is decoded when it is polled, by the reader.
type chunk struct {
	set     []byte // nil for one that only moves the position, or is an error
	at      int    // where the next batch begins
	bytes   int    // counted in Fetcher.used
	hw      int64
	next    int64        // offset after the last whole batch
	aborted []abortedTxn // not yet begun, by first offset
	open    map[int64]struct{}
	out     int  // batches lent out
	done    bool // nothing left to poll
	err     error
}

// batchHold is what a batch stands on.
type batchHold struct {
	chunk    *chunk
	header   batchHeader
	payload  []byte // within chunk.set
	from     int64
	dec      recordDecoder
	records  []Record
	inflated []byte // kept for the next batch
	body     []byte // whole batch, for its checksum
}

// keepInflated is the largest buffer for decompressed records that is kept for the next batch.
const keepInflated = 4 << 20

// store takes in one partition's answer. f.mu is held.
func (f *Fetcher) store(part *fetchPart, w *wantedPart, g *fetched, total int) (news bool) {
	part.attempts, part.missing = 0, time.Time{}
	ch := &chunk{set: g.set, bytes: cap(g.set), hw: g.hw, next: w.offset, aborted: g.aborted}
	rest := g.set
	for len(rest) > 0 {
		h, err := parseHeader(rest)
		if errors.Is(err, errPartial) {
			if len(rest) == len(g.set) && h.size > 0 {
				part.least = h.size // does not fit: ask for all of it
			}
			break
		}
		if err != nil {
			// What is whole before it is still good; the next request begins at the bad one and finds it first.
			if len(rest) == len(g.set) {
				f.c.pool.put(g.set)
				f.end(part, badBatch(part.tp, w.offset, err))
				return true
			}
			break
		}
		ch.next = max(ch.next, h.next())
		rest = rest[h.size:]
	}
	if len(rest) == len(g.set) { // not one whole batch
		if g.set != nil {
			f.c.pool.put(g.set)
		}
		return f.gap(part, w, g, total)
	}
	ch.set = g.set[:len(g.set)-len(rest)]
	part.least, part.empties, part.wanted = 0, 0, false
	part.fetchAt = ch.next
	f.used += ch.bytes
	f.c.metrics.fetcherBuffered.Add(float64(ch.bytes))
	f.c.metrics.fetchedBytes.Add(float64(len(ch.set)))
	f.fill(part, ch)
	return true
}

// gap acts on an answer without data. Where a log's tail holds no batch at all any more (compaction took them, and the last segment is
// new), a broker answers nothing although the stable end lies further on: then there is nothing up to that end. An answer that gave its
// bytes to other partitions says nothing of the kind. f.mu is held.
func (f *Fetcher) gap(part *fetchPart, w *wantedPart, g *fetched, total int) (news bool) {
	end := g.hw
	if f.cfg.ReadCommitted && g.lso >= 0 {
		end = min(end, g.lso)
	}
	if total > 0 || len(g.set) > 0 || w.offset >= end {
		part.empties = 0
		return false
	}
	if part.empties++; part.empties < 2 {
		return false
	}
	part.empties = 0
	part.fetchAt = end
	f.fill(part, &chunk{hw: g.hw, next: end})
	return true
}

// fill appends a chunk to what can be polled. f.mu is held.
func (f *Fetcher) fill(part *fetchPart, ch *chunk) {
	part.chunks = append(part.chunks, ch)
	part.bytes += ch.bytes
	if !part.inFilled {
		part.inFilled = true
		f.filled = append(f.filled, part)
	}
}

// take cuts the next batch off what is buffered of a partition; nil if there is none. It is decoded later, outside of the lock: decode.
// f.mu is held.
func (f *Fetcher) take(part *fetchPart) *Batch {
	if len(part.chunks) == 0 || part.removed {
		return nil
	}
	ch := part.chunks[0]
	b := &Batch{Topic: part.topic, Partition: part.partition, Next: part.readAt, HighWatermark: ch.hw, Err: ch.err}
	if ch.err == nil {
		f.cut(part, ch, b)
		part.readAt = max(part.readAt, b.Next)
	}
	if ch.at >= len(ch.set) {
		part.chunks[0] = nil
		part.chunks = part.chunks[1:]
		part.bytes -= ch.bytes
		f.free(ch)
		f.toDo(part)
		if part.inTodo {
			signal(f.wake)
		}
	}
	if len(part.chunks) == 0 {
		part.chunks = nil
	} else if !part.inFilled {
		part.inFilled = true
		f.filled = append(f.filled, part)
	}
	return b
}

// cut moves b past batches without data to the chunk's next one with data, if it has one. f.mu is held.
func (f *Fetcher) cut(part *fetchPart, ch *chunk, b *Batch) {
	for ch.at < len(ch.set) {
		h, err := parseHeader(ch.set[ch.at:])
		body := ch.set[ch.at : ch.at+h.size] // store has walked over it before
		if err == nil && h.control() {
			err = f.marker(ch, &h, body)
		}
		if err != nil {
			b.Err = badBatch(part.tp, b.Next, err)
			part.dead = true
			ch.at = len(ch.set)
			return
		}
		ch.at += h.size
		from := b.Next
		b.Next = max(b.Next, h.next())
		if h.control() || h.count == 0 || h.next() <= from || (f.cfg.ReadCommitted && ch.isAborted(&h)) {
			continue
		}
		hold, _ := f.holds.Get().(*batchHold)
		if hold == nil {
			hold = &batchHold{}
		}
		hold.chunk, hold.header, hold.from, hold.body, hold.payload = ch, h, from, body, body[headerBytes:]
		ch.out++
		b.hold = hold
		return
	}
	b.Next = max(b.Next, ch.next)
}

// marker reads a control batch: an abort ends its producer's aborted transaction.
func (f *Fetcher) marker(ch *chunk, h *batchHeader, body []byte) error {
	if err := checksum(body); err != nil {
		return err
	}
	kind, err := controlType(h, body[headerBytes:])
	if err == nil && kind == 0 {
		ch.begin(h)
		delete(ch.open, h.producerID)
	}
	return err
}

// begin opens the aborted transactions that start up to the end of the batch.
func (ch *chunk) begin(h *batchHeader) {
	for i := 0; i < len(ch.aborted); {
		a := ch.aborted[i]
		if a.first >= h.next() {
			i++
			continue
		}
		if ch.open == nil {
			ch.open = map[int64]struct{}{}
		}
		ch.open[a.producerID] = struct{}{}
		ch.aborted = append(ch.aborted[:i], ch.aborted[i+1:]...)
	}
}

func (ch *chunk) isAborted(h *batchHeader) bool {
	if !h.transactional() {
		return false
	}
	ch.begin(h)
	_, yes := ch.open[h.producerID]
	return yes
}

// decode turns the bytes under a batch into its records.
func (f *Fetcher) decode(b *Batch) {
	hold := b.hold
	if hold == nil {
		return
	}
	err := checksum(hold.body)
	payload := hold.payload
	if codec := int(hold.header.attributes & attrCodec); err == nil && codec != codecNone {
		hold.inflated, err = f.c.codecs.decompress(hold.inflated[:0], payload, codec)
		payload = hold.inflated
	}
	if err == nil {
		hold.records, err = hold.dec.records(hold.records[:0], &hold.header, payload, hold.from)
	}
	if err != nil {
		k := tp{b.Topic, b.Partition}
		b.Err, b.Records, b.Next = badBatch(k, hold.header.base, err), nil, hold.from
		f.mu.Lock()
		if part := f.parts[k]; part != nil && !part.dead {
			part.dead = true
			for _, ch := range part.chunks {
				f.free(ch)
			}
			part.chunks, part.bytes = nil, 0
		}
		f.mu.Unlock()
		return
	}
	b.Records = hold.records
	f.c.metrics.fetchedRecords.Add(float64(len(b.Records)))
}

// badBatch is the fault of a batch that cannot be read.
func badBatch(k tp, offset int64, err error) error {
	return &fault.Fault{
		Class: fault.Runtime, Cause: fault.KafkaBatchBroken, Where: fmt.Sprintf("%s/%d@%d", k.topic, k.partition, offset), What: "the log holds a batch that cannot be read",
		Fix: fmt.Sprintf("check the broker's disk; if the batch is damaged for good, delete the records up to its end: kafka-configs --alter --entity-type topics --entity-name %s --add-config cleanup.policy=[compact,delete] (a compacted topic refuses otherwise), kafka-delete-records, cleanup.policy=compact again; then have what stood there sent anew: shelfstream capture resnapshot, or, if it is a view's topic, stop transform, delete its state.dir and start it again",
			k.topic), Err: err,
	}
}

// Release gives a batch's bytes back to the budget. Its records, and all they point to, are invalid after it. A nil batch is ignored.
func (f *Fetcher) Release(b *Batch) {
	if b == nil || b.hold == nil {
		return
	}
	hold := b.hold
	b.hold, b.Records = nil, nil
	f.mu.Lock()
	ch := hold.chunk
	ch.out--
	if ch.done {
		ch.done = false // free sets it again, and frees only what has not been
		f.free(ch)
	}
	f.mu.Unlock()
	clear(hold.records)
	hold.records = hold.records[:0]
	if cap(hold.inflated) > keepInflated {
		hold.inflated = nil
	}
	hold.chunk, hold.body, hold.payload = nil, nil, nil
	f.holds.Put(hold)
	signal(f.wake)
}

// free gives a chunk's bytes back once it is done with and none of its batches is out. f.mu is held.
func (f *Fetcher) free(ch *chunk) {
	if ch.done {
		return
	}
	ch.done = true
	if ch.out > 0 || ch.bytes == 0 {
		return
	}
	f.used -= ch.bytes
	f.c.metrics.fetcherBuffered.Sub(float64(ch.bytes))
	f.c.pool.put(ch.set[:0:cap(ch.set)])
	ch.bytes, ch.set = 0, nil
}

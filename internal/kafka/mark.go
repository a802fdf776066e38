package kafka

import "context"

// Mark is a point in the stream of one producer's records.
type Mark struct {
	p    *Producer
	left int     // batches still to be acknowledged, under Producer.mu
	next []int64 // by prodPart.index
	done chan struct{}
}

// markRef ties a mark to the last batch of a partition before it.
type markRef struct {
	m     *Mark
	count int32 // records of the batch that were there when the mark was made
}

// Mark marks everything produced so far. A record's batch may go on growing after it: the mark remembers how many of the batch's
// records were before it, so that marking often does not make batches small.
func (p *Producer) Mark() *Mark {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := &Mark{p: p, next: make([]int64, len(p.list)), done: make(chan struct{})}
	for i, part := range p.list {
		m.next[i] = part.next
		if n := len(part.queue); n > 0 {
			// A partition's batches are acknowledged in order, so the last one stands for all.
			last := part.queue[n-1]
			last.marks = append(last.marks, markRef{m, last.raw.count})
			m.left++
		}
	}
	if m.left == 0 {
		close(m.done)
	}
	return m
}

// reached notes that the mark's records of one partition end before next. Producer.mu is held.
func (m *Mark) reached(index int, next int64) {
	m.next[index] = next
	if m.left--; m.left == 0 {
		close(m.done)
	}
}

// Wait returns nil once everything before the mark is acknowledged by all in-sync replicas, or the producer's fatal error, or ctx's.
func (m *Mark) Wait(ctx context.Context) error {
	select {
	case <-m.done:
		return nil
	default:
	}
	select {
	case <-m.done:
		return nil
	case <-m.p.failed:
		return m.p.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Next is, after Wait returned nil, the offset after the last record that this producer wrote to the partition before the mark. ok is
// false if it wrote none there.
func (m *Mark) Next(topic string, partition int32) (next int64, ok bool) {
	m.p.mu.Lock()
	defer m.p.mu.Unlock()
	part := m.p.parts[tp{topic, partition}]
	if part == nil || part.index >= len(m.next) || m.next[part.index] < 0 {
		return 0, false
	}
	return m.next[part.index], true
}

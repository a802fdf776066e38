package capture

import (
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// topicState is one raw topic as a session knows it. The counters belong to the source's goroutine.
//
// The offset after a partition's newest record is known only for whole marks (Mark.Next). A mark that is taken inside a transaction
// covers records that belong to no commit yet; what counts is then worked out backwards: as long as the partition
// holds nothing but our own records since base, the commit's offset is base + total - since.
type topicState struct {
	table, topic string
	// inVector: the table's snapshot is complete, so checkpoints name the topic.
	inVector bool
	// base is each partition's end offset when total began to count.
	base []int64
	// total counts the records produced to each partition since base.
	total []int64
	// since counts those of them that came after the newest commit.
	since []int64
}

// touch is a partition that the open transaction has written to.
type touch struct {
	topic     *topicState
	partition int32
}

// openRecords says how much of a partition's tail belongs to a transaction that is still open.
type openRecords struct {
	topic       *topicState
	partition   int32
	base, total int64
	since       int64
}

// vector holds the topics of a session, sorted by topic name.
type vector struct {
	topics  []*topicState
	touched []touch
}

// count notes one record produced by the source's goroutine.
func (v *vector) count(t *topicState, partition int32) {
	t.total[partition]++
	if t.since[partition]++; t.since[partition] == 1 {
		v.touched = append(v.touched, touch{t, partition})
	}
}

// commit makes everything counted so far belong to a commit.
func (v *vector) commit() {
	for _, t := range v.touched {
		t.topic.since[t.partition] = 0
	}
	v.touched = v.touched[:0]
}

// open lists what the transaction under way has written; nil between transactions.
func (v *vector) open() []openRecords {
	if len(v.touched) == 0 {
		return nil
	}
	l := make([]openRecords, len(v.touched))
	for i, t := range v.touched {
		p := t.partition
		l[i] = openRecords{t.topic, p, t.topic.base[p], t.topic.total[p], t.topic.since[p]}
	}
	return l
}

// marked is the part of kafka.Mark that a vector needs.
type marked interface {
	Next(topic string, partition int32) (int64, bool)
}

var _ marked = (*kafka.Mark)(nil)

// resolve makes the offset vector of a commit from an acknowledged mark. open is what the mark covers beyond the commit. It is
// false if that cannot be taken off exactly, as records of somebody else (a new owner's fence, for one) lie in between.
func (v *vector) resolve(m marked, open []openRecords) ([]schemas.CheckpointTopic, bool) {
	out := make([]schemas.CheckpointTopic, 0, len(v.topics))
	at := make(map[*topicState]int, len(open))
	for _, t := range v.topics {
		if !t.inVector {
			continue
		}
		next := make([]int64, len(t.base))
		for p := range next {
			n, written := m.Next(t.topic, int32(p))
			if !written {
				n = t.base[p]
			}
			next[p] = n
		}
		at[t] = len(out)
		out = append(out, schemas.CheckpointTopic{Table: t.table, Topic: t.topic, Next: next})
	}
	for _, o := range open {
		i, named := at[o.topic]
		if !named {
			continue
		}
		if out[i].Next[o.partition] != o.base+o.total {
			return nil, false
		}
		out[i].Next[o.partition] -= o.since
	}
	return out, true
}

// rebase makes an acknowledged mark the new beginning of counting. Only between transactions.
func (v *vector) rebase(m marked) {
	v.commit()
	for _, t := range v.topics {
		for p := range t.base {
			if n, written := m.Next(t.topic, int32(p)); written {
				t.base[p] = n
			}
			t.total[p] = 0
		}
	}
}

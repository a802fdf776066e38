package transform

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"shelfstream/schemas"
)

// cut names, for each source, the checkpoint (its topic and offset) that a state has evaluated. Sorted by topic.
type cut []cutAt

type cutAt struct {
	topic  string
	offset int64
}

func (c cut) at(topic string) (int64, bool) {
	i, ok := slices.BinarySearchFunc(c, topic, func(a cutAt, t string) int { return cmp.Compare(a.topic, t) })
	if !ok {
		return 0, false
	}
	return c[i].offset, true
}

// compare says how c stands to o in the topics that both name: 0 if they agree, -1 if c is behind in one of them, else 1.
func (c cut) compare(o cut) int {
	out := 0
	for _, a := range c {
		switch b, ok := o.at(a.topic); {
		case !ok || a.offset == b:
		case a.offset < b:
			return -1
		default:
			out = 1
		}
	}
	return out
}

// join adds the topics that only o names.
func (c cut) join(o cut) cut {
	out := slices.Clone(c)
	for _, a := range o {
		if _, ok := c.at(a.topic); !ok {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b cutAt) int { return cmp.Compare(a.topic, b.topic) })
	return out
}

// String is the form of the header in which tasks announce their cut: topic@offset, with commas between.
func (c cut) String() string {
	var b strings.Builder
	for i, a := range c {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(a.topic + "@" + strconv.FormatInt(a.offset, 10))
	}
	return b.String()
}

func parseCut(s string) (cut, bool) {
	var c cut
	for part := range strings.SplitSeq(s, ",") {
		topic, offset, ok := strings.Cut(part, "@")
		n, err := strconv.ParseInt(offset, 10, 64)
		if !ok || topic == "" || err != nil {
			return nil, false
		}
		c = append(c, cutAt{topic, n})
	}
	return c, slices.IsSortedFunc(c, func(a, b cutAt) int { return cmp.Compare(a.topic, b.topic) })
}

// target is a set of checkpoints, one for each stream, that a task goes to in one step.
type target struct {
	checkpoints []*schemas.Checkpoint
	cut         cut
	// commitUS is the newest commit time among them; writtenUS the oldest time at which one was written: the age of what
	// the task knows.
	commitUS  int64
	writtenUS int64
	position  string
}

func makeTarget(c cut, checkpoints []*schemas.Checkpoint) *target {
	t := &target{checkpoints: checkpoints, cut: c}
	for _, c := range checkpoints {
		if c.CommitTimeUS > t.commitUS || t.position == "" {
			t.commitUS, t.position = c.CommitTimeUS, c.Position
		}
		if t.writtenUS == 0 || c.WrittenUS < t.writtenUS {
			t.writtenUS = c.WrittenUS
		}
	}
	return t
}

// next gives the offset below which a topic's partition belongs to the target, false if no checkpoint names the topic.
func (t *target) next(topic string, partition int32) (int64, bool) {
	for _, c := range t.checkpoints {
		if tp := c.Topic(topic); tp != nil && int(partition) < len(tp.Next) {
			return tp.Next[partition], true
		}
	}
	return 0, false
}

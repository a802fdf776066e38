package schemas

import (
	"fmt"
	"math"
)

// Append appends the checkpoint's Avro body under CheckpointSchema, without the frame.
func (c *Checkpoint) Append(dst []byte) []byte {
	dst = appendTexts(dst, c.Source, c.Position, c.System, c.Transaction)
	dst = appendLong(dst, c.CommitTimeUS)
	dst = appendLong(dst, c.WrittenUS)
	if c.Heartbeat {
		dst = append(dst, 1)
	} else {
		dst = append(dst, 0)
	}
	if len(c.Topics) > 0 {
		dst = appendLong(dst, int64(len(c.Topics)))
	}
	for i := range c.Topics {
		t := &c.Topics[i]
		dst = appendTexts(dst, t.Table, t.Topic)
		if len(t.Next) > 0 {
			dst = appendLong(dst, int64(len(t.Next)))
		}
		for _, n := range t.Next {
			dst = appendLong(dst, n)
		}
		dst = append(dst, 0)
	}
	return append(dst, 0)
}

func appendTexts(dst []byte, texts ...string) []byte {
	for _, s := range texts {
		dst = append(appendLong(dst, int64(len(s))), s...)
	}
	return dst
}

// DecodeCheckpoint reads what Append wrote; nothing of the result aliases body.
func DecodeCheckpoint(body []byte) (*Checkpoint, error) {
	c := &Checkpoint{}
	rest, err := c.decode(body)
	if err != nil {
		return nil, fmt.Errorf("decode checkpoint: %w", err)
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("decode checkpoint: %d bytes are left over", len(rest))
	}
	return c, nil
}

func (c *Checkpoint) decode(b []byte) ([]byte, error) {
	b, err := readTexts(b, &c.Source, &c.Position, &c.System, &c.Transaction)
	if err != nil {
		return b, err
	}
	for _, n := range [...]*int64{&c.CommitTimeUS, &c.WrittenUS} {
		if *n, b, err = readLong(b); err != nil {
			return b, err
		}
	}
	if len(b) == 0 {
		return b, errShort
	}
	if b[0] > 1 {
		return b, errBool
	}
	c.Heartbeat = b[0] == 1
	// A topic takes at least three bytes: two empty texts and an empty list.
	return readList(b[1:], 3, func(b []byte) ([]byte, error) {
		var t CheckpointTopic
		b, err := readTexts(b, &t.Table, &t.Topic)
		if err != nil {
			return b, err
		}
		b, err = readList(b, 1, func(b []byte) ([]byte, error) {
			n, b, err := readLong(b)
			t.Next = append(t.Next, n)
			return b, err
		})
		c.Topics = append(c.Topics, t)
		return b, err
	})
}

func readTexts(b []byte, texts ...*string) ([]byte, error) {
	for _, s := range texts {
		data, rest, err := readBytes(b)
		if err != nil {
			return rest, err
		}
		*s, b = string(data), rest
	}
	return b, nil
}

// readList calls each for every element of an Avro list; an element takes at least least bytes.
func readList(b []byte, least int, each func([]byte) ([]byte, error)) ([]byte, error) {
	for {
		count, rest, err := readBlock(b, least)
		if count == 0 || err != nil {
			return rest, err
		}
		b = rest
		for range count {
			if b, err = each(b); err != nil {
				return b, err
			}
		}
	}
}

// readBlock reads the count at the start of a list's block; 0 ends the list. A count beyond what the bytes that are left can
// hold is a lie, and is refused before anything is allocated for it.
func readBlock(b []byte, least int) (int, []byte, error) {
	count, b, err := readLong(b)
	if err != nil {
		return 0, b, err
	}
	if count < 0 {
		// A negative count is followed by the block's size in bytes, for readers that skip it.
		if _, b, err = readLong(b); err != nil {
			return 0, b, err
		}
		if count == math.MinInt64 {
			return 0, b, errElements
		}
		count = -count
	}
	if count > int64(len(b)/least) {
		return 0, b, errElements
	}
	return int(count), b, nil
}

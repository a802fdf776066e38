package mysql

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-mysql-org/go-mysql/replication"

	"shelfstream/capture"
	"shelfstream/schemas"
)

// offsetsTable is where sinks keep their place. Each of their transactions begins with a row of it, whose topic is "<pipeline>.<view>".
const offsetsTable = "shelfstream_offsets"

// topicColumn is the one that tells whose a row is.
const topicColumn = "topic"

// ownKeep has rows captured that a sink of the same pipeline wrote.
const ownKeep = "keep"

// offsets reads a TABLE_MAP of the sinks' own table. Without a shape every row of it counts as this pipeline's.
func (m *tableMaps) offsets(h *replication.EventHeader, body []byte) *streamTable {
	t := &streamTable{own: true, body: bytes.Clone(body[6:])}
	e, err := m.parse(h, body)
	if err != nil {
		return t
	}
	cols, err := columnsOf(e, m.s.collations.charsets, m.s.server.flavor)
	if err != nil {
		return t
	}
	sh, err := newShape(cols, shapeConfig{table: capture.TableConfig{Columns: []string{topicColumn}}, charsets: m.s.collations.charsets})
	if err != nil {
		return t
	}
	t.topic = slices.IndexFunc(sh.table.Columns, func(c schemas.Column) bool { return c.Name == topicColumn })
	if t.topic >= 0 {
		t.shape, t.row = sh, make([]schemas.Value, len(sh.table.Columns))
	}
	return t
}

// mark says whether the open transaction is a sink's of this pipeline, by a row of the sinks' own table. One of another pipeline is a change like any.
func (st *stream) mark(t *streamTable, images []byte) error {
	if st.s.cfg.OwnWrites == ownKeep {
		return nil
	}
	e := &st.rows
	if t.shape == nil || e.columns != len(t.shape.cols) || !t.shape.complete(e.old) {
		st.group.own = true
		return nil
	}
	st.arena.reset()
	if _, err := t.shape.image(t.row, images, e.old, &st.arena); err != nil {
		return err
	}
	st.group.own = st.group.own || strings.HasPrefix(t.row[t.topic].String(), st.s.cfg.Pipeline+".")
	return nil
}

package mysql

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/go-mysql-org/go-mysql/replication"

	"shelfstream/capture"
	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// tableMaps are the definitions that the rows of the stream are read by.
type tableMaps struct {
	s      *Source
	parser *replication.BinlogParser
	byID   map[uint64]*streamTable // nil: not captured
	newest map[string]*streamTable // by the configuration's name
}

// streamTable is one definition of a captured table.
type streamTable struct {
	name string // as the configuration calls it
	body []byte // of its TABLE_MAP, without the id
	own  bool   // the offsets of sinks: shape and row are of what topic needs
	// topic is the column of the offsets that tells whose a row is.
	topic int
	// shape, and handle once it is declared; err is why there is no shape.
	shape       *shape
	err         error
	handle      capture.Handle
	ready       bool
	row, before []schemas.Value
}

var le = binary.LittleEndian

// maxMaps bounds the table ids that are remembered; the server gives a table a new one whenever it opens it again.
const maxMaps = 4096

func newTableMaps(s *Source) *tableMaps {
	return &tableMaps{s: s, byID: map[uint64]*streamTable{}, newest: map[string]*streamTable{}}
}

// format takes up a FORMAT_DESCRIPTION event. Table ids count anew after it.
func (m *tableMaps) format(raw []byte) error {
	raw = bytes.Clone(raw)
	if len(raw) < headerSize+5 {
		return errCut
	}
	raw[len(raw)-5] = replication.BINLOG_CHECKSUM_ALG_OFF // bodies come to us without their checksums
	m.parser = replication.NewBinlogParser()
	m.parser.SetFlavor(string(m.s.server.flavor))
	clear(m.byID)
	_, err := m.parser.Parse(raw)
	return err
}

// tableMap notes under which id the rows of a table follow.
func (st *stream) tableMap(h *replication.EventHeader, body []byte) error {
	m := st.maps
	const ids = 6
	if len(body) < ids+3 {
		return errCut
	}
	id := little(body[:ids])
	t, known := m.byID[id]
	if !known || t != nil && !bytes.Equal(t.body, body[ids:]) {
		var err error
		if t, err = m.read(h, body); err != nil {
			return fmt.Errorf("read a TABLE_MAP event: %w", err)
		}
		if len(m.byID) >= maxMaps {
			clear(m.byID)
		}
		m.byID[id] = t
	}
	if t == nil || t.own {
		return nil
	}
	if !slices.Contains(st.group.touched, t.name) {
		st.group.touched = append(st.group.touched, t.name)
	}
	return nil
}

// read reads a TABLE_MAP event; nil for a table that is not captured.
func (m *tableMaps) read(h *replication.EventHeader, body []byte) (*streamTable, error) {
	schema, table, err := mapName(body)
	if err != nil {
		return nil, err
	}
	if string(table) == offsetsTable {
		return m.offsets(h, body), nil
	}
	name := m.s.captured(string(schema), string(table))
	if name == "" {
		return nil, nil
	}
	if t := m.newest[name]; t != nil && bytes.Equal(t.body, body[6:]) {
		return t, nil
	}
	e, err := m.parse(h, body)
	if err != nil {
		return nil, err
	}
	t := &streamTable{name: name, body: bytes.Clone(body[6:])}
	t.shape, t.err = m.s.streamShape(name, e)
	if t.shape != nil {
		n := len(t.shape.table.Columns)
		t.row, t.before = make([]schemas.Value, n), make([]schemas.Value, n)
	}
	m.newest[name] = t
	return t, nil
}

// parse has the library read a TABLE_MAP event.
func (m *tableMaps) parse(h *replication.EventHeader, body []byte) (*replication.TableMapEvent, error) {
	if m.parser == nil {
		return nil, errors.New("no FORMAT_DESCRIPTION event came before it")
	}
	raw := appendHeader(make([]byte, 0, headerSize+len(body)), h, len(body))
	e, err := m.parser.Parse(append(raw, body...))
	if err != nil {
		return nil, err
	}
	return e.Event.(*replication.TableMapEvent), nil
}

// mapName finds the names in a TABLE_MAP's body: after id and flags, each with its length before it and a zero behind it.
func mapName(body []byte) (schema, table []byte, err error) {
	rest := body[8:]
	for _, name := range []*[]byte{&schema, &table} {
		if len(rest) == 0 || len(rest) < int(rest[0])+2 {
			return nil, nil, errCut
		}
		*name = rest[1 : 1+rest[0]]
		rest = rest[2+int(rest[0]):]
	}
	return schema, table, nil
}

// appendHeader writes an event's header for a body without a checksum: time, type, server, size, the next event's place, flags.
func appendHeader(dst []byte, h *replication.EventHeader, body int) []byte {
	dst = le.AppendUint32(dst, h.Timestamp)
	dst = append(dst, byte(h.EventType))
	dst = le.AppendUint32(dst, h.ServerID)
	dst = le.AppendUint32(dst, uint32(headerSize+body))
	dst = le.AppendUint32(dst, h.LogPos)
	return le.AppendUint16(dst, h.Flags)
}

// streamShape is how the rows after a TABLE_MAP are read.
func (s *Source) streamShape(name string, e *replication.TableMapEvent) (*shape, error) {
	cols, err := columnsOf(e, s.collations.charsets, s.server.flavor)
	known := s.tables[name]
	switch {
	case errors.Is(err, errNoMetadata) && known != nil && sameTypes(e, known.columns):
		cols = known.columns
	case err != nil:
		return nil, err
	case known != nil:
		cols = adopt(cols, known.columns)
	}
	return newShape(cols, s.cfg.shapeConfig(name, s.collations))
}

// sameTypes says whether a TABLE_MAP without names could be of these columns.
func sameTypes(e *replication.TableMapEvent, cols []column) bool {
	if int(e.ColumnCount) != len(cols) {
		return false
	}
	for i := range cols {
		if typ, meta := realType(e.ColumnType[i], e.ColumnMeta[i]); typ != cols[i].typ || meta != cols[i].meta {
			return false
		}
	}
	return true
}

// changes reads a ROWS event.
func (st *stream) changes(ctx context.Context, kind rowKind, version int, compressed bool, body []byte) error {
	e := &st.rows
	if err := e.parse(kind, version, body); err != nil {
		return fmt.Errorf("read a ROWS event: %w", err)
	}
	if e.table == dummyTable {
		return nil
	}
	t, known := st.maps.byID[e.table]
	switch {
	case !known:
		return fmt.Errorf("read a ROWS event: no TABLE_MAP came for table %d", e.table)
	case t == nil || !t.own && st.reading(t.name):
		return nil
	case !st.group.open:
		return errors.New("read the binlog: a row outside of a transaction")
	case t.own:
	case st.group.own:
		st.s.metrics.own.Inc()
		return nil
	case st.group.prepared:
		return nil // they count from XA COMMIT on
	default:
		if ok, err := st.prepare(ctx, t, e); !ok || err != nil {
			return err
		}
	}
	images := e.images
	if compressed {
		var err error
		if images, err = st.inflater.unpack(images); err != nil {
			return err
		}
	}
	if t.own {
		return st.mark(t, images)
	}
	for len(images) > 0 {
		rest, err := st.change(ctx, t, kind, images)
		if err != nil {
			return err
		}
		if len(rest) >= len(images) {
			return fmt.Errorf("read a ROWS event of table %s: a row of no bytes", t.name)
		}
		images = rest
	}
	return nil
}

// prepare makes the table's rows readable. If they are not, it sees to it that the table is read anew, and gives false.
func (st *stream) prepare(ctx context.Context, t *streamTable, e *rowsEvent) (bool, error) {
	if errors.Is(t.err, errNoMetadata) {
		st.mistrust(t.name, "its rows were logged while binlog_row_metadata was not FULL")
		return false, nil
	}
	if t.err != nil {
		return false, t.err
	}
	if e.columns != len(t.shape.cols) {
		return false, fmt.Errorf("read a ROWS event of table %s: %d columns, not %d", t.name, e.columns, len(t.shape.cols))
	}
	if !t.shape.complete(e.old) || !t.shape.complete(e.new) {
		st.mistrust(t.name, "rows of it were not logged whole (binlog_row_image was not FULL)")
		return false, nil
	}
	if t.ready {
		return true, nil
	}
	// Whether its rows on the topic have these columns, or the definition changed in a way that left them as they are.
	if id := identityOf(t.shape.table); id != st.s.identities[t.name] {
		_, adjusted := st.adjusts[t.name]
		if !adjusted && st.blamed[t.name] != id {
			st.blamed[t.name] = id // once: should log and catalogue differ for good, it would be read for ever
			st.mistrust(t.name, "its columns changed without a word in the log")
			return false, nil
		}
		delete(st.adjusts, t.name)
		st.s.identify(map[string]identity{t.name: id})
	}
	var err error
	t.handle, err = st.s.declare(ctx, st.log, t.name, t.shape.table)
	t.ready = err == nil
	return t.ready, err
}

// change reads the first row of a ROWS event's images, pushes it, and gives what follows it.
func (st *stream) change(ctx context.Context, t *streamTable, kind rowKind, images []byte) (rest []byte, err error) {
	st.arena.reset()
	e := &st.rows
	op, row, before := capture.OpCreate, t.row, []schemas.Value(nil)
	switch kind {
	case inserts:
		rest, err = t.shape.image(t.row, images, e.new, &st.arena)
	case deletes:
		op = capture.OpDelete
		rest, err = t.shape.image(t.row, images, e.old, &st.arena)
	case updates:
		op = capture.OpUpdate
		if rest, err = t.shape.image(t.before, images, e.old, &st.arena); err == nil {
			rest, err = t.shape.image(t.row, rest, e.new, &st.arena)
		}
		if err == nil && t.moved() {
			before = t.before
		}
	}
	if err != nil {
		return nil, err
	}
	st.enter()
	if err := st.log.Change(ctx, t.handle, op, row, before, st.group.meta); err != nil {
		return nil, fmt.Errorf("capture a change of table %s: %w", t.name, err)
	}
	return rest, nil
}

// moved says whether the update that was read changed the key or the partition.
func (t *streamTable) moved() bool {
	for _, c := range t.shape.part {
		if !schemas.Equal(t.row[c], t.before[c]) {
			return true
		}
	}
	return false
}

// partial is a change of a part of a JSON column (binlog_row_value_options), which says nothing of the rest.
func (st *stream) partial(body []byte) error {
	if len(body) < 6 {
		return errCut
	}
	if t := st.maps.byID[little(body[:6])]; t != nil && !t.own && !st.group.own {
		st.mistrust(t.name, "a change of a part of a JSON value was logged (binlog_row_value_options was not empty)")
	}
	return nil
}

// truncate empties a table.
func (st *stream) truncate(ctx context.Context, table string) error {
	tr, ok := st.log.(capture.Truncater)
	if !ok {
		return &fault.Fault{
			Class: fault.Runtime, Cause: fault.Bug, Where: st.s.cfg.where(table), What: "the table was truncated, and the log cannot carry that",
			Fix: st.s.cfg.resnapshot(table),
		}
	}
	d, ok := st.s.declared[table]
	if !ok {
		known := st.s.tables[table]
		if known == nil {
			return nil
		}
		sh, err := newShape(known.columns, st.s.cfg.shapeConfig(table, st.s.collations))
		if err != nil {
			return err
		}
		if d.handle, err = st.s.declare(ctx, st.log, table, sh.table); err != nil {
			return err
		}
	}
	st.enter()
	if err := tr.Truncate(ctx, d.handle, st.group.meta); err != nil {
		return fmt.Errorf("capture a truncate of table %s: %w", table, err)
	}
	return nil
}

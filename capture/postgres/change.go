package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"shelfstream/capture"
	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// errUnexpectedNull is a null in a column that was declared without.
var errUnexpectedNull = errors.New("null in a column that is not nullable")

// change pushes the row change that was parsed.
func (st *stream) change(ctx context.Context) error {
	t := st.lookup(st.m.Relation)
	if t == nil || st.skip || (st.barrier != nil && st.barrier.tables[t.name]) {
		return nil // not captured; captured before; or below the position as of which the table will be read whole
	}
	if !st.open {
		return errors.New("read the stream: a change outside of a transaction")
	}
	if st.own {
		st.s.metrics.own.Inc()
		return nil
	}
	if !t.ready {
		if err := st.prepare(ctx, t); err != nil {
			return err
		}
	}
	st.arena.reset()
	op, row, before, err := st.rowChange(ctx, t)
	if err != nil {
		return err
	}
	st.enter()
	if err := st.log.Change(ctx, t.handle, op, row, before, st.meta); err != nil {
		return fmt.Errorf("capture a change of table %s: %w", t.name, err)
	}
	return nil
}

// rowChange decodes it.
func (st *stream) rowChange(ctx context.Context, t *streamTable) (op capture.Op, row, before []schemas.Value, err error) {
	m := &st.m
	switch m.Kind {
	case KindInsert:
		err = st.decodeRow(ctx, t, m.New, nil)
		return capture.OpCreate, t.row, nil, err
	case KindDelete:
		if m.OldKind == oldKey && t.beyondKey {
			return 0, nil, nil, st.s.identityFault(t.name, "a row was deleted, and its old value of a partition_by column is not in the log")
		}
		err = st.decodeOld(t, t.row, m)
		return capture.OpDelete, t.row, nil, err
	case KindUpdate:
		var old []Field
		if m.OldKind == oldRow {
			old = m.Old
		} else if t.beyondKey {
			return 0, nil, nil, st.s.identityFault(t.name, "a row was changed, and its old value of a partition_by column is not in the log")
		}
		err = st.decodeRow(ctx, t, m.New, old)
		if err != nil || m.OldKind == 0 || !t.moved(m) {
			return capture.OpUpdate, t.row, nil, err
		}
		err = st.decodeOld(t, t.before, m)
		return capture.OpUpdate, t.row, t.before, err
	case KindBegin, KindCommit, KindRelation, KindType, KindOrigin, KindTruncate, KindMessage:
	}
	return 0, nil, nil, fmt.Errorf("message %q is no row change", m.Kind)
}

// moved says whether an update may have changed the key or the partition. Equal texts are equal values; the log
// finds out whether different ones are.
func (t *streamTable) moved(m *Message) bool {
	for _, c := range t.part {
		i := t.from[c]
		if i >= len(m.Old) || i >= len(m.New) {
			return true
		}
		o, n := &m.Old[i], &m.New[i]
		if n.Kind != fieldUnchanged && (o.Kind != n.Kind || !bytes.Equal(o.Data, n.Data)) {
			return true
		}
	}
	return false
}

// decodeRow reads a whole new row into t.row. old is the old row, if it came whole: unchanged large values are taken from it.
func (st *stream) decodeRow(ctx context.Context, t *streamTable, fields, old []Field) error {
	for i := 0; i < len(t.types); {
		v, err := st.decodeField(t, i, fields, old)
		if err != nil {
			// If it is the shape that does not fit, it changes and the value is read again.
			if err := st.adapt(ctx, t, i, err); err != nil {
				return err
			}
			continue
		}
		t.row[i] = v
		i++
	}
	return nil
}

func (st *stream) decodeField(t *streamTable, i int, fields, old []Field) (schemas.Value, error) {
	at := t.from[i]
	if at >= len(fields) {
		return schemas.Null, fmt.Errorf("a tuple of table %s has %d columns, %d were described", t.name, len(fields), len(t.rel.columns))
	}
	f := &fields[at]
	if f.Kind == fieldUnchanged {
		// The key's old value comes by itself if it is stored out of line.
		if old == nil && st.m.OldKind == oldKey && at < len(st.m.Old) && st.m.Old[at].Kind == fieldText {
			old = st.m.Old
		}
		if at >= len(old) {
			return schemas.Null, st.s.identityFault(t.name, "an update left the large value of column "+t.table.Columns[i].Name+" as it was, and it is not in the log")
		}
		f = &old[at]
	}
	switch f.Kind {
	case fieldText:
		v, err := st.arena.decode(&t.types[i], f.Data)
		if err != nil && !isSymbolError(err) {
			err = st.s.columnFault(t.name, t.table.Columns[i].Name, err)
		}
		return v, err
	case fieldNull:
		if !t.table.Columns[i].Nullable {
			return schemas.Null, errUnexpectedNull
		}
		return schemas.Null, nil
	}
	return schemas.Null, fmt.Errorf("a field of table %s is of kind %q", t.name, f.Kind)
}

// decodeOld reads an old row: all of it, or the key's columns with the others null.
func (st *stream) decodeOld(t *streamTable, dst []schemas.Value, m *Message) error {
	for i := range t.types {
		dst[i] = schemas.Null
		at := t.from[i]
		if at >= len(m.Old) || m.Old[at].Kind != fieldText {
			continue
		}
		v, err := st.arena.decode(&t.types[i], m.Old[at].Data)
		if err != nil && isSymbolError(err) {
			// Only the key and partition_by matter of an old row, and they are compared as text.
			v, err = schemas.Value{Kind: schemas.KindEnum, Bytes: m.Old[at].Data}, nil
			if t.types[i].decoding == asArray {
				v = schemas.Null
			}
		}
		if err != nil {
			return st.s.columnFault(t.name, t.table.Columns[i].Name, err)
		}
		dst[i] = v
	}
	return nil
}

// isSymbolError is a function of its own because what errors.As is given lives on the heap, which must not cost every value.
func isSymbolError(err error) bool {
	var sym *symbolError
	return errors.As(err, &sym)
}

// truncate empties the tables of a TRUNCATE.
func (st *stream) truncate(ctx context.Context) error {
	if st.skip || st.own {
		return nil
	}
	for _, oid := range st.m.Relations {
		t := st.lookup(oid)
		if t == nil || (st.barrier != nil && st.barrier.tables[t.name]) {
			continue
		}
		if !t.ready {
			if err := st.prepare(ctx, t); err != nil {
				return err
			}
		}
		tr, ok := st.log.(capture.Truncater)
		if !ok {
			return &fault.Fault{
				Class: fault.Runtime, Cause: fault.Bug, Where: st.s.cfg.where(t.name), What: "the table was truncated, and the log cannot carry that",
				Fix: st.s.cfg.resnapshot(t.name),
			}
		}
		st.enter()
		if err := tr.Truncate(ctx, t.handle, st.meta); err != nil {
			return fmt.Errorf("capture a truncate of table %s: %w", t.name, err)
		}
	}
	return nil
}

// identityFault is a change whose old row would be needed. Preflight asks for it; somebody has set the identity back since, or the
// change is older than the ALTER.
func (s *Source) identityFault(table, what string) error {
	f := &fault.Fault{Class: fault.Environment, Cause: fault.PostgresReplicaIdentity, Where: s.cfg.where(table), What: what, Fix: s.cfg.resnapshot(table)}
	if t := s.catalog.tables[table]; t != nil {
		f.Fix = fullSQL(t) + " then " + f.Fix
	}
	return f
}

// fullSQL makes old rows come whole, in every partition.
func fullSQL(t *tableInfo) string {
	var sql strings.Builder
	sql.WriteString("ALTER TABLE " + t.sql() + " REPLICA IDENTITY FULL;")
	for i := range t.parts {
		if t.kind == 'p' {
			sql.WriteString(" ALTER TABLE " + t.parts[i].sql() + " REPLICA IDENTITY FULL;")
		}
	}
	return sql.String()
}

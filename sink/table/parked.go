package table

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/sink"
)

// maxHeld bounds what a session remembers of its parked records (16 bytes each); beyond it, every batch looks into the table.
const maxHeld = 100_000

// loadParked learns what is parked, and who waits for whom.
func (s *session) loadParked(ctx context.Context) error {
	clear(s.held)
	s.heldMore = false
	d := s.t.d
	return s.t.with(ctx, func(c Conn) error {
		q := "SELECT " + d.Quote("offset") + ", record_hash, waits_for FROM " + ParkedTable + " WHERE " + s.where() + " LIMIT " + strconv.Itoa(maxHeld+1)
		return query(ctx, c, q, func(vals [][]byte) error {
			var offset int64
			if err := Scan(vals, &offset); err != nil {
				return err
			}
			if len(s.held) >= maxHeld {
				s.heldMore = true
				return nil
			}
			s.held[sink.KeyHash(padded(d.ParseBytes(vals[1])))] = struct{}{}
			if waits := d.ParseBytes(vals[2]); len(waits) == len(waitKey{}) {
				s.t.holds.wait(s, waitKey(waits), offset)
			}
			return nil
		})
	})
}

func padded(hash []byte) []byte {
	if len(hash) == len(sink.KeyHash{}) {
		return hash
	}
	return make([]byte, len(sink.KeyHash{}))
}

// parkedColumns are what scanParked reads.
func (d *Dialect) parkedColumns() string {
	return d.Quote("offset") + ", record_id, record_key, cause, place, reason, fix, " + d.Micros("record_time") + ", " + d.Micros("first_seen")
}

func (d *Dialect) scanParked(vals [][]byte, p *sink.Parked) error {
	var at, since int64
	var cause, place, reason, fix string
	err := Scan(vals, &p.Offset, &p.ID, &p.Key, &cause, &place, &reason, &fix, &at, &since)
	p.ID = d.ParseBytes(p.ID)
	p.Fault = &fault.Fault{Class: fault.Runtime, Cause: fault.Cause(cause), Where: place, What: reason, Fix: fix}
	p.SourceTSMS, p.Since = at/1000, time.UnixMicro(since).UTC()
	return err
}

// Parked implements sink.Retrier.
func (s *session) Parked(ctx context.Context, after int64, limit int) ([]sink.Parked, error) {
	return s.readParked(ctx, fmt.Sprintf("%s > %d ORDER BY %[1]s LIMIT %[3]d", s.t.d.Quote("offset"), after, limit))
}

func (s *session) readParked(ctx context.Context, condition string) ([]sink.Parked, error) {
	var out []sink.Parked
	err := s.t.with(ctx, func(c Conn) error {
		return query(ctx, c, "SELECT "+s.t.d.parkedColumns()+" FROM "+ParkedTable+" WHERE "+s.where()+" AND "+condition, func(vals [][]byte) error {
			p := sink.Parked{Topic: s.p.View.Topic, Partition: s.p.ID}
			if err := s.t.d.scanParked(vals, &p); err != nil {
				return err
			}
			out = append(out, p)
			return nil
		})
	})
	if err != nil {
		return nil, s.explain(err)
	}
	return out, nil
}

// parkedBefore tells what the earlier attempt of a batch parked, after it turned out to be committed.
func (s *session) parkedBefore(ctx context.Context, next int64) ([]held, error) {
	list, err := s.readParked(ctx, fmt.Sprintf("%s >= %d AND %[1]s < %[3]d", s.t.d.Quote("offset"), s.place.Next, next))
	if err != nil {
		return nil, err
	}
	if err := s.loadParked(ctx); err != nil {
		return nil, s.explain(err)
	}
	out := make([]held, len(list))
	for i := range list {
		out[i] = held{Parked: list[i], hash: sink.HashKey(list[i].ID)}
	}
	return out, nil
}

// appendParked writes the statements that keep shelfstream_parked true: rows of keys whose newer record applies leave, those of newly parked records come.
func (s *session) appendParked(b *packetBuilder, applied []*sink.Record, gone [][]byte, parked []held) {
	d := s.t.d
	offset := d.Quote("offset")
	if len(s.held) > 0 || s.heldMore {
		l := hashList{d: d}
		for _, r := range applied {
			if h := sink.HashKey(r.Key); s.heldMore || s.has(h) {
				l.add(h)
			}
		}
		for _, id := range gone {
			l.add(sink.HashKey(id))
		}
		b.chunks("DELETE FROM "+ParkedTable+" WHERE "+s.where()+" AND record_hash IN (", l.list, l.ends, 1, ")")
		l = hashList{d: d}
		for i := range parked {
			if s.heldMore || s.has(parked[i].hash) {
				l.add(parked[i].hash)
			}
		}
		var offsets []byte
		for i := range parked {
			if i > 0 {
				offsets = append(offsets, ',')
			}
			offsets = strconv.AppendInt(offsets, parked[i].Offset, 10)
		}
		b.chunks("DELETE FROM "+ParkedTable+" WHERE "+s.where()+" AND record_hash IN (", l.list, l.ends, 1, ") AND "+offset+" NOT IN ("+string(offsets)+")")
	}
	var rows []byte
	var ends []int
	for i := range parked {
		if i > 0 {
			rows = append(rows, ',')
		}
		rows = s.appendParkedRow(rows, &parked[i])
		ends = append(ends, len(rows))
	}
	var set strings.Builder
	set.WriteString(d.Conflict([]string{"sink", "topic", "partition", "offset"}))
	for _, c := range []string{"cause", "place", "reason", "fix", "waits_for", "last_tried"} {
		set.WriteString(c + " = " + d.New(c) + ", ")
	}
	b.chunks("INSERT INTO "+ParkedTable+" (sink, topic, "+d.Quote("partition")+", "+offset+", record_id, record_hash, record_key, cause, place, reason, fix, waits_for, record_time, first_seen, last_tried, attempts) VALUES ",
		rows, ends, 1, set.String()+"attempts = "+ParkedTable+".attempts + 1")
}

func (s *session) has(h sink.KeyHash) bool { _, ok := s.held[h]; return ok }

func (s *session) appendParkedRow(dst []byte, h *held) []byte {
	d, f := s.t.d, *h.Fault
	reason := f.What
	if f.Err != nil {
		reason += ": " + f.Err.Error()
	}
	id := h.ID
	if len(id) > 1000 {
		id = id[:1000]
	}
	text := func(v string, limit int) {
		b := validText(cut(v, limit))
		if s.plainNotes {
			b = plainText(b)
		}
		dst = d.Text(dst, b)
		dst = append(dst, ", "...)
	}
	dst = append(dst, '(')
	dst = append(dst, s.keyLiterals...)
	dst = strconv.AppendInt(dst, h.Offset, 10)
	dst = append(dst, ", "...)
	dst = d.Bytes(dst, id)
	dst = append(dst, ", "...)
	dst = d.Bytes(dst, h.hash[:])
	dst = append(dst, ", "...)
	text(h.Key, 4000)
	text(string(f.Cause), 64)
	text(f.Where, 4000)
	text(reason, 16000)
	text(f.Fix, 16000)
	if h.waitsFor == (waitKey{}) {
		dst = append(dst, "NULL, "...)
	} else {
		dst = append(d.Bytes(dst, h.waitsFor[:]), ", "...)
	}
	if h.SourceTSMS <= 0 {
		dst = append(dst, "NULL, "...)
	} else {
		dst = time.UnixMilli(h.SourceTSMS).UTC().AppendFormat(dst, "'2006-01-02 15:04:05.000', ")
	}
	return append(dst, d.Now+", "+d.Now+", 1)"...)
}

// hashList collects hashes for IN.
type hashList struct {
	d    *Dialect
	list []byte
	ends []int
}

func (l *hashList) add(h sink.KeyHash) {
	if len(l.list) > 0 {
		l.list = append(l.list, ',')
	}
	l.list = l.d.Bytes(l.list, h[:])
	l.ends = append(l.ends, len(l.list))
}

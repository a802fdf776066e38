package mysql

import (
	"context"
	"fmt"
	"strconv"
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
	return scanAll(ctx, s.t.db, "SELECT `offset`, record_hash, waits_for FROM shelfstream_parked WHERE "+s.where()+" LIMIT "+strconv.Itoa(maxHeld+1),
		func(scan func(...any) error) error {
			var offset int64
			var hash, waits []byte
			if err := scan(&offset, &hash, &waits); err != nil {
				return err
			}
			if len(s.held) >= maxHeld {
				s.heldMore = true
				return nil
			}
			s.held[sink.KeyHash(padded(hash))] = struct{}{}
			if len(waits) == len(waitKey{}) {
				s.t.holds.wait(s, waitKey(waits), offset)
			}
			return nil
		})
}

func padded(hash []byte) []byte {
	if len(hash) == len(sink.KeyHash{}) {
		return hash
	}
	return make([]byte, len(sink.KeyHash{}))
}

const parkedColumns = "`offset`, record_id, record_key, cause, place, reason, fix, COALESCE(ROUND(UNIX_TIMESTAMP(record_time) * 1000), 0), UNIX_TIMESTAMP(first_seen)"

// scanParked reads parkedColumns, after what stands before them.
func scanParked(scan func(...any) error, p *sink.Parked, before ...any) error {
	p.Fault = &fault.Fault{Class: fault.Runtime}
	var ms, since float64
	err := scan(append(before, &p.Offset, &p.ID, &p.Key, &p.Fault.Cause, &p.Fault.Where, &p.Fault.What, &p.Fault.Fix, &ms, &since)...)
	p.SourceTSMS, p.Since = int64(ms), time.UnixMicro(int64(since*1e6)).UTC()
	return err
}

// Parked implements sink.Retrier.
func (s *session) Parked(ctx context.Context, after int64, limit int) ([]sink.Parked, error) {
	return s.readParked(ctx, fmt.Sprintf("`offset` > %d ORDER BY `offset` LIMIT %d", after, limit))
}

func (s *session) readParked(ctx context.Context, condition string) ([]sink.Parked, error) {
	var out []sink.Parked
	err := scanAll(ctx, s.t.db, "SELECT "+parkedColumns+" FROM shelfstream_parked WHERE "+s.where()+" AND "+condition, func(scan func(...any) error) error {
		p := sink.Parked{Topic: s.p.View.Topic, Partition: s.p.ID}
		if err := scanParked(scan, &p); err != nil {
			return err
		}
		out = append(out, p)
		return nil
	})
	if err != nil {
		return nil, s.explain(err)
	}
	return out, nil
}

// parkedBefore tells what the earlier attempt of a batch parked, after it turned out to be committed.
func (s *session) parkedBefore(ctx context.Context, next int64) ([]held, error) {
	list, err := s.readParked(ctx, fmt.Sprintf("`offset` >= %d AND `offset` < %d", s.place.Next, next))
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
	if len(s.held) > 0 || s.heldMore {
		var l hashList
		for _, r := range applied {
			if h := sink.HashKey(r.Key); s.heldMore || s.has(h) {
				l.add(h)
			}
		}
		for _, id := range gone {
			l.add(sink.HashKey(id))
		}
		b.chunks("DELETE FROM shelfstream_parked WHERE "+s.where()+" AND record_hash IN (", l.list, l.ends, 1, ")")
		l = hashList{}
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
		b.chunks("DELETE FROM shelfstream_parked WHERE "+s.where()+" AND record_hash IN (", l.list, l.ends, 1, ") AND `offset` NOT IN ("+string(offsets)+")")
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
	b.chunks("INSERT INTO shelfstream_parked (sink, topic, `partition`, `offset`, record_id, record_hash, record_key, cause, place, reason, fix, waits_for, record_time, first_seen, last_tried, attempts) VALUES ",
		rows, ends, 1, " ON DUPLICATE KEY UPDATE cause = VALUES(cause), place = VALUES(place), reason = VALUES(reason), fix = VALUES(fix), waits_for = VALUES(waits_for), last_tried = VALUES(last_tried), attempts = attempts + 1")
}

func (s *session) has(h sink.KeyHash) bool { _, ok := s.held[h]; return ok }

func (s *session) appendParkedRow(dst []byte, h *held) []byte {
	f := *h.Fault
	reason := f.What
	if f.Err != nil {
		reason += ": " + f.Err.Error()
	}
	id := h.ID
	if len(id) > 1000 {
		id = id[:1000]
	}
	text := func(v string, limit int) {
		dst = appendText(dst, validText(cut(v, limit)))
		dst = append(dst, ", "...)
	}
	dst = append(dst, '(')
	dst = append(dst, s.keyLiterals...)
	dst = strconv.AppendInt(dst, h.Offset, 10)
	dst = append(dst, ", "...)
	dst = appendBinary(dst, id)
	dst = append(dst, ", "...)
	dst = appendBinary(dst, h.hash[:])
	dst = append(dst, ", "...)
	text(h.Key, 4000)
	text(string(f.Cause), 64)
	text(f.Where, 4000)
	text(reason, 16000)
	text(f.Fix, 16000)
	if h.waitsFor == (waitKey{}) {
		dst = append(dst, "NULL, "...)
	} else {
		dst = append(appendBinary(dst, h.waitsFor[:]), ", "...)
	}
	if h.SourceTSMS <= 0 {
		dst = append(dst, "NULL, "...)
	} else {
		dst = time.UnixMilli(h.SourceTSMS).UTC().AppendFormat(dst, "'2006-01-02 15:04:05.000', ")
	}
	return append(dst, "UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 1)"...)
}

// hashList collects hashes for IN.
type hashList struct {
	list []byte
	ends []int
}

func (l *hashList) add(h sink.KeyHash) {
	if len(l.list) > 0 {
		l.list = append(l.list, ',')
	}
	l.list = appendBinary(l.list, h[:])
	l.ends = append(l.ends, len(l.list))
}

package postgres

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pglogrepl"

	"shelfstream/capture"
)

// LSN is a place in the write-ahead log. As a capture.Position it is written as PostgreSQL writes it, "0/16B3748", and means the end of
// a transaction's commit record: everything whose commit ends there or before is captured.
type LSN = pglogrepl.LSN

// position writes an LSN.
func position(l LSN) capture.Position {
	var b [17]byte
	s := strconv.AppendUint(b[:0], uint64(l)>>32, 16)
	s = append(s, '/')
	s = strconv.AppendUint(s, uint64(uint32(l)), 16)
	for i, c := range s {
		if c >= 'a' {
			s[i] = c - 'a' + 'A'
		}
	}
	return capture.Position(s)
}

// parsePosition reads what position writes.
func parsePosition(p capture.Position) (LSN, error) {
	high, low, ok := strings.Cut(string(p), "/")
	h, err1 := strconv.ParseUint(high, 16, 32)
	l, err2 := strconv.ParseUint(low, 16, 32)
	if !ok || err1 != nil || err2 != nil {
		return 0, fmt.Errorf("%q is no LSN", string(p))
	}
	return LSN(h<<32 | l), nil
}

// postgresEpochUS is 2000-01-01 in microseconds since 1970-01-01.
const postgresEpochUS = 946_684_800 * usPerSecond

package mysql

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/klauspost/compress/zstd"
)

// errCut is an event that ends before its fields do.
var errCut = errors.New("the event is cut off")

const headerSize = replication.EventHeaderSize

// rowsEvent is a ROWS event; its fields refer to the event's bytes.
type rowsEvent struct {
	table    uint64
	flags    uint16
	columns  int
	old, new bitmap // the columns that the images have; of an insert only new, of a delete only old
	images   []byte
}

const (
	// endOfStatement in a ROWS event's flags says that the table maps before it count no more.
	endOfStatement = 1
	// dummyTable is the table id of a ROWS event that has nothing but its flags.
	dummyTable = 0xffffff
)

// rowKind is what a ROWS event does.
type rowKind byte

const (
	inserts rowKind = iota
	updates
	deletes
)

// rowsFormat says how an event type is read; ok is false for one that is no ROWS event.
func rowsFormat(t replication.EventType) (kind rowKind, version int, compressed, ok bool) {
	switch t { //nolint:exhaustive // all others are none
	case replication.WRITE_ROWS_EVENTv1:
		return inserts, 1, false, true
	case replication.UPDATE_ROWS_EVENTv1:
		return updates, 1, false, true
	case replication.DELETE_ROWS_EVENTv1:
		return deletes, 1, false, true
	case replication.WRITE_ROWS_EVENTv2:
		return inserts, 2, false, true
	case replication.UPDATE_ROWS_EVENTv2:
		return updates, 2, false, true
	case replication.DELETE_ROWS_EVENTv2:
		return deletes, 2, false, true
	case replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1:
		return inserts, 1, true, true
	case replication.MARIADB_UPDATE_ROWS_COMPRESSED_EVENT_V1:
		return updates, 1, true, true
	case replication.MARIADB_DELETE_ROWS_COMPRESSED_EVENT_V1:
		return deletes, 1, true, true
	}
	return 0, 0, false, false
}

// parse reads a ROWS event's body (MySQL source code documentation, "Rows_event"): the table id in 6 bytes, 2 of flags, in version 2 extra data whose length
// counts its own 2 bytes, the number of columns, and for each kind of image a bitmap of the columns it has.
func (e *rowsEvent) parse(kind rowKind, version int, body []byte) error {
	if len(body) < 8 {
		return errCut
	}
	e.table, e.flags = little(body[:6]), binary.LittleEndian.Uint16(body[6:])
	body = body[8:]
	if version == 2 {
		if len(body) < 2 {
			return errCut
		}
		extra := int(binary.LittleEndian.Uint16(body))
		if extra < 2 || extra > len(body) {
			return errCut
		}
		body = body[extra:]
	}
	if len(body) == 0 {
		return errCut
	}
	columns, _, n := mysql.LengthEncodedInt(body)
	size := (int(columns) + 7) / 8
	bitmaps := 1
	if kind == updates {
		bitmaps = 2
	}
	if n == 0 || columns > 1<<16 || len(body) < n+bitmaps*size {
		return errCut
	}
	e.columns = int(columns)
	body = body[n:]
	e.old, e.new = bitmap(body[:size]), bitmap(body[:size])
	body = body[size:]
	if kind == updates {
		e.new = bitmap(body[:size])
		body = body[size:]
	}
	e.images = body
	return nil
}

// queryEvent is the text of a QUERY event, and the database it is meant for.
type queryEvent struct{ schema, text []byte }

// loadHeader is what an EXECUTE_LOAD_QUERY event has more in its header than a QUERY event.
const loadHeader = 13

func parseQuery(body []byte, more int) (q queryEvent, err error) {
	const fixed = 13 // thread id, seconds it took, length of the schema, error, length of the status variables
	if len(body) < fixed+more {
		return q, errCut
	}
	schema, status := int(body[8]), int(binary.LittleEndian.Uint16(body[11:]))
	body = body[fixed+more:]
	if len(body) < status+schema+1 {
		return q, errCut
	}
	q.schema = body[status : status+schema]
	q.text = body[status+schema+1:]
	return q, nil
}

// inflater unpacks what MariaDB compressed (log_bin_compress), into a buffer that it uses again.
type inflater struct {
	source bytes.Reader
	zlib   io.ReadCloser
	buf    []byte
}

// maxEvent bounds what an event may become: no server writes a larger one.
const maxEvent = 1 << 30

// unpack reads a compressed part: a byte whose low three bits count the bytes of the length that follow, high byte first, then zlib's stream.
func (f *inflater) unpack(b []byte) ([]byte, error) {
	if len(b) == 0 || len(b) < 1+int(b[0]&7) {
		return nil, errCut
	}
	digits := int(b[0] & 7)
	size := big(b[1 : 1+digits])
	if size > maxEvent {
		return nil, fmt.Errorf("unpack an event: it says that it has %d bytes", size)
	}
	f.source.Reset(b[1+digits:])
	var err error
	if f.zlib == nil {
		f.zlib, err = zlib.NewReader(&f.source)
	} else {
		err = f.zlib.(zlib.Resetter).Reset(&f.source, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("unpack an event: %w", err)
	}
	f.buf = grown(f.buf, int(size))
	if _, err := io.ReadFull(f.zlib, f.buf); err != nil {
		return nil, fmt.Errorf("unpack an event: %w", err)
	}
	return f.buf, nil
}

// grown gives a buffer of n bytes, the given one if it is large enough and not far too large.
func grown(buf []byte, n int) []byte {
	if cap(buf) < n || cap(buf) > keepBytes && n < keepBytes {
		return make([]byte, n)
	}
	return buf[:n]
}

// payload reads the events of a compressed transaction of MySQL one after another, so that a large one needs no more memory than a small one.
type payload struct {
	source bytes.Reader
	zstd   *zstd.Decoder
	header [headerSize]byte
	buf    []byte
}

// The fields of a TRANSACTION_PAYLOAD event (MySQL source code documentation, "Transaction_payload"): type, length and value, up to the end mark.
const (
	payloadEnd         = 0
	payloadCompression = 2
	payloadZstd        = 0
	payloadPlain       = 255
)

// open takes up a TRANSACTION_PAYLOAD event's body.
func (p *payload) open(body []byte) (io.Reader, error) {
	compression := uint64(payloadPlain)
	for {
		field, n, err := lengthEncoded(body)
		if err != nil {
			return nil, err
		}
		body = body[n:]
		if field == payloadEnd {
			break
		}
		length, n, err := lengthEncoded(body)
		if err != nil || length > uint64(len(body)-n) {
			return nil, errCut
		}
		if field == payloadCompression {
			if compression, _, err = lengthEncoded(body[n:]); err != nil {
				return nil, err
			}
		}
		body = body[n+int(length):]
	}
	p.source.Reset(body)
	switch compression {
	case payloadPlain:
		return &p.source, nil
	case payloadZstd:
	default:
		return nil, fmt.Errorf("a transaction is compressed in a way (%d) that is not known", compression)
	}
	var err error
	if p.zstd == nil {
		p.zstd, err = zstd.NewReader(&p.source, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	} else {
		err = p.zstd.Reset(&p.source)
	}
	if err != nil {
		return nil, fmt.Errorf("unpack a transaction: %w", err)
	}
	return p.zstd, nil
}

// each calls fn with each event's header and body, which are valid during the call.
func (p *payload) each(body []byte, fn func(h *replication.EventHeader, body []byte) error) error {
	r, err := p.open(body)
	if err != nil {
		return err
	}
	for {
		if _, err := io.ReadFull(r, p.header[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("unpack a transaction: %w", err)
		}
		var h replication.EventHeader
		if err := h.Decode(p.header[:]); err != nil {
			return fmt.Errorf("unpack a transaction: %w", err)
		}
		if h.EventSize < headerSize || h.EventSize > maxEvent {
			return fmt.Errorf("unpack a transaction: an event of %d bytes", h.EventSize)
		}
		p.buf = grown(p.buf, int(h.EventSize)-headerSize)
		if _, err := io.ReadFull(r, p.buf); err != nil {
			return fmt.Errorf("unpack a transaction: %w", err)
		}
		if err := fn(&h, p.buf); err != nil {
			return err
		}
	}
}

func (p *payload) close() {
	if p.zstd != nil {
		p.zstd.Close()
	}
}

// lengthEncoded reads a length-encoded number.
func lengthEncoded(b []byte) (n uint64, size int, err error) {
	if len(b) == 0 {
		return 0, 0, errCut
	}
	want := map[byte]int{0xfc: 3, 0xfd: 4, 0xfe: 9}[b[0]]
	if len(b) < max(want, 1) {
		return 0, 0, errCut
	}
	n, _, size = mysql.LengthEncodedInt(b)
	return n, size, nil
}

package capture

import (
	"encoding/binary"
	"strconv"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// tableShape is a declared table: how its rows are written. It never changes; a new declaration makes a new one.
type tableShape struct {
	state      *topicState
	table      *schemas.Table
	codec      *schemas.Codec
	keyFrame   []byte // 0x00 and the schema id
	valueFrame []byte
	route      []int // columns whose values choose the partition
	byKey      bool  // route is the key
	specials   []int // columns that may hold what Avro cannot: NaN and infinity in decimals, dates that no calendar has
}

// encoder turns rows into records. It owns its buffers and is used by one goroutine; what it returns is valid until its next use.
type encoder struct {
	key, oldKey, value []byte
	route              []schemas.Value
	row                []schemas.Value
	headers            []kafka.Header
	timeText           []byte
	position, txid     []byte
	op                 [1]byte
	special            []byte
	lastTimeUS         int64
}

// the places of the fixed headers.
const (
	atOp = iota
	atTime
	atPosition
	atTransaction
	fixedHeaders
)

func newEncoder() *encoder {
	e := &encoder{headers: make([]kafka.Header, fixedHeaders, fixedHeaders+4), lastTimeUS: -1}
	e.headers[atOp] = kafka.Header{Key: HeaderOp, Value: e.op[:]}
	e.headers[atTime].Key = HeaderSourceTime
	e.headers[atPosition].Key = HeaderPosition
	e.headers[atTransaction].Key = HeaderTransaction
	return e
}

// meta sets what the headers say of the change; op is set per record.
func (e *encoder) meta(at Meta) {
	if at.CommitTimeUS != e.lastTimeUS || e.timeText == nil {
		e.timeText = strconv.AppendInt(e.timeText[:0], at.CommitTimeUS/1000, 10)
		e.lastTimeUS = at.CommitTimeUS
		e.headers[atTime].Value = e.timeText
	}
	if string(e.position) != string(at.Position) || e.position == nil {
		e.position = append(e.position[:0], at.Position...)
	}
	if string(e.txid) != at.Transaction || e.txid == nil {
		e.txid = append(e.txid[:0], at.Transaction...)
	}
	e.headers[atPosition].Value = e.position
	e.headers[atTransaction].Value = e.txid
}

// partition routes a row.
func (e *encoder) partition(t *tableShape, row []schemas.Value) int32 {
	e.route = e.route[:0]
	for _, c := range t.route {
		e.route = append(e.route, row[c])
	}
	return schemas.Partition(e.route, len(t.state.base))
}

// appendKey writes the framed key of a row.
func (t *tableShape) appendKey(dst []byte, row []schemas.Value) ([]byte, error) {
	dst, err := t.codec.AppendKey(append(dst, t.keyFrame...), row)
	if err != nil {
		return dst, t.refuse("its key cannot be written", err)
	}
	return dst, nil
}

// record makes the record of a whole row. Values that Avro cannot hold are published as null and named in a header. A *refusal is of this
// row alone; with it comes the key, if that can be written.
func (e *encoder) record(t *tableShape, op Op, row []schemas.Value) (key, value []byte, headers []kafka.Header, err error) {
	if len(row) != len(t.table.Columns) {
		return nil, nil, nil, protocolError("a row of table %s has %d values, %d were declared", t.state.table, len(row), len(t.table.Columns))
	}
	if e.key, err = t.appendKey(e.key[:0], row); err != nil {
		e.op[0] = byte(op)
		return nil, nil, nil, err
	}
	e.op[0] = byte(op)
	headers = e.headers[:fixedHeaders]
	for _, c := range t.specials {
		if row[c].IsSpecial() {
			row, headers = e.withoutSpecials(t, row, headers)
			break
		}
	}
	e.value, err = t.codec.AppendValue(append(e.value[:0], t.valueFrame...), row)
	if err != nil {
		return e.key, nil, headers, t.refuse("it cannot be written", err)
	}
	return e.key, e.value, headers, nil
}

// withoutSpecials is record's rare path.
func (e *encoder) withoutSpecials(t *tableShape, row []schemas.Value, headers []kafka.Header) ([]schemas.Value, []kafka.Header) {
	e.row = append(e.row[:0], row...)
	e.special = e.special[:0]
	var ends []int
	for _, c := range t.specials {
		if row[c].IsSpecial() {
			e.special = append(e.special, t.table.Columns[c].Name...)
			e.special = append(e.special, '=')
			e.special = append(e.special, row[c].String()...)
			ends = append(ends, len(e.special))
			e.row[c] = schemas.Null
		}
	}
	begin := 0
	for _, end := range ends {
		headers = append(headers, kafka.Header{Key: HeaderSpecial, Value: e.special[begin:end]})
		begin = end
	}
	e.headers = headers[:fixedHeaders]
	return e.row, headers
}

// tombstone makes the headers of a delete.
func (e *encoder) tombstone() []kafka.Header {
	e.op[0] = byte(OpDelete)
	return e.headers[:fixedHeaders]
}

// refuse says that a row cannot be written, whatever else can.
func (t *tableShape) refuse(what string, err error) error {
	return &refusal{what: what, err: err}
}

// splitFrame takes a record's key apart: the schema frame (nil if it has none) and the rest.
func splitFrame(key []byte) (frame, body []byte) {
	if len(key) >= frameLen && key[0] == 0 {
		return key[:frameLen], key[frameLen:]
	}
	return nil, key
}

// frameLen is the magic byte and the schema id.
const frameLen = 5

func frameID(frame []byte) int32 { return int32(binary.BigEndian.Uint32(frame[1:])) }

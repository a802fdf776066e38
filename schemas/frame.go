package schemas

import (
	"encoding/binary"
	"fmt"
)

// frameSize is the length of what stands before an Avro body in Confluent's wire format: a zero byte and the schema's id,
// 4 bytes big-endian.
const frameSize = 5

// AppendFrame appends the start of a message in Confluent's wire format; the Avro body follows.
func AppendFrame(dst []byte, schemaID int32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0), uint32(schemaID))
}

// ParseFrame splits a message in Confluent's wire format into the schema's id and the Avro body, which aliases b. The error says
// that b is no such message.
func ParseFrame(b []byte) (schemaID int32, body []byte, err error) {
	if len(b) < frameSize {
		return 0, nil, fmt.Errorf("not Avro in Confluent's wire format: %d bytes, and 5 stand before the body", len(b))
	}
	if b[0] != 0 {
		return 0, nil, fmt.Errorf("not Avro in Confluent's wire format: the first byte is 0x%02x, not 0", b[0])
	}
	return int32(binary.BigEndian.Uint32(b[1:])), b[frameSize:], nil
}

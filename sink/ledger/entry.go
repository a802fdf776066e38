package ledger

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// State says how far a delivery is.
type State uint8

// The states, in the order in which a delivery goes through them.
const (
	// Intended: it may have happened; a crash leaves it so.
	Intended State = iota + 1
	// Delivered: the target has it.
	Delivered
	// Acknowledged: whoever reads there has taken it.
	Acknowledged
	// Refused: whoever reads there has refused it.
	Refused
)

var stateNames = map[State]string{Intended: "intended", Delivered: "delivered", Acknowledged: "acknowledged", Refused: "refused"}

// String is the state's name in the topic.
func (s State) String() string { return stateNames[s] }

// MarshalText writes the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the state's name.
func (s *State) UnmarshalText(text []byte) error {
	for state, name := range stateNames {
		if name == string(text) {
			*s = state
			return nil
		}
	}
	return fmt.Errorf("%q is no state of a delivery", text)
}

// Entry is what is known of the newest delivery of a key.
type Entry struct {
	// Key is the record's key, sink.Record.Key.
	Key   []byte
	State State
	// Offset is the record's that was delivered.
	Offset int64
	// Hash is of the payload, by which a record that changes nothing in it is known.
	Hash uint64
	// Name is the file's name, or the idempotency key.
	Name string
	// Temp is whatever else the connector needs to finish an intended delivery; it is kept while the entry is intended, and no longer.
	Temp string
	// Answer is what the other side said: the ERP's order number, or why it refused.
	Answer string
	// Attempt counts deliveries of the key, from 1.
	Attempt int
	At      time.Time
}

// wireEntry is an entry as the topic has it; its key is the record's.
type wireEntry struct {
	State   State     `json:"state"`
	Offset  int64     `json:"offset"`
	Hash    string    `json:"hash,omitempty"` // hexadecimal: JSON's numbers are too short
	Name    string    `json:"name,omitempty"`
	Temp    string    `json:"temp,omitempty"`
	Answer  string    `json:"answer,omitempty"`
	Attempt int       `json:"attempt,omitempty"`
	At      time.Time `json:"at"`
}

func (e *Entry) encode() ([]byte, error) {
	w := wireEntry{State: e.State, Offset: e.Offset, Hash: strconv.FormatUint(e.Hash, 16), Name: e.Name, Answer: e.Answer, Attempt: e.Attempt, At: e.At.UTC()}
	if e.State == Intended {
		w.Temp = e.Temp
	}
	return json.Marshal(w)
}

func decodeEntry(key, value []byte) (Entry, error) {
	var w wireEntry
	if err := json.Unmarshal(value, &w); err != nil {
		return Entry{}, err
	}
	hash, err := strconv.ParseUint(w.Hash, 16, 64)
	return Entry{
		Key: append([]byte(nil), key...), State: w.State, Offset: w.Offset, Hash: hash, Name: w.Name, Temp: w.Temp, Answer: w.Answer, Attempt: w.Attempt, At: w.At,
	}, err
}

// packed is an entry without its key, as memory keeps the many that nobody waits for: a header and two texts.
type packed string

const packedHeader = 1 + 8 + 8 + 8 + 4 + 2

func (e *Entry) pack() packed {
	name := e.Name[:min(len(e.Name), 1<<16-1)]
	b := make([]byte, packedHeader, packedHeader+len(name)+len(e.Answer))
	b[0] = byte(e.State)
	binary.LittleEndian.PutUint64(b[1:], uint64(e.Offset))
	binary.LittleEndian.PutUint64(b[9:], e.Hash)
	binary.LittleEndian.PutUint64(b[17:], uint64(e.At.UnixMicro()))
	binary.LittleEndian.PutUint32(b[25:], uint32(e.Attempt))
	binary.LittleEndian.PutUint16(b[29:], uint16(len(name)))
	b = append(b, name...)
	return packed(append(b, e.Answer...))
}

func (p packed) unpack(key []byte) Entry {
	b := []byte(p[:packedHeader])
	end := packedHeader + int(binary.LittleEndian.Uint16(b[29:]))
	return Entry{
		Key: key, State: State(b[0]), Offset: int64(binary.LittleEndian.Uint64(b[1:])), Hash: binary.LittleEndian.Uint64(b[9:]),
		At: time.UnixMicro(int64(binary.LittleEndian.Uint64(b[17:]))).UTC(), Attempt: int(binary.LittleEndian.Uint32(b[25:])),
		Name: string(p[packedHeader:end]), Answer: string(p[end:]),
	}
}

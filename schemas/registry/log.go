package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// appendTimeout is how long a log may take to make a record durable before the client is told that it failed.
const appendTimeout = 30 * time.Second

// Log is where a Server keeps its state: a compacted topic, or anything else that keeps the newest value of each key.
type Log interface {
	// Append adds a record and returns when it is durable.
	Append(ctx context.Context, key, value []byte) error
	// Replay calls fn with every record in the order in which they were appended, and returns fn's first error. Superseded
	// records may be missing. A nil value deletes its key. key and value are valid during the call only.
	Replay(ctx context.Context, fn func(key, value []byte) error) error
}

// The kinds of records, by the names they have in Confluent's _schemas topic.
const (
	recordSchema        = "SCHEMA"
	recordConfig        = "CONFIG"
	recordDeleteSubject = "DELETE_SUBJECT"
)

// recordKey is a record's key. The order of its members is that of Confluent's.
type recordKey struct {
	Type    string  `json:"keytype"`
	Subject *string `json:"subject"` // nil in the CONFIG of all subjects
	Version int     `json:"version,omitempty"`
	Magic   int     `json:"magic"`
}

type schemaRecord struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
	ID      int32  `json:"id"`
	Schema  string `json:"schema"`
	Deleted bool   `json:"deleted"`
}

type configRecord struct {
	Level string `json:"compatibilityLevel"`
}

// deleteSubjectRecord marks the versions up to Version as deleted.
type deleteSubjectRecord struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// append writes a record and, once it is durable, applies it. value nil deletes the key.
func (s *Server) append(ctx context.Context, key recordKey, value any) error {
	k, err := json.Marshal(key)
	if err != nil {
		return err
	}
	var v []byte
	if value != nil {
		if v, err = json.Marshal(value); err != nil {
			return err
		}
	}
	// Once begun, an append is seen through: a client that hangs up must not leave us not knowing whether the record is there.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTimeout)
	defer cancel()
	if err := s.log.Append(ctx, k, v); err != nil {
		// It may be there all the same, and a replay will find it: its id must never mean another schema.
		if r, ok := value.(schemaRecord); ok {
			s.state.newest = max(s.state.newest, r.ID)
		}
		return err
	}
	return s.state.apply(k, v)
}

// apply changes the state by one record of the log.
func (st *state) apply(key, value []byte) error {
	var k recordKey
	if err := json.Unmarshal(key, &k); err != nil {
		return fmt.Errorf("apply registry record with key %q: %w", key, err)
	}
	var err error
	switch k.Type {
	case recordSchema:
		// We never delete a schema for good: topics still carry its id.
		if value != nil {
			var r schemaRecord
			if err = json.Unmarshal(value, &r); err == nil {
				st.putSchema(r)
			}
		}
	case recordConfig:
		var r configRecord
		if value != nil {
			err = json.Unmarshal(value, &r)
		}
		if err == nil {
			st.putLevel(k.Subject, r.Level)
		}
	case recordDeleteSubject:
		var r deleteSubjectRecord
		if value != nil {
			if err = json.Unmarshal(value, &r); err == nil {
				st.deleteSubject(r.Subject, r.Version)
			}
		}
	default: // Confluent has more (NOOP, MODE, CLEAR_SUBJECT); they say nothing that we keep
	}
	if err != nil {
		return fmt.Errorf("apply registry record with key %q: %w", key, err)
	}
	return nil
}

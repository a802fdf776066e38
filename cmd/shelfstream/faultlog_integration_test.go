//go:build integration

package main

import (
	wire "encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	kgo "github.com/segmentio/kafka-go"

	"shelfstream/internal/kafka"
)

// records counts what stands in a topic, tombstones too.
func (f *faultWorld) records(t *testing.T, topic string) (n int) {
	t.Helper()
	partitions, err := f.client.Partitions(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for p := range partitions {
		if err := f.client.Scan(t.Context(), topic, int32(p), 0, -1, func(*kafka.Record) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// group has a member join a consumer group that knows none of the ways in which ours share out partitions.
func (f *faultWorld) group(t *testing.T, what string) string {
	t.Helper()
	if what == "leave" {
		closeServer(t, f.member.Close)
		return ""
	}
	var err error
	f.member, err = kgo.NewConsumerGroup(kgo.ConsumerGroupConfig{
		ID: strings.TrimPrefix(what, "join "), Brokers: []string{f.broker(t)}, Topics: []string{"_schemas"}, GroupBalancers: []kgo.GroupBalancer{somebodys{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.member.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	return ""
}

// somebodys is a way to share out partitions that nobody else knows.
type somebodys struct{ kgo.RangeGroupBalancer }

func (somebodys) ProtocolName() string { return "somebody's own" }

// damaged is a place in Kafka's files.
type damaged struct {
	partition int
	next      int64 // offset after the batch
}

// damage changes the last byte of the first batch of records that a topic has in Kafka's files.
func (f *faultWorld) damage(t *testing.T, topic string) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(f.kafka.Dir(), "data", topic+"-*", strings.Repeat("0", 20)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range segments {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// Kafka's record batch: base offset, length, …, attributes at 21 (bit 5: control), last offset delta at 23.
		for at := 0; at+61 < len(data); {
			batch := data[at:]
			end := 12 + int(wire.BigEndian.Uint32(batch[8:]))
			if wire.BigEndian.Uint16(batch[21:])&0x20 != 0 {
				at += end
				continue
			}
			file, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = file.WriteAt([]byte{^batch[end-1]}, int64(at+end-1))
			closeServer(t, file.Close)
			if err != nil {
				t.Fatal(err)
			}
			directory := filepath.Base(filepath.Dir(path))
			if f.broken.partition, err = strconv.Atoi(directory[strings.LastIndexByte(directory, '-')+1:]); err != nil {
				t.Fatal(err)
			}
			f.broken.next = int64(wire.BigEndian.Uint64(batch)) + int64(wire.BigEndian.Uint32(batch[23:])) + 1
			return
		}
	}
	t.Fatalf("%s has no batch of records in %v", topic, segments)
}

// trim deletes the records up to the end of the damaged batch, as the fault says: with kafka-delete-records.
func (f *faultWorld) trim(t *testing.T, topic string) {
	t.Helper()
	type place struct {
		Topic     string `json:"topic"`
		Partition int    `json:"partition"`
		Offset    int64  `json:"offset"`
	}
	text, err := json.Marshal(map[string]any{"version": 1, "partitions": []place{{topic, f.broken.partition, f.broken.next}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "delete.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	f.kafkaTool(t, "org.apache.kafka.tools.DeleteRecordsCommand --offset-json-file ./delete.json")
}

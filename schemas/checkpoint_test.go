package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

func randomCheckpoint(r *rand.Rand) *Checkpoint {
	c := &Checkpoint{
		Source: "erp", Position: fmt.Sprintf("%X/%X", r.Uint32(), r.Uint32()), System: "7301/1", Transaction: strings.Repeat("x", r.IntN(100)),
		CommitTimeUS: r.Int64() >> r.IntN(60), WrittenUS: -r.Int64(), Heartbeat: r.IntN(2) == 0,
	}
	for i := range r.IntN(4) {
		topic := CheckpointTopic{Table: fmt.Sprintf("t%d", i), Topic: fmt.Sprintf("p.erp.t%d", i)}
		for range r.IntN(13) {
			topic.Next = append(topic.Next, r.Int64()>>r.IntN(60))
		}
		c.Topics = append(c.Topics, topic)
	}
	return c
}

func TestCheckpointEqualsGoavro(t *testing.T) {
	oracle := mustGoavro(t, CheckpointSchema)
	r := rand.New(rand.NewPCG(11, 12))
	for range 500 {
		c := randomCheckpoint(r)
		topics := []any{}
		for _, topic := range c.Topics {
			next := []any{}
			for _, n := range topic.Next {
				next = append(next, n)
			}
			topics = append(topics, map[string]any{"table": topic.Table, "topic": topic.Topic, "next": next})
		}
		want, err := oracle.BinaryFromNative(nil, map[string]any{
			"source": c.Source, "position": c.Position, "system": c.System, "transaction": c.Transaction,
			"commit_time": c.CommitTimeUS, "written": c.WrittenUS, "heartbeat": c.Heartbeat, "topics": topics,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Append([]byte("x")); !bytes.Equal(got[1:], want) {
			t.Fatalf("%+v\n% x, want\n% x", c, got[1:], want)
		}
		back, err := DecodeCheckpoint(want)
		if err != nil || !reflect.DeepEqual(back, c) {
			t.Fatalf("read %+v, %v; want %+v", back, err, c)
		}
		for range 5 {
			if _, err := DecodeCheckpoint(want[:r.IntN(len(want))]); err == nil {
				t.Fatal("a cut checkpoint is read")
			}
		}
		if _, err := DecodeCheckpoint(append(want, 0)); err == nil {
			t.Fatal("a checkpoint with a byte too many is read")
		}
		if len(c.Topics) > 0 && c.Topic(c.Topics[0].Topic) != &c.Topics[0] || c.Topic("none") != nil {
			t.Fatal("Topic finds the wrong part")
		}
	}
}

func TestPublishedSchemas(t *testing.T) {
	mustGoavro(t, CheckpointSchema)
	mustGoavro(t, ProductSchema)
	table, err := ParseTable("moestue.product", `{"type":"record","name":"productKey","namespace":"shelfstream","fields":[{"name":"sku","type":"string"}]}`, ProductSchema)
	if err != nil {
		t.Fatal(err)
	}
	if table.Columns[table.Key[0]].Name != "sku" {
		t.Errorf("the key is %s", table.Columns[table.Key[0]].Name)
	}
	var names []string
	for _, c := range table.Columns {
		names = append(names, c.Name+" "+describe(&c))
	}
	want := "sku text, parent_sku nullable text, gtin nullable text, status enum, status_reason nullable text, texts list of record, prices list of record, " +
		"vat_code nullable text, vat_rate nullable decimal(9,4), stock list of record, available nullable decimal(18,4), images list of record, updated nullable timestamptz"
	if got := strings.Join(names, ", "); got != want {
		t.Errorf("columns\n%s, want\n%s", got, want)
	}
	// A product that is written under a schema made of the parsed table reads under the published one.
	codec := mustCompile(t, table)
	r := rand.New(rand.NewPCG(13, 14))
	published := mustGoavro(t, ProductSchema)
	for range 50 {
		row := randomRow(r, table)
		body, err := codec.AppendValue(nil, row)
		if err != nil {
			t.Fatal(err)
		}
		native, rest, err := published.NativeFromBinary(body)
		if err != nil || len(rest) != 0 {
			t.Fatal(err, rest)
		}
		if sku := native.(map[string]any)["sku"]; sku != string(row[0].Bytes) {
			t.Fatalf("sku %q, want %q", sku, row[0].Bytes)
		}
	}
	for name, text := range map[string]string{"checkpoint": CheckpointSchema, "product": ProductSchema} {
		if !json.Valid([]byte(text)) {
			t.Errorf("%s.avsc is no JSON", name)
		}
	}
}

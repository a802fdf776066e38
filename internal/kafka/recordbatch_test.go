package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// someRecords are records of every shape: nil and empty keys and values, headers, times that go back.
func someRecords(rnd *rand.Rand, n int) []Record {
	blob := func(most int) []byte {
		switch rnd.IntN(6) {
		case 0:
			return nil
		case 1:
			return []byte{}
		}
		b := make([]byte, rnd.IntN(most)+1)
		for i := range b {
			b[i] = byte(rnd.IntN(7)) // compresses
		}
		return b
	}
	recs := make([]Record, n)
	for i := range recs {
		recs[i] = Record{Offset: int64(i), TimestampMS: 1_700_000_000_000 + rnd.Int64N(10_000) - 5000, Key: blob(20), Value: blob(400)}
		for range rnd.IntN(4) {
			recs[i].Headers = append(recs[i].Headers, Header{Key: fmt.Sprint("__h", rnd.IntN(3)), Value: blob(30)})
		}
	}
	return recs
}

// encodeBatch is a whole batch of the records as it goes over the wire, without the size prefix.
func encodeBatch(t testing.TB, c *codecs, codec int, recs []Record) []byte {
	t.Helper()
	var b builder
	for i := range recs {
		size, before := b.size(&recs[i]), max(len(b.buf), sizePrefix+headerBytes)
		b.add(&recs[i])
		if len(b.buf)-before != size {
			t.Fatalf("record %d took %d bytes, size said %d", i, len(b.buf)-before, size)
		}
	}
	m := batchMeta{count: b.count, firstTS: b.firstTS, maxTS: b.maxTS, producerID: 4711, producerEpoch: 3, baseSequence: 99}
	set := b.buf
	if codec != codecNone {
		out, ok, err := c.compress(make([]byte, sizePrefix+headerBytes), b.buf[sizePrefix+headerBytes:], codec)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			set, m.attributes = out, int16(codec)
		}
	}
	finish(set, &m)
	return set[sizePrefix:]
}

// decodeAll reads a whole record set.
func decodeAll(c *codecs, set []byte) (recs []Record, err error) {
	var d recordDecoder
	for len(set) > 0 {
		h, err := parseHeader(set)
		if err != nil {
			return recs, err
		}
		if err := checksum(set[:h.size]); err != nil {
			return recs, err
		}
		payload := set[headerBytes:h.size]
		if codec := int(h.attributes & attrCodec); codec != codecNone {
			if payload, err = c.decompress(nil, payload, codec); err != nil {
				return recs, err
			}
		}
		d.headers = nil // these records are kept
		if recs, err = d.records(recs, &h, payload, 0); err != nil {
			return recs, err
		}
		set = set[h.size:]
	}
	return recs, nil
}

func TestBatchRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	var c codecs
	for i := range 300 {
		recs := someRecords(rnd, rnd.IntN(200)+1)
		for _, codec := range []int{codecNone, codecLZ4, codecZstd, codecSnappy} {
			got, err := decodeAll(&c, encodeBatch(t, &c, codec, recs))
			if err != nil || !reflect.DeepEqual(got, recs) {
				t.Fatalf("batch %d, codec %d: %v\ngot  %.300v\nwant %.300v", i, codec, err, got, recs)
			}
		}
	}
	big := []Record{{Value: bytes.Repeat([]byte("shelfstream "), 200_000)}, {Offset: 1, Value: noise(3 << 20)}}
	for _, codec := range []int{codecNone, codecLZ4, codecZstd, codecSnappy} {
		got, err := decodeAll(&c, encodeBatch(t, &c, codec, big))
		if err != nil || !reflect.DeepEqual(got, big) {
			t.Fatalf("large records, codec %d: %v", codec, err)
		}
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	rnd := rand.New(rand.NewPCG(9, 9))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

// kmsg is another implementation of the format: it must read what we write, field by field.
func TestBatchAsKmsgReadsIt(t *testing.T) {
	var c codecs
	recs := someRecords(rand.New(rand.NewPCG(2, 2)), 50)
	set := encodeBatch(t, &c, codecNone, recs)
	var b kmsg.RecordBatch
	if err := b.ReadFrom(set); err != nil {
		t.Fatal(err)
	}
	if int(b.Length) != len(set)-lengthField || b.Magic != 2 || b.NumRecords != 50 || b.LastOffsetDelta != 49 || b.ProducerID != 4711 ||
		b.ProducerEpoch != 3 || b.FirstSequence != 99 || b.FirstTimestamp != recs[0].TimestampMS || b.Attributes != 0 || b.PartitionLeaderEpoch != -1 {
		t.Fatalf("%+v", b)
	}
	raw := b.Records
	for i := range recs {
		n, k := binary.Varint(raw)
		var r kmsg.Record
		if err := r.ReadFrom(raw[:k+int(n)]); err != nil {
			t.Fatal(err)
		}
		raw = raw[k+int(n):]
		want := &recs[i]
		if r.OffsetDelta != int32(i) || !bytes.Equal(r.Key, want.Key) || (r.Key == nil) != (want.Key == nil) || !bytes.Equal(r.Value, want.Value) ||
			(r.Value == nil) != (want.Value == nil) || b.FirstTimestamp+r.TimestampDelta64 != want.TimestampMS || len(r.Headers) != len(want.Headers) {
			t.Fatalf("record %d: %+v, want %+v", i, r, want)
		}
		for j, h := range r.Headers {
			if h.Key != want.Headers[j].Key || !bytes.Equal(h.Value, want.Headers[j].Value) {
				t.Fatalf("record %d header %d: %+v", i, j, h)
			}
		}
	}
}

// What franz-go writes, in every compression, this reads, and the other way round.
func TestForeignClients(t *testing.T) {
	addrs := cluster(t).ListenAddrs()
	c := client(t, addrs...)
	ctx := within(t, 60*time.Second)
	recs := someRecords(rand.New(rand.NewPCG(3, 3)), 2000)
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		t.Run("read "+name, func(t *testing.T) {
			tn := topic(t, c, 1)
			k, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			var out []*kgo.Record
			for i := range recs {
				r := &kgo.Record{Topic: tn, Key: recs[i].Key, Value: recs[i].Value, Timestamp: time.UnixMilli(recs[i].TimestampMS)}
				for _, h := range recs[i].Headers {
					r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
				}
				out = append(out, r)
			}
			if err := k.ProduceSync(ctx, out...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			i := 0
			err = c.Scan(ctx, tn, 0, 0, -1, func(r *Record) error {
				sameRecord(t, r, &recs[i])
				i++
				return nil
			})
			if err != nil || i != len(recs) {
				t.Fatalf("%d of %d records, %v", i, len(recs), err)
			}
		})
	}
	for _, comp := range []Compression{None, LZ4, Zstd, Snappy} {
		t.Run(fmt.Sprint("write ", comp), func(t *testing.T) {
			tn := topic(t, c, 1)
			p := producer(t, c, ProducerConfig{Compression: comp, BatchBytes: 20 << 10})
			for i := range recs {
				if err := p.Produce(ctx, tn, 0, recs[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			foreignReads(ctx, t, addrs, tn, recs)
		})
	}
}

// foreignReads checks that franz-go reads exactly the records from partition 0.
func foreignReads(ctx context.Context, t *testing.T, addrs []string, topic string, recs []Record) {
	t.Helper()
	k, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	for i := 0; i < len(recs); {
		fs := k.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			t.Fatalf("after %d: %v", i, err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			got := Record{Offset: r.Offset, TimestampMS: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value}
			for _, h := range r.Headers {
				got.Headers = append(got.Headers, Header{Key: h.Key, Value: h.Value})
			}
			sameRecord(t, &got, &recs[i])
			i++
		})
	}
}

func sameRecord(t *testing.T, got, want *Record) {
	t.Helper()
	if got.Offset != want.Offset || got.TimestampMS != want.TimestampMS || !bytes.Equal(got.Key, want.Key) || !bytes.Equal(got.Value, want.Value) ||
		(got.Key == nil) != (want.Key == nil) || (got.Value == nil) != (want.Value == nil) || len(got.Headers) != len(want.Headers) {
		t.Fatalf("got %+v\nwant %+v", got, want)
	}
	for i, h := range got.Headers {
		if h.Key != want.Headers[i].Key || !bytes.Equal(h.Value, want.Headers[i].Value) {
			t.Fatalf("header %d: %+v, want %+v", i, h, want.Headers[i])
		}
	}
}

func TestSnappyAsJavaWritesIt(t *testing.T) {
	plain := bytes.Repeat([]byte("a product, "), 10_000)
	framed := append([]byte(xerial), 0, 0, 0, 1, 0, 0, 0, 1)
	for i := 0; i < len(plain); i += 32 << 10 {
		block := snappy.Encode(nil, plain[i:min(len(plain), i+32<<10)])
		framed = binary.BigEndian.AppendUint32(framed, uint32(len(block)))
		framed = append(framed, block...)
	}
	var c codecs
	got, err := c.decompress(nil, framed, codecSnappy)
	if err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if _, err := c.decompress(nil, framed[:len(framed)-3], codecSnappy); !errors.Is(err, errCorrupt) {
		t.Fatalf("cut off: %v", err)
	}
}

// A few bytes must not inflate without end, whatever the compression.
func TestInflationIsBounded(t *testing.T) {
	big := make([]byte, 3<<20)
	bombs := map[int][]byte{codecSnappy: snappy.Encode(nil, big)}
	var free codecs
	for _, codec := range []int{codecLZ4, codecZstd} {
		out, _, err := free.compress(nil, big, codec)
		if err != nil {
			t.Fatal(err)
		}
		bombs[codec] = out
	}
	bombs[codecGzip] = gzipped(t, big)
	for codec, bomb := range bombs {
		if out, err := free.decompress(nil, bomb, codec); err != nil || len(out) != len(big) {
			t.Errorf("codec %d: %d bytes, %v", codec, len(out), err)
		}
		tight := codecs{limit: 1 << 20}
		if _, err := tight.decompress(nil, bomb, codec); !errors.Is(err, errCorrupt) {
			t.Errorf("codec %d inflates %d bytes past its bound: %v", codec, len(bomb), err)
		}
	}
}

func TestDamagedBatches(t *testing.T) {
	var c codecs
	set := encodeBatch(t, &c, codecNone, someRecords(rand.New(rand.NewPCG(4, 4)), 20))
	for cut := range set {
		if _, err := parseHeader(set[:cut]); !errors.Is(err, errPartial) {
			t.Fatalf("cut to %d of %d bytes: %v", cut, len(set), err)
		}
	}
	for i := range set {
		bad := bytes.Clone(set)
		bad[i] ^= 0x5a
		if i < 8 || (i >= 12 && i < 16) {
			continue // base offset and leader epoch are the broker's, and outside of the checksum
		}
		if recs, err := decodeAll(&c, bad); err == nil {
			t.Fatalf("byte %d changed, and %d records decoded", i, len(recs))
		}
	}
}

func FuzzDecodeBatch(f *testing.F) {
	var c codecs
	rnd := rand.New(rand.NewPCG(5, 5))
	for _, codec := range []int{codecNone, codecLZ4, codecZstd, codecSnappy} {
		f.Add(encodeBatch(f, &c, codec, someRecords(rnd, 5)), true)
	}
	f.Add(gzipBatch(f, someRecords(rnd, 3)), true)
	f.Add([]byte{}, false)
	tight := &codecs{limit: 1 << 20}
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal && len(b) >= headerBytes { // past the length and the checksum, or nothing but those is ever tested
			binary.BigEndian.PutUint32(b[8:], uint32(len(b)-lengthField))
			putChecksum(b)
		}
		recs, err := decodeAll(tight, b)
		if err != nil || len(b) == 0 {
			return
		}
		// What was accepted is written again and must come back the same.
		h, _ := parseHeader(b)
		if len(recs) == 0 || h.size != len(b) || h.attributes&attrLogAppend != 0 {
			return
		}
		for i := range recs {
			recs[i].Offset = int64(i)
		}
		again, err := decodeAll(tight, encodeBatch(t, tight, codecNone, recs))
		if err != nil || !reflect.DeepEqual(again, recs) {
			t.Fatalf("%v\ngot  %+v\nwant %+v", err, again, recs)
		}
	})
}

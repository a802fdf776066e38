package kafka

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// benchValue is a record of 300 bytes as a row of an ERP looks: some text, some numbers.
func benchValue(i int) []byte {
	v := fmt.Appendf(nil, "product %08d|Chateau Something %d|%d.%02d|NOK|", i, i%977, i%1000, i%100)
	for len(v) < 300 {
		v = fmt.Appendf(v, "%d,", i*len(v)%9973)
	}
	return v[:300]
}

func benchRecords(n int) []Record {
	recs := make([]Record, n)
	for i := range recs {
		recs[i] = Record{
			Offset: int64(i), TimestampMS: 1_700_000_000_000 + int64(i), Key: fmt.Appendf(nil, "%08d", i), Value: benchValue(i),
			Headers: []Header{{"__op", []byte("u")}, {"__source_ts_ms", []byte("1700000000000")}},
		}
	}
	return recs
}

// measured runs fn in the benchmark's loop and reports the records a second, and what a record costs this process in CPU time, which other
// work on the machine disturbs less. fn returns how many records it handled.
func measured(b *testing.B, fn func() int) {
	b.Helper()
	b.ReportAllocs()
	n, before := 0, cpuTime(b)
	for b.Loop() {
		n += fn()
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(cpuTime(b)-before)/float64(n), "cpu-ns/record")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkEncode(b *testing.B) {
	recs := benchRecords(2500)
	for name, comp := range map[string]Compression{"none": None, "lz4": LZ4, "zstd": Zstd, "snappy": Snappy} {
		b.Run(name, func(b *testing.B) {
			codec, err := comp.wire()
			if err != nil {
				b.Fatal(err)
			}
			p := &Producer{c: &Client{}, codec: codec}
			measured(b, func() int {
				batch := &pbatch{}
				batch.raw.buf = p.c.pool.get(1 << 20)[:sizePrefix+headerBytes]
				for i := range recs {
					batch.raw.buf = p.c.pool.grow(batch.raw.buf, len(batch.raw.buf)+batch.raw.size(&recs[i]))
					batch.raw.add(&recs[i])
				}
				enc, err := p.encoded(batch, identity{})
				if err != nil {
					b.Fatal(err)
				}
				p.c.pool.put(enc)
				return len(recs)
			})
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	recs := benchRecords(2500)
	for name, codec := range map[string]int{"none": codecNone, "lz4": codecLZ4, "zstd": codecZstd, "snappy": codecSnappy} {
		b.Run(name, func(b *testing.B) {
			var c codecs
			set := encodeBatch(b, &c, codec, recs)
			f := &Fetcher{c: &Client{metrics: newMetrics(nil)}}
			hold := &batchHold{}
			measured(b, func() int {
				h, err := parseHeader(set)
				if err != nil {
					b.Fatal(err)
				}
				hold.header, hold.body, hold.payload = h, set, set[headerBytes:]
				batch := &Batch{hold: hold}
				if f.decode(batch); batch.Err != nil || len(batch.Records) != len(recs) {
					b.Fatal(batch.Err)
				}
				return len(recs)
			})
		})
	}
}

// benchProduceFetch writes and reads b.N·100,000 records over 4 partitions, with this package and with franz-go.
func benchProduceFetch(b *testing.B, addrs []string) {
	const n, parts = 100_000, 4
	recs := benchRecords(n)
	c := client(b, addrs...)
	ctx := context.Background()
	var filled string
	for _, comp := range []Compression{None, Snappy, LZ4} {
		b.Run(fmt.Sprint("produce/ours/", map[Compression]string{LZ4: "lz4", None: "none", Snappy: "snappy"}[comp]), func(b *testing.B) {
			name := topic(b, c, parts)
			p := producer(b, c, ProducerConfig{Compression: comp})
			measured(b, func() int {
				for i := range recs {
					if err := p.Produce(ctx, name, int32(i%parts), recs[i]); err != nil {
						b.Fatal(err)
					}
				}
				if err := p.Flush(ctx); err != nil {
					b.Fatal(err)
				}
				return n
			})
			filled = name
		})
	}
	for codecName, codec := range map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression()} {
		b.Run("produce/franz-go/"+codecName, func(b *testing.B) {
			name := topic(b, c, parts)
			k, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.DefaultProduceTopic(name), kgo.RecordPartitioner(kgo.ManualPartitioner()),
				kgo.ProducerBatchCompression(codec), kgo.MaxBufferedRecords(100_000), kgo.ProducerLinger(0))
			if err != nil {
				b.Fatal(err)
			}
			defer k.Close()
			measured(b, func() int {
				for i := range recs {
					r := &kgo.Record{Partition: int32(i % parts), Key: recs[i].Key, Value: recs[i].Value}
					for _, h := range recs[i].Headers {
						r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
					}
					k.Produce(ctx, r, func(_ *kgo.Record, err error) {
						if err != nil {
							b.Error(err)
						}
					})
				}
				if err := k.Flush(ctx); err != nil {
					b.Fatal(err)
				}
				return n
			})
		})
	}
	end := func(b *testing.B) (total int) {
		ends, err := c.EndOffsets(ctx, filled)
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range ends {
			total += int(e)
		}
		return total
	}
	b.Run("fetch/ours", func(b *testing.B) {
		total := end(b)
		measured(b, func() int {
			f := c.NewFetcher(FetchConfig{})
			for part := range int32(parts) {
				f.Add(filled, part, 0)
			}
			for got := 0; got < total; {
				batch, err := f.Poll(ctx)
				if err != nil || batch.Err != nil {
					b.Fatal(err, batch)
				}
				got += len(batch.Records)
				f.Release(batch)
			}
			f.Close()
			return total
		})
	})
	b.Run("fetch/franz-go", func(b *testing.B) {
		total := end(b)
		measured(b, func() int {
			at := map[int32]kgo.Offset{}
			for part := range int32(parts) {
				at[part] = kgo.NewOffset().AtStart()
			}
			k, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{filled: at}))
			if err != nil {
				b.Fatal(err)
			}
			for got := 0; got < total; {
				fs := k.PollFetches(ctx)
				if err := fs.Err(); err != nil {
					b.Fatal(err)
				}
				got += fs.NumRecords()
			}
			k.Close()
			return total
		})
	})
	b.Run("latency/ours", func(b *testing.B) { // one record, acknowledged, and back at a reader
		name := topic(b, c, 1)
		p := producer(b, c, ProducerConfig{})
		f := c.NewFetcher(FetchConfig{})
		defer f.Close()
		f.Add(name, 0, 0)
		for b.Loop() {
			if err := p.Produce(ctx, name, 0, recs[0]); err != nil {
				b.Fatal(err)
			}
			if err := p.Flush(ctx); err != nil {
				b.Fatal(err)
			}
			batch, err := f.PollPartition(ctx, name, 0)
			if err != nil || batch.Err != nil || len(batch.Records) != 1 {
				b.Fatal(err, batch)
			}
			f.Release(batch)
		}
	})
}

func BenchmarkEmbedded(b *testing.B) { benchProduceFetch(b, cluster(b).ListenAddrs()) }

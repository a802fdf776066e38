//go:build integration

package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/demo"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
)

const (
	bulk      = 20_000    // products that one transaction changes
	bulkAfter = 1_000_000 // their numbers begin after it
)

// inHand stops a transform worker in the middle of sending a large transaction's products. Kafka refuses an older producer by itself once a newer one
// has written to the partition; so here the ERP takes back exactly what had not been sent, and the worker that takes over finds nothing to write. What
// the stopped one still has in hand is then kept from the topic by the fence alone. (The embedded log refuses it from the newer one's InitProducerID on,
// so only a real Kafka proves the fence.)
func inHand(t *testing.T) {
	w := newWorld(t, "inhand", options{session: 3 * time.Second, products: 60, seed: func(w *world) {
		must(t, demo.Seed(w.ctx, w.erp(), w.products, 1))
		_, err := w.erp().Exec(w.ctx, "INSERT INTO product (product_no, name, volume_ml, vat_code) SELECT $1::bigint + i, 'Vin ' || i, 750, 1 FROM generate_series(1, $2::int) i", bulkAfter, bulk)
		must(t, err)
	}})
	w.startAll(1, 2, 1)
	w.equal()
	proven := 0
	for round := 1; proven < 2; round++ {
		if round > 8 {
			t.Fatalf("in %d rounds the worker was stopped at the right moment only on %d partitions", round-1, proven)
		}
		n := w.cutShort(round)
		t.Logf("round %d: proven on %d partitions", round, n)
		proven += n
	}
	w.equal()
	w.alive()
}

// cutShort is one round. It gives the number of partitions on which the stopped worker had records in hand and the other had nothing to write.
func (w *world) cutShort(round int) (proven int) {
	w.t.Helper()
	topic := w.name + ".product"
	pair := w.workers[1:3]
	w.until("the partitions to be shared out", func() (bool, error) {
		first, second := pair[0].share(), pair[1].share()
		return first > 0 && second > 0 && first+second == w.wholeOf("transform"), nil
	})
	owner, other := pair[round%2], pair[1-round%2]
	s, err := owner.report()
	must(w.t, err)
	var parts []int32
	for _, p := range s.Positions {
		n, err := strconv.ParseInt(p.Name[strings.LastIndexByte(p.Name, '/')+1:], 10, 32)
		must(w.t, err)
		parts = append(parts, int32(n))
	}
	conn := w.erp()
	say := func(producer string, but []int64) {
		_, err := conn.Exec(w.ctx, "UPDATE product SET producer = $1 WHERE product_no > $2 AND NOT product_no = ANY($3) AND producer IS DISTINCT FROM $1", producer, bulkAfter, but)
		must(w.t, err)
	}
	before := fmt.Sprintf("before round %d", round)
	say(before, []int64{})
	w.equal()
	homes := map[int32]int{}
	for _, p := range parts {
		homes[p] = len(w.numbers(topic, p, 0))
	}

	start, err := w.client.EndOffsets(w.ctx, topic)
	must(w.t, err)
	say(fmt.Sprintf("round %d", round), []int64{})
	deadline := time.Now().Add(patience)
	for sending := false; !sending; { // without a pause between two looks: it takes the worker a tenth of a second to send everything
		ends, err := w.client.EndOffsets(w.ctx, topic)
		must(w.t, err)
		sending = slices.ContainsFunc(parts, func(p int32) bool { return ends[p] > start[p] })
		if time.Now().After(deadline) {
			w.tell()
			w.t.Fatalf("%s sends nothing", owner.name)
		}
	}
	must(w.t, owner.process.Pause(w.ctx))
	var sent []int64
	counts, from := map[int32]int{}, map[int32]int64{}
	for _, p := range parts {
		from[p], err = w.client.EndOffset(w.ctx, topic, p)
		must(w.t, err)
		numbers := w.numbers(topic, p, start[p])
		counts[p] = len(numbers)
		sent = append(sent, numbers...)
	}
	say(before, sent)

	w.until("the other transform to own everything", func() (bool, error) { return other.share() == w.wholeOf("transform"), nil })
	// It may have begun before it knew that the ERP has taken back what was not sent. What comes after that is shown once it has come so far.
	_, err = conn.Exec(w.ctx, "UPDATE product SET producer = $1 WHERE product_no <= $2", fmt.Sprintf("taken over in round %d", round), w.products)
	must(w.t, err)
	w.equal()
	resumed, err := w.client.EndOffsets(w.ctx, topic)
	must(w.t, err)
	quiet := map[int32]bool{}
	for _, p := range parts {
		quiet[p] = len(w.numbers(topic, p, from[p])) == 0
		w.t.Logf("partition %d: %s had sent %d of %d products when it was stopped; nothing was written by %s: %v", p, owner.name, counts[p], homes[p], other.name, quiet[p])
	}
	must(w.t, owner.process.Continue())
	w.until("both to share the partitions again", func() (bool, error) {
		n := owner.share()
		return n > 0 && n+other.share() == w.wholeOf("transform"), nil
	})
	for _, p := range parts {
		if late := w.numbers(topic, p, resumed[p]); len(late) > 0 {
			w.t.Errorf("%s/%d: %d products were written after %s had lost the partition, beginning with %d", topic, p, len(late), owner.name, late[0])
		}
		if quiet[p] && counts[p] > 0 && counts[p] < homes[p] { // it was in the midst of this one
			proven++
		}
	}
	return proven
}

// numbers are the products of a partition of the cleaned topic from an offset on, each once and in order, those of the bulk only.
func (w *world) numbers(topic string, partition int32, from int64) (out []int64) {
	w.t.Helper()
	table, err := registry.NewClient(w.registry).Table(w.ctx, topic)
	must(w.t, err)
	codec, err := schemas.Compile(table)
	must(w.t, err)
	var key []schemas.Value
	must(w.t, w.client.Scan(w.ctx, topic, partition, from, -1, func(r *kafka.Record) error {
		_, body, err := schemas.ParseFrame(r.Key)
		if err != nil {
			return err
		}
		if key, err = codec.DecodeKey(key[:0], body); err != nil {
			return err
		}
		if key[0].Int > bulkAfter {
			out = append(out, key[0].Int)
		}
		return nil
	}))
	slices.Sort(out)
	return slices.Compact(out)
}

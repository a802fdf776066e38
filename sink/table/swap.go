package table

import (
	"context"
	"fmt"

	"shelfstream/schemas"
	"shelfstream/sink"
)

// manyRivals is more rows than one product can stand in the way of others with.
const manyRivals = 10_000

func (v *rival) waitKey() waitKey { return waitKeyOf(v.plan.name, v.index, keyText(v.key)) }

// swap applies products that want values which others have only because their own newer state could not be written yet: A takes B's EAN and B takes A's,
// in one batch, one after the other, or from two partitions; two elements of one list change places. It frees the values, by null or one
// that nobody has, and then writes the products. A group of which something still cannot be written stays as it was.
func (c *carefulTx) swap(ctx context.Context, refused []refusal) ([]refusal, error) {
	found := make([][]*rival, len(refused))
	open := make([]bool, len(refused)) // all its rivals give way
	for i, r := range refused {
		if !c.vp.d.unique(r.err) {
			continue
		}
		var err error
		if found[i], err = c.rivals(ctx, r.record, manyRivals); err != nil {
			return nil, err
		}
		open[i] = len(found[i]) > 0
		for _, v := range found[i] {
			yields, err := c.yields(ctx, v, refused)
			if err != nil {
				return nil, err
			}
			open[i] = open[i] && yields && v.release() != ""
		}
	}
	index := map[string]int{}
	for i := range refused {
		index[keyText(refused[i].record.KeyValues)] = i
	}
	// Those whose rivals are of the batch stand or fall together.
	group := make([]int, len(refused))
	for i := range group {
		group[i] = i
	}
	find := func(i int) int {
		for group[i] != i {
			i = group[i]
		}
		return i
	}
	for i := range refused {
		for _, v := range found[i] {
			if j, ok := index[keyText(v.key)]; ok {
				group[find(i)] = find(j)
			}
		}
	}
	members := map[int][]int{}
	for i := range refused {
		members[find(i)] = append(members[find(i)], i)
	}
	var rest []refusal
	for i := range refused {
		m := members[i]
		if len(m) == 0 {
			continue
		}
		done, err := c.swapGroup(ctx, refused, found, open, m)
		if err != nil {
			return nil, err
		}
		if !done {
			for _, j := range m {
				rest = append(rest, refused[j])
			}
		}
	}
	return rest, nil
}

// swapGroup frees the values that some refused products want, and writes them; false if that cannot be done, and nothing is.
func (c *carefulTx) swapGroup(ctx context.Context, refused []refusal, found [][]*rival, open []bool, members []int) (bool, error) {
	for _, i := range members {
		if !open[i] {
			return false, nil
		}
	}
	if err := c.conn.Exec(ctx, []byte("SAVEPOINT shelfstream_swap")); err != nil {
		return false, err
	}
	records := make([]*sink.Record, 0, len(members))
	for _, i := range members {
		records = append(records, refused[i].record)
		for _, v := range found[i] {
			err := c.conn.Exec(ctx, []byte("UPDATE "+c.vp.d.Table(v.plan.name)+" SET "+v.release()+" WHERE "+v.cond))
			if c.vp.d.data(err) {
				return false, c.back(ctx, "shelfstream_swap", nil)
			} else if err != nil {
				return false, err
			}
		}
	}
	still, err := c.bisect(ctx, records)
	if err != nil {
		return false, err
	}
	if len(still) > 0 {
		return false, c.back(ctx, "shelfstream_swap", nil)
	}
	return true, nil
}

// yields says whether a row has its value for no other reason than that the newer state of its product could not be written yet, or that nobody took it away when
// its product went.
func (c *carefulTx) yields(ctx context.Context, v *rival, refused []refusal) (bool, error) {
	key := keyText(v.key)
	for _, r := range refused { // its own product, or another of the batch
		if r.record.Row != nil && keyText(r.record.KeyValues) == key {
			return true, nil
		}
	}
	if dead, err := c.dead(ctx, v.key); dead || err != nil {
		return dead, err
	}
	return c.inCycle(ctx, v)
}

// dead says whether a product was deleted softly: what its row has, others may take.
func (c *carefulTx) dead(ctx context.Context, key []schemas.Value) (bool, error) {
	for _, p := range c.vp.roots {
		if p.soft < 0 {
			continue
		}
		same, ok := p.appendSame(nil, key)
		if !ok {
			continue
		}
		found, err := queryRow(ctx, c.conn, "SELECT 1 FROM "+p.d.Table(p.name)+" WHERE "+string(same)+" AND NOT ("+p.living()+")")
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// inCycle says whether the row's product is parked because it waits, over however many others of any partition, for the very value that the refused product
// gives up on the same index. Then it wants another value there than it has.
func (c *carefulTx) inCycle(ctx context.Context, v *rival) (bool, error) {
	if c.waiting == nil {
		c.waiting = map[waitKey][]string{}
		d := c.vp.d
		err := query(ctx, c.conn, fmt.Sprintf("SELECT record_key, waits_for FROM shelfstream_parked WHERE sink = %s AND topic = %s AND waits_for IS NOT NULL LIMIT %d",
			d.text(c.s.t.name), d.text(c.s.p.View.Topic), maxHeld), func(vals [][]byte) error {
			key, waits := string(vals[0]), d.ParseBytes(vals[1])
			if len(waits) == len(waitKey{}) {
				c.waiting[waitKey(waits)] = append(c.waiting[waitKey(waits)], key)
			}
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	want := keyText(v.key)
	seen := map[string]bool{}
	next := []string{keyText(v.row.KeyValues)}
	for len(next) > 0 {
		key := next[0]
		next = next[1:]
		for _, k := range c.waiting[waitKeyOf(v.plan.name, v.index, key)] {
			if k == want {
				return true, nil
			}
			if !seen[k] {
				seen[k] = true
				next = append(next, k)
			}
		}
	}
	return false, nil
}

// release is the assignment that frees the index' value, "" if there is none that is sure to be allowed.
func (v *rival) release() string {
	d := v.plan.d
	for _, c := range v.free {
		if c.info.Nullable {
			return d.Quote(c.name) + " = NULL"
		}
	}
	for _, c := range v.free {
		if spare := d.Spare(&c.info); spare != "" {
			return d.Quote(c.name) + " = " + spare
		}
	}
	return ""
}

package sink

import (
	"context"
	"time"

	"shelfstream/status"
)

// mostTallied bounds how many parked records of a partition are told apart by their cause (about 100 bytes each); the others are counted in Stage.Parked only.
const mostTallied = 100_000

// heldRecord is what is remembered of a parked record, to count it out when it goes on.
type heldRecord struct {
	slot status.Slot
	key  string
}

// loadTroubles counts what the target has parked of a partition, with its causes, so that they show right after a restart.
func (p *partition) loadTroubles(ctx context.Context, t Retrier) error {
	p.forgetTroubles()
	const page = 1000
	for after := int64(-1); len(p.held) < mostTallied; {
		list, err := t.Parked(ctx, after, page)
		if err != nil {
			return err
		}
		for i := range list {
			p.hold(&list[i], list[i].Since)
		}
		if len(list) < page {
			return nil
		}
		after = list[len(list)-1].Offset
	}
	return nil
}

func (p *partition) forgetTroubles() {
	p.tally.Reset()
	p.held = nil
}

// hold counts a parked record, once, under its newest cause.
func (p *partition) hold(r *Parked, since time.Time) {
	id := HashKey(r.ID)
	h := status.Held{Key: r.Key, Fault: status.FaultJSONOf(r.Fault), Since: since}
	if old, ok := p.held[id]; ok {
		if p.tally.Slot(&h) == old.slot {
			return
		}
		p.tally.Leave(old.slot, old.key)
	} else if len(p.held) >= mostTallied {
		return
	}
	if p.held == nil {
		p.held = map[KeyHash]heldRecord{}
	}
	p.held[id] = heldRecord{p.tally.Add(&h), r.Key}
}

// count follows a batch that was applied: its records go on, but for those that were parked. held is how many the partition has parked now.
func (p *partition) count(b *Batch, parked []Parked, held int, now time.Time) {
	if held == 0 {
		if len(p.held) > 0 {
			p.forgetTroubles()
		}
		return
	}
	isParked := make(map[int64]bool, len(parked))
	for i := range parked {
		isParked[parked[i].Offset] = true
		p.hold(&parked[i], now)
	}
	if len(p.held) == 0 {
		return
	}
	for i := range b.Records {
		if isParked[b.Records[i].Offset] {
			continue
		}
		id := HashKey(b.Records[i].Key)
		if h, ok := p.held[id]; ok {
			p.tally.Leave(h.slot, h.key)
			delete(p.held, id)
		}
	}
}

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"shelfstream/capture"
	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/sink"
	"shelfstream/status"
	"shelfstream/transform"
)

// parked lists what a source, a view or a sink holds back; the admin port answers with it too.
func (a *app) parked(ctx context.Context, kind, name string, limit int) ([]status.Parked, error) {
	l, err := a.parkedOf(ctx, kind, name, limit)
	if err != nil {
		return nil, err
	}
	return l.Parked, nil
}

func (a *app) parkedOf(ctx context.Context, kind, name string, limit int) (*parkedList, error) {
	l := &parkedList{Kind: kind, Name: name}
	var err error
	switch kind {
	case status.KindCapture:
		if _, ok := a.cfg.Sources.Get(name); !ok {
			return nil, unknownName("source", name, a.cfg.Sources.Names())
		}
		l.Parked, err = a.parkedRows(ctx, name, limit)
	case status.KindTransform:
		if _, ok := a.cfg.Views.Get(name); !ok {
			return nil, unknownName("view", name, a.cfg.Views.Names())
		}
		err = a.parkedProducts(ctx, l, limit)
	case status.KindSink:
		if _, ok := a.cfg.Sinks.Get(name); !ok {
			return nil, unknownName("sink", name, a.cfg.Sinks.Names())
		}
		l.Parked, err = a.parkedRecords(ctx, name, limit)
	default:
		return nil, usage(fmt.Sprintf("%q holds nothing back", kind), "name a source (capture), a view (transform) or a sink")
	}
	if err != nil {
		return nil, err
	}
	if l.Parked == nil {
		l.Parked = []status.Parked{}
	}
	return l, nil
}

// parkedRows reads a source's topic of parked rows: the newest record of a key counts, and none means it is parked no more.
func (a *app) parkedRows(ctx context.Context, source string, limit int) ([]status.Parked, error) {
	topic := capture.ParkedTopic(a.cfg.Name, source)
	partitions, err := a.client.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	newest := map[string]status.Parked{}
	for partition := range int32(partitions) {
		err := a.client.Scan(ctx, topic, partition, 0, -1, func(r *kafka.Record) error {
			if r.Value == nil {
				delete(newest, string(r.Key))
				return nil
			}
			var p capture.Parked
			if err := json.Unmarshal(r.Value, &p); err != nil {
				return fmt.Errorf("%s/%d@%d: %w", topic, partition, r.Offset, err)
			}
			newest[string(r.Key)] = status.Parked{Key: p.Key, Cause: string(p.Cause), Where: p.Where, What: p.What, Fix: p.Fix, Since: p.Since}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", topic, err)
		}
	}
	return oldest(slices.Collect(maps.Values(newest)), limit), nil
}

// oldest orders rows by how long they are parked, and leaves out what is too many. Those that follow within a second of one are ordered with it, by key: one
// transaction parks them, whatever the clock shows.
func oldest(rows []status.Parked, limit int) []status.Parked {
	slices.SortFunc(rows, func(x, y status.Parked) int { return x.Since.Compare(y.Since) })
	for rest := rows; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(p status.Parked) bool { return p.Since.Sub(rest[0].Since) >= time.Second })
		if n < 0 {
			n = len(rest)
		}
		slices.SortFunc(rest[:n], func(x, y status.Parked) int { return cmp.Compare(x.Key, y.Key) })
		rest = rest[n:]
	}
	return rows[:min(len(rows), max(limit, 0))]
}

// skippedProduct is a parked product that an operator left out of the list.
type skippedProduct struct {
	status.Parked
	By  string    `json:"by"`
	Why string    `json:"why"`
	At  time.Time `json:"at"`
}

// parkedProducts reads what a view holds back into the list.
func (a *app) parkedProducts(ctx context.Context, l *parkedList, limit int) error {
	products, err := transform.ReadParked(ctx, a.client, a.cfg.Name, l.Name)
	if err != nil {
		return err
	}
	for i := range products {
		p := &products[i]
		row := p.Status()
		switch {
		case len(p.Held) > 0:
			l.Held++
		case p.Skipped != nil:
			l.Skipped = append(l.Skipped, skippedProduct{row, p.Skipped.By, p.Skipped.Why, p.Skipped.At})
		default:
			if l.Parked = append(l.Parked, row); len(l.Parked) >= 2*max(limit, 1000) { // of 100,000 only the oldest are wanted
				l.Parked = oldest(l.Parked, limit)
			}
		}
	}
	l.Parked = oldest(l.Parked, limit)
	return nil
}

// parkedLister is a target that can list what it holds, of whichever session.
type parkedLister interface {
	ListParked(ctx context.Context, limit int) ([]sink.Parked, error)
}

// errNoList says that a target is no parkedLister.
var errNoList = errors.New("only the running sink knows")

func (a *app) parkedRecords(ctx context.Context, name string, limit int) ([]status.Parked, error) {
	target, err := a.target(name)
	if err != nil {
		return nil, err
	}
	lister, ok := target.(parkedLister)
	if !ok {
		return nil, &fault.Fault{Class: fault.Config, Where: "sink " + name, What: "this kind of sink does not list what it holds", Fix: "see the faults on the status page", Err: errNoList}
	}
	list, err := lister.ListParked(ctx, limit)
	if err != nil {
		return nil, err
	}
	out := make([]status.Parked, len(list))
	for i, p := range list {
		out[i] = status.Parked{Key: p.Key, Topic: p.Topic, Partition: p.Partition, Offset: p.Offset, Since: p.Since}
		if p.Fault != nil {
			out[i].Cause, out[i].Where, out[i].What, out[i].Fix = string(p.Fault.Cause), p.Fault.Where, p.Fault.What, p.Fault.Fix
		}
	}
	return out, nil
}

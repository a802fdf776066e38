package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"

	kgo "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	addAPI "github.com/segmentio/kafka-go/protocol/addpartitionstotxn"
	endAPI "github.com/segmentio/kafka-go/protocol/endtxn"
	coordAPI "github.com/segmentio/kafka-go/protocol/findcoordinator"
	initAPI "github.com/segmentio/kafka-go/protocol/initproducerid"
)

// txnTimeoutMS is when the coordinator aborts a fencing transaction whose owner died within it.
const txnTimeoutMS = 30_000

// initID asks for the producer id, and for a transactional one raises its epoch.
func (p *Producer) initID(ctx context.Context) error {
	pid, epoch, err := p.nextID(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pid, p.epoch = pid, epoch
	return nil
}

// nextID is initID without using the answer yet. A producer that has an id already keeps it, and gets the epoch after its own; ErrFenced
// if anybody raised it meanwhile.
func (p *Producer) nextID(ctx context.Context) (pid int64, epoch int16, err error) {
	what := "get a producer id"
	if p.cfg.TransactionalID != "" {
		what = fmt.Sprintf("get the producer id of %q", p.cfg.TransactionalID)
	}
	err = p.c.retrying(ctx, what, func(ctx context.Context) error {
		req := &initAPI.Request{TransactionalID: p.cfg.TransactionalID, TransactionTimeoutMs: math.MaxInt32, ProducerID: p.pid, ProducerEpoch: p.epoch}
		var m protocol.Message
		var err error
		if p.cfg.TransactionalID == "" {
			m, err = p.c.askAny(ctx, req)
		} else {
			req.TransactionTimeoutMs = txnTimeoutMS
			m, err = p.askCoordinator(ctx, req)
		}
		if err != nil {
			return err
		}
		r := m.(*initAPI.Response)
		if r.ErrorCode != 0 {
			return fencedError(r.ErrorCode)
		}
		pid, epoch = r.ProducerID, r.ProducerEpoch
		return nil
	})
	// Kafka refuses the epoch of an older owner here (KIP-360). kfake takes it and would shut the newer owner out: but then the epoch
	// that it gives is not the next one. After the last epoch comes another id.
	if err == nil && p.cfg.TransactionalID != "" && p.pid >= 0 && pid == p.pid && epoch != p.epoch+1 {
		err = ErrFenced
	}
	return pid, epoch, err
}

// fencedError is ErrFenced for the codes by which a coordinator says so, else the code's error.
func fencedError(c int16) error {
	switch kgo.Error(c) {
	case kgo.InvalidProducerEpoch, kgo.ProducerFenced:
		return ErrFenced
	}
	return code(c)
}

// askCoordinator sends a request to the broker that keeps the state of the transactional id.
func (p *Producer) askCoordinator(ctx context.Context, req protocol.Message) (protocol.Message, error) {
	return p.c.askCoordinator(ctx, kgo.CoordinatorKeyTypeTransaction, p.cfg.TransactionalID, req)
}

// askCoordinator sends a request to the broker that keeps the state of a transactional id or a group.
func (c *Client) askCoordinator(ctx context.Context, kind kgo.CoordinatorKeyType, key string, req protocol.Message) (protocol.Message, error) {
	m, err := c.askAny(ctx, &coordAPI.Request{Key: key, KeyType: int8(kind)})
	if err != nil {
		return nil, err
	}
	r := m.(*coordAPI.Response)
	if r.ErrorCode != 0 {
		return nil, code(r.ErrorCode)
	}
	return c.ask(ctx, net.JoinHostPort(r.Host, strconv.Itoa(int(r.Port))), req)
}

// Fence shuts every earlier producer of the same transactional id out of the named partitions: once it has returned, whatever such a
// one still sends there is refused (it gets ErrFenced) and nothing of it lands. Records produced before are flushed first; nothing may be produced while it runs.
//
// How: an empty transaction over the partitions is aborted, and the abort's marker, which carries this producer's epoch, is written to
// each partition by its leader, which from then on refuses lower epochs. EndTxn answers before the markers are written, so the fence
// closes with one more InitProducerID: the coordinator answers that only when the transaction is completely over. It raises the epoch
// once more, which is the one this producer then writes with. Records are written outside of transactions, so fencing costs nothing per batch.
//
// Partition leaders forget a producer that wrote nothing for producer.id.expiration.ms (a day, as shipped), and so the fence; a stale
// owner that sleeps longer than that must be stopped by other means.
func (p *Producer) Fence(ctx context.Context, partitions map[string][]int32) error {
	if p.cfg.TransactionalID == "" {
		return errors.New("fence: the producer has no transactional id")
	}
	if err := p.Flush(ctx); err != nil {
		return err
	}
	pid, epoch, err := p.shutOut(ctx, partitions)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin(pid, epoch)
	if p.fenced == nil {
		p.fenced = map[string][]int32{}
	}
	for topic, ps := range partitions {
		for _, partition := range ps {
			if !slices.Contains(p.fenced[topic], partition) {
				p.fenced[topic] = append(p.fenced[topic], partition)
			}
		}
	}
	return nil
}

// shutOut is the work of Fence, and gives the id and epoch to write with from then on. The producer ends if it finds that it is itself fenced.
func (p *Producer) shutOut(ctx context.Context, partitions map[string][]int32) (pid int64, epoch int16, err error) {
	req := &addAPI.Request{TransactionalID: p.cfg.TransactionalID, ProducerID: p.pid, ProducerEpoch: p.epoch}
	for topic, ps := range partitions {
		if len(ps) > 0 {
			req.Topics = append(req.Topics, addAPI.RequestTopic{Name: topic, Partitions: ps})
		}
	}
	if len(req.Topics) == 0 {
		return p.pid, p.epoch, nil
	}
	what := fmt.Sprintf("fence older owners of %q", p.cfg.TransactionalID)
	steps := []func(context.Context) error{
		func(ctx context.Context) error { return p.addPartitions(ctx, req) },
		p.abort,
	}
	for _, step := range steps {
		if err := p.c.retrying(ctx, what, step); err != nil {
			return -1, -1, p.fencing(err)
		}
	}
	if pid, epoch, err = p.nextID(ctx); err != nil {
		return -1, -1, p.fencing(err)
	}
	return pid, epoch, nil
}

// fencing ends the producer if Fence found that it is itself fenced.
func (p *Producer) fencing(err error) error {
	if errors.Is(err, ErrFenced) {
		p.mu.Lock()
		p.fail(fmt.Errorf("producer %q: %w", p.cfg.TransactionalID, ErrFenced))
		p.mu.Unlock()
	}
	return err
}

func (p *Producer) addPartitions(ctx context.Context, req *addAPI.Request) error {
	m, err := p.askCoordinator(ctx, req)
	if err != nil {
		return err
	}
	var first error
	for _, t := range m.(*addAPI.Response).Results {
		for _, r := range t.Results {
			if r.ErrorCode == 0 {
				continue
			}
			err := fmt.Errorf("%s/%d: %w", t.Name, r.PartitionIndex, fencedError(r.ErrorCode))
			// One bad partition fails all; the others then say only that they were not attempted (55).
			if first == nil || kgo.Error(r.ErrorCode) != operationNotAttempted {
				first = err
			}
		}
	}
	return first
}

// operationNotAttempted is OPERATION_NOT_ATTEMPTED, which kafka-go has under another name.
const operationNotAttempted = kgo.BrokerAuthorizationFailed

func (p *Producer) abort(ctx context.Context) error {
	m, err := p.askCoordinator(ctx, &endAPI.Request{TransactionalID: p.cfg.TransactionalID, ProducerID: p.pid, ProducerEpoch: p.epoch})
	if err != nil {
		return err
	}
	c := m.(*endAPI.Response).ErrorCode
	if kgo.Error(c) == kgo.InvalidTransactionState {
		return nil // an earlier attempt, whose answer was lost, has ended it
	}
	return fencedError(c)
}

package embedded

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"shelfstream/internal/diskspace"
	"shelfstream/internal/fault"
)

// keptFree is what is left free on the disk at most: the broker's own notes and its cleaning of compacted topics need some.
const keptFree = 32 << 20

// disk stands between producers and a disk that may be full.
//
// kfake must not meet that itself: it has moved a producer's sequence on when it finds that a batch cannot be written, so it takes the batch for a
// duplicate when that is sent again, and acknowledges what it never wrote. So nothing is accepted while the disk has little room; and once a write failed
// all the same, nothing is accepted until the broker has been started again.
type disk struct {
	dir  string
	room *diskspace.Guard

	closing atomic.Bool // nothing is accepted any more: see Broker.settle

	mu     sync.Mutex
	failed *fault.Fault
	broken chan struct{} // closed when failed is set
}

func newDisk(dir string, log *slog.Logger) (*disk, error) {
	d := &disk{dir: dir, broken: make(chan struct{})}
	if dir == "" {
		return d, nil
	}
	var err error
	if d.room, err = diskspace.New("log.data_dir", dir, keptFree, log); err == nil {
		d.room.Room(0) // said at the start, before anything is half made
	}
	return d, err
}

// guard has every produce request looked at before the broker sees it.
func (d *disk) guard(c *kfake.Cluster) {
	if d.room == nil {
		return
	}
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req, ok := r.(*kmsg.ProduceRequest)
		if !ok || !d.closing.Load() && d.fault() == nil && d.room.Room(produced(req)) {
			return nil, nil, false
		}
		return refused(req), nil, true
	})
}

// produced is how many bytes of records a request brings.
func produced(req *kmsg.ProduceRequest) (n int) {
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			n += len(req.Topics[i].Partitions[j].Records)
		}
	}
	return n
}

// refused answers that nothing was written; clients send it again.
func refused(req *kmsg.ProduceRequest) kmsg.Response {
	res, _ := req.ResponseKind().(*kmsg.ProduceResponse)
	for i := range req.Topics {
		t := kmsg.NewProduceResponseTopic()
		t.Topic, t.TopicID = req.Topics[i].Topic, req.Topics[i].TopicID
		for j := range req.Topics[i].Partitions {
			p := kmsg.NewProduceResponseTopicPartition()
			p.Partition, p.ErrorCode, p.BaseOffset = req.Topics[i].Partitions[j].Partition, kerr.KafkaStorageError.Code, -1
			t.Partitions = append(t.Partitions, p)
		}
		res.Topics = append(res.Topics, t)
	}
	return res
}

// heard looks at what kfake logs, which is the only way in which it tells that a write failed. It does so before it answers the request.
func (d *disk) heard(message string) {
	if d.room == nil || !strings.HasPrefix(message, "persist ") && !strings.Contains(message, "failed to persist") {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed != nil {
		return
	}
	d.failed = &fault.Fault{
		Class: fault.Environment, Cause: fault.DiskFailed, Where: "log.data_dir " + d.dir, What: fmt.Sprintf("the log cannot be written any more (%s)", message),
		Fix: "see that its disk works and has room, then start again: everything that was acknowledged is there, and what was not is sent again",
	}
	close(d.broken)
}

func (d *disk) fault() *fault.Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// Failed is closed when a write to the disk failed, after which the broker accepts nothing more; Fault says what it was.
func (b *Broker) Failed() <-chan struct{} { return b.disk.broken }

// Fault says what keeps the broker from accepting records: a disk that is full for now, or one that failed; nil if nothing does.
func (b *Broker) Fault() *fault.Fault {
	if f := b.disk.fault(); f != nil || b.disk.room == nil {
		return f
	}
	return b.disk.room.Fault()
}

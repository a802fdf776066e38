package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	kgo "github.com/segmentio/kafka-go"

	"shelfstream/internal/fault"
)

// ErrFenced is fatal for a producer: a newer producer with the same transactional id has taken its partitions over.
var ErrFenced = errors.New("fenced: a newer owner took over")

// ErrClosed is what calls on a closed client, producer or fetcher return.
var ErrClosed = errors.New("kafka client closed")

// OffsetOutOfRangeError says that a partition was to be read at an offset that is not there: below Start where retention took it, or
// past End where the log was truncated or the topic made anew. Readers never skip to another offset by themselves.
type OffsetOutOfRangeError struct {
	Topic      string
	Partition  int32
	Offset     int64
	Start, End int64
}

func (e *OffsetOutOfRangeError) Error() string {
	return fmt.Sprintf("%s/%d: offset %d is outside the log, which holds %d to %d", e.Topic, e.Partition, e.Offset, e.Start, e.End)
}

// code turns a protocol error code into an error, nil for 0.
func code(c int16) error {
	if c == 0 {
		return nil
	}
	return kgo.Error(c)
}

// transient tells whether an operation that failed with err may succeed if it is simply done again.
func transient(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	var f *fault.Fault
	if errors.As(err, &f) {
		return false // put into words already, because a person has to act
	}
	var ke kgo.Error
	if errors.As(err, &ke) {
		switch ke {
		case kgo.ConcurrentTransactions, kgo.BrokerNotAvailable, kgo.ReplicaNotAvailable, kgo.OffsetNotAvailable:
			return true
		}
		return ke.Temporary()
	}
	return connectionLost(err)
}

// connectionLost tells whether err is of the network rather than an answer.
func connectionLost(err error) bool {
	var ne net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) || errors.Is(err, errNoLeader)
}

// errNoLeader: the partition exists but has no leader at the moment.
var errNoLeader = errors.New("partition has no leader")

// MissingTopic is the fault of a topic that should be there and is not.
func MissingTopic(name string) error { return faultFor("topic "+name, kgo.UnknownTopicOrPartition) }

// faultFor puts an error that a person must act on into words; other errors pass through with where in front.
func faultFor(where string, err error) error {
	var f *fault.Fault
	if errors.As(err, &f) {
		return err
	}
	mk := func(class fault.Class, cause fault.Cause, what, fix string) error {
		return &fault.Fault{Class: class, Cause: cause, Where: where, What: what, Fix: fix, Err: err}
	}
	var ke kgo.Error
	if errors.As(err, &ke) {
		switch ke {
		case kgo.TopicAuthorizationFailed, kgo.GroupAuthorizationFailed, kgo.ClusterAuthorizationFailed, kgo.TransactionalIDAuthorizationFailed:
			return mk(fault.Environment, fault.KafkaDenied, "Kafka denies this user the operation", "grant it with kafka-acls (Read, Write, Describe, Create on topics; Read on groups; Write on transactional ids)")
		case kgo.SASLAuthenticationFailed, kgo.UnsupportedSASLMechanism, kgo.IllegalSASLState:
			return mk(fault.Environment, fault.KafkaLogin, "Kafka refuses the login", "check the SASL mechanism, user and password")
		case kgo.UnknownTopicOrPartition:
			return mk(fault.Environment, fault.KafkaTopicMissing, "the topic or partition does not exist", "stop the stages and start them again, which makes it; what stood in it is sent again")
		case kgo.InvalidReplicationFactor:
			return mk(fault.Environment, fault.KafkaReplicas, "there are fewer brokers than replicas asked for", "lower the replication factor or add brokers")
		case kgo.PolicyViolation, kgo.InvalidConfiguration, kgo.InvalidTopic, kgo.InvalidPartitionNumber:
			return mk(fault.Config, fault.KafkaTopicSetting, "the broker refuses the topic", "see the broker's message: correct log.topics or log.partitions, or, where another topic's name collides with it, delete that topic or give the pipeline another name")
		}
		return fmt.Errorf("%s: %w", where, err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		// What a broker does with a login it refuses, and with a client that does not speak its TLS, besides going down.
		return mk(fault.Environment, fault.KafkaClosed, "Kafka closes the connection", "check the SASL mechanism, user and password and the TLS settings, and that the broker is not just stopping")
	}
	if connectionLost(err) {
		return mk(fault.Environment, fault.KafkaUnreachable, "Kafka is not reachable", "check that the brokers run and that the addresses under log.brokers are right")
	}
	return fmt.Errorf("%s: %w", where, err)
}

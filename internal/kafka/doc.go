// Package kafka moves bytes to and from Kafka: an idempotent producer, a fetcher of many partitions at explicit offsets, topics and
// offsets, and group membership. It knows no schema.
//
// Everything goes through segmentio/kafka-go's Transport (connections, TLS, SASL, protocol versions) and its protocol messages, but each
// request is addressed to exactly one broker chosen from metadata kept here (see exchange.go), because the Transport's own layout
// cannot be refreshed on demand after a change of leader. Record batches are written and read by the codec in recordbatch.go and
// recorddecode.go. kafka-go's Reader and Writer are not used: the one sticks on compacted topics, the other duplicates and reorders.
//
// What holds:
//   - A record is acknowledged only after all in-sync replicas have it (acks=all), once and in order for its partition, over retries,
//     lost connections, broker restarts and changes of leader.
//   - A Producer with a transactional id that has called Fence shuts out every earlier one with that id.
//   - A Fetcher returns every live record from the offset given, in order, passes over what compaction, control batches and aborted
//     transactions left behind, and reports (never repairs silently) an offset that is no longer there.
//   - Memory is bounded on both ways.
package kafka

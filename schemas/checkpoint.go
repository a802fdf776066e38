package schemas

// Checkpoint is an offset vector: the rows below it in every raw topic are exactly the source as of Position.
// Capture appends it to "<pipeline>.<source>.checkpoints" (one partition, key = the source's name) after every
// record below it is acknowledged by all in-sync replicas. Its Avro shape is checkpoint.avsc.
type Checkpoint struct {
	Source string
	// Position is the place in the source's log, in the source's own notation ("0/16B3748").
	Position string
	// System identifies the server and its history, and what else the source must know again ("7301…/1 [product=…]" = PostgreSQL's system identifier
	// and timeline, and which table each captured one is).
	System string
	// Transaction is the newest transaction below it; empty for a heartbeat.
	Transaction string
	// CommitTimeUS is the newest commit's time in microseconds since the epoch; for a heartbeat the server's clock.
	CommitTimeUS int64
	// WrittenUS is capture's clock when it was appended.
	WrittenUS int64
	// Heartbeat is set when no row changed since the checkpoint before it.
	Heartbeat bool
	// Topics are sorted by Topic. A table whose snapshot is not complete is not in it.
	Topics []CheckpointTopic
}

// CheckpointTopic is one raw topic's part of the vector.
type CheckpointTopic struct {
	// Table is the source's table as the configuration names it.
	Table string
	Topic string
	// Next holds, for each partition, the offset after the last one that belongs to the checkpoint.
	Next []int64
}

// Topic finds the part for a raw topic, or nil.
func (c *Checkpoint) Topic(name string) *CheckpointTopic {
	for i := range c.Topics {
		if c.Topics[i].Topic == name {
			return &c.Topics[i]
		}
	}
	return nil
}

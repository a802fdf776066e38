package kafka

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Record is one record of a partition. Key and Value are nil where the log has null: a record with a key and a nil Value is a tombstone.
type Record struct {
	Offset      int64 // set on reading
	TimestampMS int64 // create time, milliseconds since 1970; on writing 0 means now
	Key, Value  []byte
	Headers     []Header
}

// Batch is what Poll returns: some consecutive records of one partition. Records and all their bytes are valid until Release.
type Batch struct {
	Topic     string
	Partition int32
	// Records in offset order. Empty where the log holds only what is no data: compacted holes, control batches, aborted transactions.
	Records []Record
	// Next is the offset to go on from: past everything this batch covered, not just past its last record.
	Next int64
	// HighWatermark is the end of the replicated log when this was fetched.
	HighWatermark int64
	// Err is why this partition goes no further (an *OffsetOutOfRangeError, a *fault.Fault for bytes that are no record batch or a
	// missing privilege). The partition rests until it is added again. A batch with Err has no records.
	Err error

	hold *batchHold // what Release gives back
}

// tp names a partition.
type tp struct {
	topic     string
	partition int32
}

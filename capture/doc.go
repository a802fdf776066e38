// Package capture is the first room: a source's change log comes in, raw topics and checkpoints go out.
//
// In: a Source (capture/postgres, …) that pushes whole rows in commit order and says where transactions end.
//
// Out: a raw topic for each table, "<pipeline>.<source>.<table>" (key = primary key, value = whole row, delete = tombstone;
// Avro in Confluent's wire format; headers __op, __source_ts_ms, __pos, __txid), and "<pipeline>.<source>.checkpoints" with
// offset vectors that mark where the topics together equal the source as of one commit.
//
// Guaranteed: the records of a key are in commit order; a checkpoint is written only after every record below it is acknowledged;
// a position is confirmed to the source only after the checkpoint that covers it is acknowledged; after a crash no checkpoint is written
// until what was left half written beyond the last one has come again whole (see hold); nothing on local disk outlives a run (a snapshot
// of a table whose topic holds rows compares them in temporary files); of two workers that both believe they own a
// source, only the newer can write.
//
// A checkpoint's record has the source's name in plain text as its key, and a header __capture, which only the next capture worker
// reads: up to where operators' requests are done, and how each table's rows are laid out in its topic. Tables whose layout changed
// (the type of the key, partition_by) are read again by themselves.
//
// A row that cannot be written (a value that has no Avro form, more bytes than the topic accepts) is parked: "<pipeline>.<source>.parked" names it with
// the reason, the status shows it, and the others go on. Its topic keeps its last good version, if the row has not moved to another key or partition
// since. It is parked no more once a change or a snapshot brings it good, or it is gone; one that was only too large is read again at a start
// at which its topic accepts it. More than ten thousand such rows are no single rows any more, and stop the source.
//
// To add a source: implement Source in a package of its own below this one, run capturetest.Run against it, and add a line to cmd's
// table of connectors.
package capture

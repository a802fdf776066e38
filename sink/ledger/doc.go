// Package ledger keeps what was delivered, for targets that know no transactions: folders of files, HTTP servers.
//
// In: entries, one for each key of a partition: what is about to be done (Intended), what was done (Delivered), what the other side said of it (Acknowledged,
// Refused); parked records; the partition's place.
//
// Out: a compacted topic "<pipeline>.<sink>.deliveries" with as many partitions as the views' topics, JSON values that a person can read, and the newest state of all
// of it in memory.
//
// Guaranteed:
//   - What Put, Move and Write were given is durable when they return (acknowledged by all in-sync replicas).
//   - Open shuts older owners of the partition out: from then on none of them can write an entry. So a connector that acts only after its intent is written acts
//     only while it owns the partition, but for what it had intended before; and what a crash or a take-over left intended is known (Pending).
//   - Nothing is forgotten: the entry of an order delivered years ago still keeps it from being delivered again. A million entries take about 150 MB of memory, over
//     all workers together, and some ten seconds of one core to read at a start (see TestMemoryOfEntries).
//   - A topic that was deleted is not taken for a new one: Open fails with LedgerLost, as long as the witness lasts (see witness.go), until Rewind says from where on to deliver.
package ledger

// Package transform is the second room: raw topics and checkpoints come in, cleaned topics with whole products go out.
//
// In: for each view a root table, its children (1:n, routed to the same partition), its lookups (n:1 or n:m, broadcast), and the
// checkpoints of the sources they come from.
//
// Out: "<pipeline>.<view>" (key = the view's key, value = the whole product, children nested, tombstone when it is gone) and
// "<pipeline>.<view>.parked" (key = the same, value = JSON that says why the product is held; tombstone when the cause is gone).
//
// Guaranteed: a product is evaluated only where the state equals the sources as of their checkpoints, so it never shows half of a
// source transaction; it is emitted only where its bytes differ from what was emitted last; the state is a cache that can be thrown away
// at any time; of two workers that both believe they own a partition, only the newer can write.
//
// # The order of events in a task, and what a crash leaves
//
// A task owns one partition of one view, with one goroutine. It starts like this:
//
//  1. fence: a new epoch of the task's transactional id reaches the leaders of its output partitions; nobody older can write.
//  2. restore: what the output topic holds beyond the state's output offset was written by another owner (or by us before a crash);
//     its hashes go into the state and its keys become dirty.
//  3. read the newest checkpoint, now that the owner before can evaluate nothing more, and apply everything up to it.
//  4. only now evaluate what is dirty, and emit.
//
// Then, for each newer checkpoint: apply the rows below it (row, dirty mark and input offset in one batch of the store), evaluate the dirty
// products, produce, wait for the acknowledgements, and write emitted hashes, cleared dirty marks and the output offset in one batch.
// A crash before that last batch repeats the evaluation; what it sends again has the same bytes. A crash of the machine may
// cost the newest batches of the store; offsets and rows are lost together, so they are read again.
package transform

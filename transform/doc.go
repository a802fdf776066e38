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
//
// # What is kept of the product that was emitted last
//
// Its hash, always. Some of its fields, where the view has guards that watch them or rules that keep them (kept.go): they are written with the
// hash, and come back from the output topic. The numbers of rows that it was made of, where guards count those; the header __rows of its record has them
// too (guardrows.go). A `keep` rule is the one place where a product depends on its own past.
//
// # Guards
//
// A guard counts changes of one kind: products that leave the view, a field that becomes one of some values, a number that moves far, rows of a child that
// are lost (a half import). An evaluation lets everything else out and puts these aside; when all tasks of the process have counted as far, those put aside go out, or, if they are more
// than may within the window, all of them are held (guardhold.go, guardboard.go). So nothing leaks of a mass change, be it one transaction over
// all tasks, a new rule file, or a day that begins; of a slow leak goes out what the guard allows. Once a guard holds something, whatever else it counts is held too.
//
// A held product is as it was published, until its newest state is no change any more that the guard counts (the source was put right), or an operator
// applies the guard. It has a record in the parked topic, so that it stays held when state and worker are lost. What is not kept over a restart is the
// window: after it, as many changes may go out again. Each process decides for its own: shares are of the products that it holds, and
// counts are divided by the partitions that it has.
//
// # Requests of operators
//
// They stand in "<pipeline>.<view>.signals", for ever: who asked for what, and why. Every worker reads them, each task does its part. A held or parked
// product carries the offset up to which requests came before it, so that reading them again, without any state, does nothing twice.
package transform

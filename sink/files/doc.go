// Package files writes instruction files: each record becomes a file in a folder, from which another system reads by itself.
//
// In: batches of whole records (sink.Batch), mostly orders. A template (package render; several are built in) makes a file's name and its content of one record.
//
// Out: files, each written under another name first, made durable, and then renamed; in sink/ledger what was delivered. So a reader never sees half a file, and no order is
// ever there twice. The order of events for a stretch of records, and what a crash after each leaves:
//
//  1. "<name>.<sink>.<view>.<partition>.<token>.tmp" is written and made durable (file and folder). Crash: rubbish, which the next owner removes.
//  2. The ledger says Intended, with both names. Crash: the next owner finds the intent. The temporary file is there: it renames it. It is not there: it was renamed,
//     whether the reader has taken it since or not.
//  3. The file is renamed, the folder made durable. Crash: as above.
//  4. The ledger says Delivered, and the partition's place moves.
//
// A worker that lost its partition cannot write an intent any more (the ledger's fence), and the temporary files that it had intended are renamed by the new owner, so its own
// rename finds nothing. Each session has a token of its own in the names of its temporary files: what one session writes, another never renames half-written.
//
// The reader's acknowledgement (the file is gone, has another name, was moved, a status file lies beside it) is looked for every few seconds. A file that nobody took in
// time is a fault of the folder (Notices); one that was refused is a parked record with the reader's own text.
//
// An order that changes after its file was handed over: update says what to do. A replay delivers nothing again.
package files

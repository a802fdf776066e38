// Package sink is the third room: cleaned topics come in, a target (a webshop's database) is kept equal to them.
//
// In: cleaned topics, "<pipeline>.<view>": key = the view's key, value = the whole state of one product with its children nested,
// tombstone = the product is gone. Avro in Confluent's wire format; headers __source_ts_ms and __pos.
//
// Out: whatever a Target makes of them; sink/mysql writes tables of MySQL and MariaDB.
//
// Guaranteed:
//   - A target's rows and its offsets change in one transaction (Session.Apply), so that every record has its effect exactly once, and a crash
//     anywhere leaves nothing half done.
//   - A worker that lost its partition cannot write any more: Open raises an epoch in the target's offset row, and each transaction
//     checks it.
//   - A reader of the target never sees a state of a product older than one it saw: records apply in offset order, newest of a key
//     first and last, and a replay applies only the newest record of each key (see replay.go).
//   - Nothing that the topic never had is removed from a target unless an operator asks for it (see prune.go).
//   - A record that cannot be applied is parked with its reason and remedy; the others go on; it is tried again by itself, and
//     forgotten when a newer record of its key comes.
//   - Memory is bounded whatever the backlog is.
//
// To add a target: implement Target and Session in a package of its own below this one, run sinktest.Run against it, and add a line to cmd's table of
// connectors.
package sink

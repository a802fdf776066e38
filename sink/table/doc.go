// Package table keeps tables of a SQL database equal to cleaned topics, whatever database it is: a dialect (sink/postgres) says how it is spoken to.
//
// In: batches of whole products (sink.Batch). A root table takes columns of a view; a child table takes a nested list of it
// (from: product.images), one row for each element, with the product's key and the element's place in the list.
//
// Out: one transaction for each batch, sent as one packet where it fits: the fence (the partition's row in shelfstream_offsets), the
// rows, the parked records (shelfstream_parked), COMMIT. Because the packet ends with COMMIT, a worker that is stopped in the middle holds no
// lock longer than the server takes for it; where several packets are needed, a time limit of the session bounds it.
//
// Guaranteed, beyond what package sink says:
//   - Nothing is cut, rounded or zeroed on the way: what the database would round silently is checked before. A value that does not fit parks its product with column, limit and remedy.
//   - No product is overwritten through a unique index other than its key: the product is held until the other gives the value up. Products that exchange values, in one batch, in several or
//     from several partitions, are not kept from it (see swap.go); on the way a product may for moments have null or a value like "~1234" where the one it had went
//     to another. What a softly deleted product has, others may take.
//   - Partitions do not wait for each other, except where others write the tables too. Deadlocks are repeated and counted (shelfstream_sink_contention_total).
//   - Keys are compared byte by byte, or Check says which ALTER is needed.
//
// Whose rows are whose. A view's product owns its row in each root table, in which only the mapped columns are written, and all rows of its key in a list's table,
// also those that stood there before Shelfstream came. Rows of other keys are never touched, with two exceptions: a tombstone deletes the row of its key, whoever wrote it,
// and an operator's replay -prune deletes what the view does not have. Where deletions may have been missed (the sink was away for longer than the topic keeps them) keys
// are compared, and those that the topic does not know are named in the status, not deleted, until somebody runs replay -prune or sets keep_others: true.
//
// Columns that others own. columns: {description: {from: text, write: create}} writes a column only when its row is made, write: empty only while it has null or an
// empty text (a number or a date: null), write: never leaves it to others, also where the view has a field of its name. Where no column names a field, the table still takes
// all fields, and columns says only how. It holds for updates, replays, retries of what was parked, and a product that comes back from a soft deletion; a row that is deleted takes
// the editor's text with it. In a list's table the elements must be told apart by something else than their position, else the text would stay behind when the list changes
// order. A unique index may cover an owned column (a slug): what the view would write there is in nobody's way once the row has its own, and nobody's is freed for another.
// A value that does not fit parks its product even where it would not be written.
//
// Rows that others make. missing: park and missing: skip are for tables such as the shop's orders, to which the view only adds (an order's number in the ERP, its status): rows are
// written by UPDATE alone, found by the key byte by byte, so that none is ever inserted or deleted, also by no race, replay or prune; a tombstone does nothing, or marks the row with delete: soft. With park
// a product without a row is held, with a fault, and written within a minute of the row's coming: what the ERP says is not lost. With skip it is as if its record had never come. The database
// user needs only SELECT and UPDATE on such a table, and columns that nothing is written to may be NOT NULL without a default.
//
// A dialect for one more database: a Pool and Conn over its driver, and a Dialect; sinktest.Run and the tests of sink/postgres say whether it is whole.
package table

// Package mysql keeps tables of a MySQL 8 or MariaDB 10.11+ database equal to cleaned topics.
//
// In: batches of whole products (sink.Batch). A root table takes columns of a view; a child table takes a nested list of it
// (from: product.images), one row for each element, with the product's key and the element's place in the list.
//
// Out: one transaction for each batch, sent as one packet where it fits: the fence (the partition's row in shelfstream_offsets), the
// rows, the parked records (shelfstream_parked), COMMIT. Because the packet ends with COMMIT, a worker that is stopped in the middle holds no
// lock longer than the server takes for it; where several packets are needed, the session's wait_timeout bounds it.
//
// Guaranteed, beyond what package sink says:
//   - Nothing is cut, rounded or zeroed on the way: the session's sql_mode is strict, and what MySQL would still round silently
//     (digits after the point, parts of a second) is checked before. A value that does not fit parks its product with column, limit and remedy.
//   - No product is overwritten through a unique index other than its key: the upsert itself fails where MySQL would update a row of
//     another key (see upsert.go), and the product is held until the other gives the value up.
//   - Keys are compared byte by byte: 'å' and 'a', 'A' and 'a', 'a' and 'a ' stay apart, or Check says which ALTER is needed.
//
// Special values: infinite dates and timestamps, NaN and infinities have no form in MySQL; their product is parked, or they become null where the
// table's configuration says infinity: null.
package mysql

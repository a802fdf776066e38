// Package postgres keeps tables of a PostgreSQL 13+ database equal to cleaned topics: a shop's, or the import tables of an ERP (orders and their lines, keyed by the web order's number).
//
// In and out, and whose rows and columns are whose, are as package table says. What is PostgreSQL's own:
//
// How it writes. INSERT … ON CONFLICT (key) DO UPDATE, which meets no other product's row: a value that another row has in a further unique index is an error, for which the product is
// held until the other gives the value up. Batches of many records go by COPY into a temporary table of the connection and one INSERT … SELECT from it, in the same transaction as
// the place; COPY locks nothing that others want. A role that may make no temporary tables (REVOKE TEMPORARY ON DATABASE) writes by INSERT … VALUES, which takes about twice as long.
//
// Recognised as ours. Each transaction begins with pg_logical_emit_message(true, 'shelfstream', 'PIPELINE/SINK'), so that capture/postgres drops
// it where a table that the pipeline captures is also written by one of its sinks.
//
// Tables may be named with their schema ("erp.order_import"), else the search_path finds or places them. So do shelfstream_offsets and shelfstream_parked, in the role's first
// schema. Keep the search_path of the role as it is, or name it in the dsn (options=-csearch_path%3Dshop).
//
// Keys are compared byte by byte: char(n), citext and collations that fold are no key columns; Check says which ALTER is needed.
//
// Values. Infinite dates and timestamps, NaN, dates before Christ have their form. Infinite numbers go into float and numeric without a size only. U+0000 has no form in any text: its
// product is parked, as it is where a database in another encoding than UTF-8 lacks a character. A column of an array type takes a list of values without a table of its own, other columns take it as JSON.
//
// The session is ours: UTC, READ COMMITTED, lock_timeout 10 s, statement_timeout 2 min, idle_in_transaction_session_timeout 60 s, whatever the role's settings are. Poolers that give a
// connection to others between transactions (PgBouncer's transaction mode) lose these settings and the temporary tables: use the server's own port, or session mode.
package postgres

// Package postgres is the source for PostgreSQL 15 and newer: tables are read by COPY as of an exact LSN, and after that every
// committed transaction comes from a logical replication slot with the plugin pgoutput.
//
// In: a database with wal_level = logical, and a role that may replicate and read the tables. Preflight says everything
// that is missing at once, each with the statement to run. The source makes its slot and, where the role may, its publication.
//
// Out: capture.Log's calls. A position is the LSN of a commit's end, "0/16B3748"; the rows of a transaction carry the LSN at which its
// commit begins. The system is "<system identifier>/<timeline>".
//
// # What is guaranteed
//
// Transactions come whole and in the order of their commits; none that a checkpoint covers comes again, though a slot's own position may go
// back when the server restarts. The server is told that a position is done only after Confirm, also when it is idle: then the
// position of a keepalive goes through the log as a heartbeat, so WAL does not pile up behind a quiet database, and a server that
// shuts down is not held up.
//
// A table added later, or read again, is read as of the position C of a temporary slot. The stream is read up to C without
// that table, then comes the snapshot, then the stream goes on with it: no gap, no overlap. Tables are locked against DDL while they
// are read, as by any SELECT; a table that was rewritten just before that lock is noticed, and its snapshot begun again.
//
// If the changes after the checkpoint cannot be had any more (the slot is gone, was made anew or lost its WAL; the publication was
// dropped; the server is another one, was set back, or left the checkpoint's timeline before it), Run ends with
// capture.ErrPositionLost. It goes on through a failover that happened after the checkpoint, if the slot survived it.
//
// Some changes of a table say nothing in its stream: it is dropped and made again, or exchanged for another; it leaves the publication for a time; a
// column is added with a default, renamed, dropped, or given another type, so that rows nobody writes change too. Each checkpoint's System says which
// table and which columns were captured (identity.go). A start compares them with the database, and a running source does so every ten heartbeats: what is not
// the same any more is published if need be and read anew by itself. A column added without a default, a longer text or precision, and NOT NULL need nothing.
// A table that is dropped while the source runs is warned of, and is a fault at the next start.
//
// # Our own writes
//
// A sink of the same pipeline may write a table that is captured: orders go into the ERP, and their status comes back from there. Such a sink begins each of its transactions with a
// message (sink/postgres), and the stream drops all rows of that transaction, so that nothing goes round in circles; shelfstream_postgres_own_row_changes_total counts them. The topic then has a
// row as somebody else last left it: it appears when the ERP first changes it, whole. A snapshot cannot tell who wrote a row, and reads all. own_writes: keep captures them as any others, and rows of
// another pipeline's sinks always are.
//
// # Values
//
// Everything is read in the text format, with session settings of our own, so snapshot and stream give the same values; decode.go says why
// not binary. These types have a logical type: bool, int2, int4, int8, oid, numeric (without a scale: with every digit PostgreSQL prints), float4,
// float8, text, varchar, char(n) (without the blanks at its end: to PostgreSQL they mean nothing, and without them it meets a varchar in joins,
// lookups and partitions; inside a composite type's text they stay), bytea, date, time, timestamp, timestamptz, uuid, json, jsonb, enums, arrays of these, and domains over
// them. All others are text as PostgreSQL prints it: interval in the style postgres ("1 day 02:00:00"), money without a locale
// ("$1,234.50"), timetz, inet, cidr, xml, bit, ranges, composite types, and those of extensions. Infinite dates, years before Christ and
// NaN are as package schemas says. An array's lower bounds are not kept, and it must have as many dimensions as its column declares.
//
// # Replica identity
//
// A delete or update brings of the old row only the key, unless the table has REPLICA IDENTITY FULL. It needs that where partition_by has columns outside
// the key, and where it has columns that may be stored out of line (TOAST), since an update that leaves such a value as it is does
// not log it. Preflight asks for both with the exact ALTER TABLE. If a change comes without what it needs all the same, Run ends with a
// fault that names the ALTER and the resnapshot; nothing is guessed.
//
// # What PostgreSQL does not tell
//
// Generated columns are not in the change stream, so they are not captured at all. TRUNCATE, ATTACH, DETACH and DROP of a single partition are not published,
// and rows that nobody writes keep an enum's symbol or a composite type's form from before ALTER TYPE changed it; a resnapshot of the table puts its topic right.
package postgres

// Package mysql is the source for MySQL 8 and MariaDB 10.6 and newer: tables are read by SELECT as of an exact place in the binary log, and after that every
// committed transaction comes from the log.
//
// In: a database with log_bin, binlog_format = ROW, binlog_row_image = FULL and binlog_row_metadata = FULL, and a user that may replicate and read the tables.
// Preflight says everything that is missing at once, each with the statement to run. There is no schema history: with that metadata each event of the log describes
// the columns of its rows, so a row is always read by its table's definition at its place.
//
// Out: capture.Log's calls. A position is the GTIDs of all transactions before it and the file they were read from, "0-7-123 binlog.000003@1763790000"; where MySQL runs
// without GTIDs, it is file and offset. The rows of a transaction carry its own GTID. The system is "mariadb/<server_id>" or "mysql/<server_uuid>", and for each
// table whose rows are on its topic a checksum over its captured columns (identity.go).
//
// # What is guaranteed
//
// Transactions come whole and in the order of the log; none that a checkpoint covers comes again. The server is told nothing: it keeps its log as long as it is
// set to (binlog_expire_logs_seconds), and if it removes what was not read yet, or its log was made anew (RESET MASTER), or the server is another one that has no
// GTIDs in common, Run ends with capture.ErrPositionLost. With GTIDs, any server of the same history will do: after a failover the address of the replica is enough, if it
// logs what it receives (log_slave_updates) and is as far as the checkpoint.
//
// A table added later, or read again, is read as of a place Q of the log. The stream is read up to Q without that table, then comes the snapshot, then the stream
// goes on with it: no gap, no overlap (barrier.go). The same happens by itself, with a warning and a metric, whenever the log does not say what happened to a table's
// rows: ALTER TABLE that changes old rows (a column with a default, dropped, renamed, retyped), RENAME as tools for online changes do, DROP and CREATE; a
// change that a session logged as a statement, or without whole row images; a definition that changed without a word (sql_log_bin = 0); a transaction that the
// server's death tore; an XA transaction that is prepared and committed, whose rows count only then. Only differences are sent for it. Columns that are added
// without a value, indexes, comments and the like (statement.go) need nothing. A table that is dropped is warned of, and is a fault at the next start.
//
// Rows that sinks of the same pipeline write are dropped, so that nothing goes round: a transaction of theirs begins with a row of shelfstream_offsets, whose topic is the
// pipeline's. own_writes: keep turns that off.
//
// # Snapshots
//
// All connections of a snapshot see the database as of one place in the log (consistent.go). MariaDB tells it to each connection, so that no lock is needed
// while nobody writes; else FLUSH TABLES WITH READ LOCK holds the writers up for the milliseconds in which the transactions begin. Without the privilege RELOAD
// a snapshot of MariaDB is read by one connection. Tables cannot be altered until they are read, as by any SELECT. They are divided by ranges of their key's first
// column (chunks.go); a table whose key begins with a float, enum, set, bit, year or time is read by one connection.
//
// # Values
//
// Snapshot and log give the same bytes for every type:
//
//	tinyint, bool, smallint                  int16 (smallint unsigned: int32)
//	mediumint, int                           int32 (int unsigned: int64)
//	bigint                                   int64 (unsigned: decimal(20,0))
//	decimal(p,s)                             decimal(p,s), exact
//	float, double                            float32, float64; all digits, also where a width is declared
//	bit(1)                                   bool
//	bit(2…63), bit(64)                       the unsigned number: int16, int32 or int64 as it fits; decimal(20,0)
//	year                                     int16: 1901 to 2155, or 0
//	date, datetime, timestamp                date, timestamp, timestamptz; a nullable column, see below
//	time                                     time, from -838:59:59.999999 to 838:59:59.999999
//	char, varchar, text                      text in UTF-8, whatever the column's character set is; char without the blanks at its end
//	binary, varbinary, blob                  bytes; binary(n) with the zeros at its end
//	enum                                     enum; the empty text for what a server that is not strict stored in place of no member
//	set                                      text, "a,b" in the order of the declaration
//	json                                     MySQL: json, as the server prints it. MariaDB: text, as json is longtext there
//	geometry and its kinds                   bytes: the SRID in four bytes, then WKB
//	uuid, inet4, inet6 (MariaDB)             uuid; text
//
// Dates that no calendar has ("0000-00-00", "2024-00-15", "2023-02-31") are published as null with a header, as package schemas says of special values. In a key
// they park the row.
//
// Refused by name: COMPRESSED columns, vector, xmltype, character sets of several bytes that are not Unicode's (gbk, sjis, big5, …), and datetimes with fractions in
// the form of MariaDB 5.3; each can be left out under columns, except where its size in the log is not known either. So are system-versioned tables, engines
// without transactions, views, and tables whose rows a foreign key changes (CASCADE, SET NULL): InnoDB logs nothing of that.
package mysql

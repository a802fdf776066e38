package fault

// The causes in a source on MySQL or MariaDB.
const (
	BinlogUnreachable   Cause = "binlog.unreachable"
	BinlogLogin         Cause = "binlog.login"
	BinlogDatabase      Cause = "binlog.database_missing"
	BinlogConnections   Cause = "binlog.too_many_connections"
	BinlogNotAccepting  Cause = "binlog.not_accepting"
	BinlogCatalog       Cause = "binlog.catalog_unreadable"
	BinlogVersion       Cause = "binlog.version"
	BinlogOff           Cause = "binlog.off"
	BinlogFormat        Cause = "binlog.format"
	BinlogMetadata      Cause = "binlog.metadata"
	BinlogServerID      Cause = "binlog.server_id"
	BinlogReplica       Cause = "binlog.replica"
	BinlogGTID          Cause = "binlog.gtid"
	BinlogExpires       Cause = "binlog.expires"
	BinlogReplication   Cause = "binlog.replication_privilege"
	BinlogTableRight    Cause = "binlog.table_privilege"
	BinlogTableMissing  Cause = "binlog.table_missing"
	BinlogTableUnfit    Cause = "binlog.table_unfit"
	BinlogTableLocked   Cause = "binlog.table_locked"
	BinlogColumnMissing Cause = "binlog.column_missing"
	BinlogColumnType    Cause = "binlog.column_type"
	BinlogNoKey         Cause = "binlog.no_key"
	BinlogValue         Cause = "binlog.value"
	BinlogPacket        Cause = "binlog.packet"
)

func binlogEntries() []Entry {
	const system = "MySQL source"
	return []Entry{
		{BinlogUnreachable, system, "The source's database does not answer", Connection, Critical, "start it, or mend the way to it; what changes meanwhile is kept in its log and comes when it is back", "shelfstream check -connect", true},
		{BinlogLogin, system, "The source's database refuses the login", Refused, Critical, "correct user or password in the source's dsn, or the user's account in the database", "shelfstream check -connect", true},
		{BinlogDatabase, system, "There is no such database in the source's server", Refused, Critical, "correct the database's name in the source's dsn, make the database, or let the user see it", "shelfstream check -connect", true},
		{BinlogConnections, system, "The source's server has no connection left", Busy, Critical, "end other clients, or raise max_connections or the user's limit", "", true},
		{BinlogNotAccepting, system, "The source's server accepts no connections now", Busy, Critical, "see the server's message; a start ends by itself, an init_connect that fails is corrected; it is tried again by itself", "", true},
		{BinlogCatalog, system, "The source's tables cannot be looked over or read", Refused, Critical, "see the server's message: a table that is damaged is repaired or put back from a backup; it is tried again by itself", "shelfstream check -connect", true},
		{BinlogVersion, system, "The source's server is too old", Refused, Critical, "upgrade to MySQL 8.0 or MariaDB 10.6, or newer", "shelfstream check -connect", true},
		{BinlogOff, system, "The source's server writes no binary log", Refused, Critical, "set log_bin in the server's my.cnf, and restart it", "shelfstream check -connect", true},
		{BinlogFormat, system, "The source's binary log does not hold whole rows", Refused, Critical, "run the SET GLOBAL that the fault names, and put the line into my.cnf", "shelfstream check -connect", true},
		{BinlogMetadata, system, "The source's binary log does not describe its columns", Refused, Critical, "SET GLOBAL binlog_row_metadata = 'FULL', and put the line into my.cnf", "shelfstream check -connect", true},
		{BinlogServerID, system, "The source's server has no usable server_id", Refused, Critical, "run the SET GLOBAL that the fault names, or change server_id in the source", "shelfstream check -connect", true},
		{BinlogReplica, system, "The source is a replica that does not log what it receives", Refused, Critical, "set log_slave_updates in its my.cnf and restart it, or give the primary's address", "shelfstream check -connect", true},
		{BinlogGTID, system, "The source's server gives no whole GTIDs", Refused, Critical, "run the SET GLOBAL that the fault names", "shelfstream check -connect", true},
		{BinlogExpires, system, "The source's server keeps its binary log too short", Refused, Critical, "run the SET GLOBAL that the fault names, and put the line into my.cnf", "shelfstream check -connect", true},
		{BinlogReplication, system, "The source's user may not read the binary log", Refused, Critical, "run the GRANT that the fault names", "shelfstream check -connect", true},
		{BinlogTableRight, system, "The source's user may not read a captured table", Refused, Critical, "run the GRANT that the fault names", "shelfstream check -connect", true},
		{BinlogTableMissing, system, "A captured table does not exist", Refused, Critical, "make the table, or correct its name under the source's tables", "shelfstream check -connect", true},
		{BinlogTableUnfit, system, "A captured table has no usable change log", Refused, Critical, "do what the fault names, or capture another table", "shelfstream check -connect", true},
		{BinlogTableLocked, system, "Somebody holds a captured table", Busy, Error, "let the statement, transaction or LOCK TABLES end, or end it (SHOW FULL PROCESSLIST; KILL …); it is tried again by itself", "", true},
		{BinlogColumnMissing, system, "The configuration names a column that the table does not have", Refused, Critical, "correct columns or partition_by, or give the table the column back", "shelfstream check -connect", true},
		{BinlogColumnType, system, "A captured column has a type that cannot be read", Refused, Critical, "leave it out under columns, or give it another type", "shelfstream check -connect", true},
		{BinlogNoKey, system, "A captured table has no primary key", Refused, Critical, "ALTER TABLE … ADD PRIMARY KEY", "shelfstream check -connect", true},
		{BinlogValue, system, "A value of the source cannot be read", Invalid, Critical, "correct the value, or leave the column out under columns", "shelfstream capture resnapshot -source <source> -table <table>", true},
		{BinlogPacket, system, "The source's server does not send a row in its log, which is too large", Lost, Critical, "make the row smaller, then read the source's tables again", "shelfstream capture resnapshot -source <source>", true},
	}
}

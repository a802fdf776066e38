package fault

// The causes in an ERP on PostgreSQL. Those that any source may have begin with "source".
const (
	PostgresUnreachable     Cause = "postgres.unreachable"
	PostgresLogin           Cause = "postgres.login"
	PostgresDatabase        Cause = "postgres.database_missing"
	PostgresConnections     Cause = "postgres.too_many_connections"
	PostgresNotAccepting    Cause = "postgres.not_accepting"
	PostgresConnectRight    Cause = "postgres.connect_privilege"
	PostgresReplication     Cause = "postgres.replication_privilege"
	PostgresTableRight      Cause = "postgres.table_privilege"
	PostgresCatalogRight    Cause = "postgres.catalog_unreadable"
	PostgresWALLevel        Cause = "postgres.wal_level"
	PostgresStandby         Cause = "postgres.standby"
	PostgresNoSlot          Cause = "postgres.slots_taken"
	PostgresSlotBusy        Cause = "postgres.slot_in_use"
	PostgresSlotForeign     Cause = "postgres.slot_foreign"
	PostgresWALRemoved      Cause = "postgres.wal_removed"
	PostgresPublication     Cause = "postgres.publication"
	PostgresTableMissing    Cause = "postgres.table_missing"
	PostgresTableUnfit      Cause = "postgres.table_unfit"
	PostgresTableLocked     Cause = "postgres.table_locked"
	PostgresTableChanged    Cause = "postgres.table_changed"
	PostgresColumnMissing   Cause = "postgres.column_missing"
	PostgresNoKey           Cause = "postgres.no_key"
	PostgresReplicaIdentity Cause = "postgres.replica_identity"
	PostgresVersion         Cause = "postgres.version"
	PostgresValue           Cause = "postgres.value"
	SourcePositionLost      Cause = "source.position_lost"
)

func postgresEntries() []Entry {
	const system = "PostgreSQL"
	return []Entry{
		{PostgresUnreachable, system, "The ERP's database does not answer", Connection, Critical, "start it, or mend the way to it; what changes meanwhile is kept in its log and comes when it is back", "shelfstream check -connect", true},
		{PostgresLogin, system, "The ERP's database refuses the login", Refused, Critical, "correct user or password in the source's dsn, let the role log in, or add the line to pg_hba.conf", "shelfstream check -connect", true},
		{PostgresDatabase, system, "There is no such database in the ERP's server", Refused, Critical, "correct the database's name in the source's dsn, or make the database", "shelfstream check -connect", true},
		{PostgresConnections, system, "The ERP's server has no connection left", Busy, Critical, "end other clients, or raise max_connections, max_wal_senders or the role's connection limit", "", true},
		{PostgresNotAccepting, system, "The ERP's server accepts no connections now", Busy, Critical, "wait for the end of its start or recovery, or open the database for connections again", "", true},
		{PostgresConnectRight, system, "The role may not connect to the ERP's database", Refused, Critical, "GRANT CONNECT ON DATABASE … TO the role", "shelfstream check -connect", true},
		{PostgresReplication, system, "The role may not replicate", Refused, Critical, "ALTER ROLE … REPLICATION", "shelfstream check -connect", true},
		{PostgresTableRight, system, "The role may not read a captured table", Refused, Critical, "run the GRANT that the fault names", "shelfstream check -connect", true},
		{PostgresCatalogRight, system, "The ERP's catalogue of tables cannot be read", Refused, Critical, "grant the role SELECT on the system catalogue that the server's message names", "shelfstream check -connect", true},
		{PostgresWALLevel, system, "The ERP's server writes no logical log", Refused, Critical, "ALTER SYSTEM SET wal_level = 'logical', and restart the server", "shelfstream check -connect", true},
		{PostgresStandby, system, "The ERP's address is a standby's", Refused, Critical, "give the primary's address in the source's dsn", "shelfstream check -connect", true},
		{PostgresNoSlot, system, "All replication slots of the ERP's server are taken", Full, Critical, "drop a slot that nobody uses, or raise max_replication_slots and max_wal_senders", "shelfstream check -connect", true},
		{PostgresSlotBusy, system, "Another client reads the source's replication slot", Busy, Critical, "end that client, or give the source a slot of its own", "", true},
		{PostgresSlotForeign, system, "The source's replication slot belongs to something else", Conflict, Critical, "give the source another slot, or drop the one that nobody needs", "", true},
		{PostgresWALRemoved, system, "The ERP's server removed log that was not read yet", Lost, Critical, "raise max_slot_wal_keep_size, and have every table read again", "shelfstream capture resnapshot -source <source>", true},
		{PostgresPublication, system, "The publication does not carry all that is captured", Refused, Critical, "run the CREATE or ALTER PUBLICATION that the fault names", "shelfstream check -connect", true},
		{PostgresTableMissing, system, "A captured table does not exist", Refused, Critical, "make the table, or correct its name under the source's tables", "shelfstream check -connect", true},
		{PostgresTableUnfit, system, "A captured table has no change log", Refused, Critical, "make it a logged table, or capture the tables it is made of", "shelfstream check -connect", true},
		{PostgresTableLocked, system, "A table is locked, so it can be neither looked at nor read", Busy, Error, "let the transaction that locks it end", "", true},
		{PostgresTableChanged, system, "A captured table was changed, and is read anew", Busy, Warning, "nothing: the table is read anew by itself", "", true},
		{PostgresColumnMissing, system, "The configuration names a column that does not come from the table", Refused, Critical, "correct columns or partition_by, or give the column back to the table or the publication", "shelfstream check -connect", true},
		{PostgresNoKey, system, "A captured table has no key", Refused, Critical, "add a primary key, or a replica identity by a unique index", "shelfstream check -connect", true},
		{PostgresReplicaIdentity, system, "Old rows of a captured table do not come whole", Refused, Critical, "ALTER TABLE … REPLICA IDENTITY FULL, as the fault names it", "shelfstream capture resnapshot -source <source> -table <table>", true},
		{SourcePositionLost, system, "The place in the ERP's log is lost", Lost, Critical, "have every table read again; only differences are sent", "shelfstream capture resnapshot -source <source>", true},
		{PostgresVersion, system, "The ERP's server is too old", Refused, Critical, "upgrade to PostgreSQL 15 or newer", "shelfstream check -connect", true},
		{PostgresValue, system, "A value of the ERP cannot be read", Invalid, Critical, "correct the value, or leave the column out under columns", "shelfstream capture resnapshot -source <source> -table <table>", true},
	}
}

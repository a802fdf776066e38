package fault

// The causes in a shop (or an ERP's import tables) on PostgreSQL. Those of one product are as for every database.
const (
	PGSinkUnreachable   Cause = "pgsink.unreachable"
	PGSinkLogin         Cause = "pgsink.login"
	PGSinkDatabase      Cause = "pgsink.database_missing"
	PGSinkConnections   Cause = "pgsink.too_many_connections"
	PGSinkPrivilege     Cause = "pgsink.privilege"
	PGSinkReadOnly      Cause = "pgsink.read_only"
	PGSinkFull          Cause = "pgsink.disk_full"
	PGSinkLocked        Cause = "pgsink.locked"
	PGSinkTableMissing  Cause = "pgsink.table_missing"
	PGSinkTableChanged  Cause = "pgsink.table_changed"
	PGSinkColumnMissing Cause = "pgsink.column_missing"
	PGSinkColumnUnfit   Cause = "pgsink.column_unfit"
	PGSinkColumnUnfed   Cause = "pgsink.column_unfed"
	PGSinkKey           Cause = "pgsink.key"
)

func pgsinkEntries() []Entry {
	const system = "PostgreSQL sink"
	return []Entry{
		{PGSinkUnreachable, system, "The target's PostgreSQL does not answer", Connection, Critical, "start it, or mend the way to it; what is to be written waits in the log", "shelfstream check -connect", true},
		{PGSinkLogin, system, "The target's PostgreSQL refuses the login", Refused, Critical, "correct user or password in the sink's dsn, let the role log in, or add the line to pg_hba.conf", "shelfstream check -connect", true},
		{PGSinkDatabase, system, "There is no such database in the target's PostgreSQL", Refused, Critical, "make the database, or correct its name in the sink's dsn", "shelfstream check -connect", true},
		{PGSinkConnections, system, "The target's PostgreSQL has no connection left", Busy, Critical, "end other clients, or raise max_connections or the role's connection limit", "", true},
		{PGSinkPrivilege, system, "The role may not do in the target's PostgreSQL what is needed", Refused, Critical, "run the GRANT that the fault names", "shelfstream check -connect", true},
		{PGSinkReadOnly, system, "The target's PostgreSQL is read-only", Refused, Critical, "let the sink's dsn point at the primary", "", true},
		{PGSinkFull, system, "The target's PostgreSQL has no room", Full, Critical, "make room on its disk", "", true},
		{PGSinkLocked, system, "Somebody holds locks in the target's tables", Busy, Error, "end the transaction or LOCK TABLE that holds them (pg_stat_activity, pg_locks)", "", true},
		{PGSinkTableMissing, system, "A table of the target does not exist", Refused, Critical, "run the CREATE TABLE that the fault names, or set create: true", "shelfstream check -connect", true},
		{PGSinkTableChanged, system, "A table of the target was changed while the sink ran", Refused, Critical, "run what check names", "shelfstream check -connect", true},
		{PGSinkColumnMissing, system, "A table of the target lacks a column", Refused, Critical, "run the ALTER TABLE that the fault names, or correct columns", "shelfstream check -connect", true},
		{PGSinkColumnUnfit, system, "A column of the target cannot take its field", Refused, Critical, "run the ALTER TABLE that the fault names, let a rule convert the field, or set unfit: park", "shelfstream check -connect", true},
		{PGSinkColumnUnfed, system, "A column of the target must have a value, and nothing gives one", Refused, Critical, "map a field to it, or let it take null", "shelfstream check -connect", true},
		{PGSinkKey, system, "A table of the target does not tell records apart", Refused, Critical, "run the ALTER TABLE that the fault names", "shelfstream check -connect", true},
	}
}

package fault

// unplayed are causes whose fault no dialogue has produced in the real system yet. They are known, so that incidents have a severity and a remedy, but
// nobody has seen that the remedy cures; the catalogue that we stand for leaves them out. TestEveryEntryHasADialogue says which could be taken off.
var unplayed = []Cause{
	// The lock that keeps a snapshot from beginning keeps the look at the catalogue before it waiting too, and that is told as "starting".
	PostgresTableLocked,
	// It passes by itself within a second: the log has it, no page.
	PostgresTableChanged,
	// Needs a PostgreSQL before 15, and none is installed.
	PostgresVersion,
	// Every value that PostgreSQL 15 can send is read, as far as anybody knows.
	PostgresValue,
	// The look over the source at each start finds the replica identity first; only a change of it while capture streams gets this far.
	SourceOldRow,
	// A MariaDB whose tablespace may not grow raises it, but then nothing can be dropped either; it needs a small disk of its own, with a file on it to remove.
	MySQLFull,
	// Comes up after a week away (delete.retention.ms), and compares all keys then.
	ShopOthers,
	// A folder that root may not write in, and one whose server fails, need a mount of their own; so does a full one.
	FilesFolderRefused,
	FilesFolderFailed,
	FilesFull,
	// Errors that no other words fit: none is known that the shop's server raises for a single row.
	ProductRefused,
	// A topic deleted while it is written: Kafka makes its leader unknown first, and the producer waits for it.
	KafkaTopicMissing,
	// Needs a program that joins our group with another protocol.
	KafkaGroupForeign,
	// Need brokers that lose what they have acknowledged, or a disk that damages it.
	KafkaRecordsLost,
	KafkaBatchBroken,
	KafkaStoreFailed,
	// Needs records written under ids that only another registry has.
	RegistryMissing,
	// Need a registry with users, or one that can be made read-only; the embedded one has neither.
	RegistryLogin,
	RegistryRefused,
	// Needs two processes with the embedded registry on one log.
	RegistryTwice,
	// Need topics written by another version of a table than the registry has, or by hand.
	TopicShape,
	SignalForeign,
	RowUnwritable,
	RowsTooMany,
	// Needs a disk that breaks in the middle of a write; a full one waits (disk.full).
	DiskFailed,
	ChannelUnreachable,
	ChannelTimeout,
	ChannelThrottled,
	ChannelBusy,
	ChannelLogin,
	ChannelRecipient,
	ChannelRefused,
	ChannelCommand,
	LinkKeyUnusable,
	// The dialogues of MySQL and MariaDB as sources are still to be played.
	BinlogUnreachable, BinlogLogin, BinlogDatabase, BinlogConnections, BinlogNotAccepting, BinlogCatalog, BinlogVersion, BinlogOff, BinlogFormat,
	BinlogMetadata, BinlogServerID, BinlogReplica, BinlogGTID, BinlogExpires, BinlogReplication, BinlogTableRight, BinlogTableMissing, BinlogTableUnfit,
	BinlogTableLocked, BinlogColumnMissing, BinlogColumnType, BinlogNoKey, BinlogValue, BinlogPacket,
	RestUnreachable, RestTimeout, RestThrottled, RestBusy, RestLogin, RestAddress,
	RestRefused, RestConflict, RestTooLarge, RestFails, RestUnrendered, RestAnswer,
	StatusUnwritable,
	StatusUnreadable,
	// Need a database of the sink's own that comes and goes, a standby behind the sink's address, and a PostgreSQL on a small disk.
	PGSinkDatabase,
	PGSinkReadOnly,
	PGSinkFull,
}

package fault

// unplayed are causes whose fault no dialogue has produced in the real system yet. They are known, so that incidents have a severity and a remedy, but
// nobody has seen that the remedy cures; the catalogue that we stand for leaves them out. TestEveryEntryHasADialogue says which could be taken off.
var unplayed = []Cause{
	// Needs a PostgreSQL before 15, and none is installed. Produced by hand with 14, and cured by 18.
	PostgresVersion,
	// What a broker answers that fails in a way of its own. The embedded log does after a write that failed, and ends the process for it (disk.failed, which is played); Apache Kafka halts.
	KafkaStoreFailed,
	// Need a server before MySQL 8.0 or MariaDB 10.6, and a MySQL, whose GTIDs alone can be switched on by halves; neither is installed. The first was produced by hand with MariaDB 10.2; TestGTIDsByHalves follows the second's text where there is one.
	BinlogVersion, BinlogGTID,
	// Needs a row of more than 1 GiB, as the servers send their log in packets of that size, whatever max_allowed_packet is: a minute's work and 5 GB of memory. Produced and cured by hand.
	BinlogPacket,
	// Every value that MariaDB 10.11 can write is read, as far as anybody knows.
	BinlogValue,
}

package fault

// The causes in a shop on MySQL or MariaDB. Those of one product begin with "product", those of any shop with "shop".
const (
	MySQLUnreachable   Cause = "mysql.unreachable"
	MySQLLogin         Cause = "mysql.login"
	MySQLDatabase      Cause = "mysql.database_missing"
	MySQLConnections   Cause = "mysql.too_many_connections"
	MySQLPrivilege     Cause = "mysql.privilege"
	MySQLReadOnly      Cause = "mysql.read_only"
	MySQLFull          Cause = "mysql.disk_full"
	MySQLLocked        Cause = "mysql.locked"
	MySQLTableMissing  Cause = "mysql.table_missing"
	MySQLTableChanged  Cause = "mysql.table_changed"
	MySQLEngine        Cause = "mysql.engine"
	MySQLColumnMissing Cause = "mysql.column_missing"
	MySQLColumnUnfit   Cause = "mysql.column_unfit"
	MySQLColumnUnfed   Cause = "mysql.column_unfed"
	MySQLKey           Cause = "mysql.key"
	ShopPositionLost   Cause = "shop.position_lost"
	ShopOthers         Cause = "shop.keys_unknown"

	ProductUnfit    Cause = "product.value_unfit"
	ProductUnique   Cause = "product.unique_conflict"
	ProductTwice    Cause = "product.element_twice"
	ProductRefers   Cause = "product.refers_to_nothing"
	ProductReferred Cause = "product.referred_to"
	ProductCheck    Cause = "product.check"
	ProductCharset  Cause = "product.charset"
	ProductPacket   Cause = "product.packet"
	ProductRefused  Cause = "product.refused"
	ProductRow      Cause = "product.row_missing"
)

func mysqlEntries() []Entry {
	const system = "MySQL"
	return []Entry{
		{MySQLUnreachable, system, "The shop's database does not answer", Connection, Critical, "start it, or mend the way to it; products wait in the log and are written when it is back", "shelfstream check -connect", true},
		{MySQLLogin, system, "The shop's database refuses the login", Refused, Critical, "correct user or password in the sink's dsn, or the user's account in the database", "shelfstream check -connect", true},
		{MySQLDatabase, system, "There is no such database in the shop's server", Refused, Critical, "make the database, or correct its name in the sink's dsn", "shelfstream check -connect", true},
		{MySQLConnections, system, "The shop's server has no connection left", Busy, Critical, "end other clients, or raise max_connections or the user's limit", "", true},
		{MySQLPrivilege, system, "The user may not do in the shop's database what is needed", Refused, Critical, "run the GRANT that the fault names", "shelfstream check -connect", true},
		{MySQLReadOnly, system, "The shop's database is read-only", Refused, Critical, "let the sink's dsn point at the primary, or SET GLOBAL read_only = 0", "", true},
		{MySQLFull, system, "The shop's database has no room", Full, Critical, "make room on its disk or in its tablespace", "", true},
		{MySQLLocked, system, "Somebody holds locks in the shop's tables", Busy, Error, "end the transaction or LOCK TABLES that holds them (SHOW PROCESSLIST)", "", true},
		{MySQLTableMissing, system, "A table of the shop does not exist", Refused, Critical, "run the CREATE TABLE that the fault names, or set create: true", "shelfstream check -connect", true},
		{MySQLTableChanged, system, "A table of the shop was changed while the sink ran", Refused, Critical, "run what check names", "shelfstream check -connect", true},
		{MySQLEngine, system, "A table of the shop knows no transactions", Refused, Critical, "ALTER TABLE … ENGINE=InnoDB", "shelfstream check -connect", true},
		{MySQLColumnMissing, system, "A table of the shop lacks a column", Refused, Critical, "run the ALTER TABLE that the fault names, or correct columns", "shelfstream check -connect", true},
		{MySQLColumnUnfit, system, "A column of the shop cannot take its field", Refused, Critical, "run the ALTER TABLE that the fault names, let a rule convert the field, or set unfit: park", "shelfstream check -connect", true},
		{MySQLColumnUnfed, system, "A column of the shop must have a value, and nothing gives one", Refused, Critical, "map a field to it, or let it take null", "shelfstream check -connect", true},
		{MySQLKey, system, "A table of the shop does not tell products apart", Refused, Critical, "run the ALTER TABLE that the fault names", "shelfstream check -connect", true},
		{ShopPositionLost, system, "The shop is ahead of the topic: the topic was made anew", Lost, Critical, "restore the topic; or replay it and prune", "shelfstream replay <sink> -to beginning -prune", true},
		{ShopOthers, system, "The shop has products that the topic does not have", Held, Error, "decide: remove them with a replay that prunes, or set keep_others: true", "shelfstream replay <sink> -view <view> -to 1h -prune", true},
		{ProductUnfit, system, "A value does not fit its column", Invalid, Error, "make the column wider as the fault names it, correct the value in the ERP, or let a rule shorten it; it is tried again within a minute", "", true},
		{ProductUnique, system, "Two products want the same unique value", Conflict, Error, "give one of them another value in the ERP", "", true},
		{ProductTwice, system, "Two elements of a product's list have the same key", Invalid, Error, "correct the ERP, let a rule give them different keys, or name other key columns", "", true},
		{ProductRefers, system, "A product refers to a row that the shop does not have", Conflict, Error, "add the row it refers to, or drop the foreign key; it is tried again within a minute", "", true},
		{ProductReferred, system, "Rows of the shop refer to a product that is to go", Conflict, Error, "delete those rows, or set delete: soft for the table; it is tried again within a minute", "", true},
		{ProductCheck, system, "A check or trigger of the shop refuses a product", Invalid, Error, "correct the value in the ERP or in a rule, or change the check; it is tried again within a minute", "", true},
		{ProductCharset, system, "A text has characters that its column does not have", Invalid, Error, "ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4; it is tried again within a minute", "", true},
		{ProductPacket, system, "A product is larger than the server takes in one packet", Invalid, Error, "raise max_allowed_packet, or leave its large field out in the rules; it is tried again within two minutes", "", true},
		{ProductRefused, system, "The shop's database refuses a product", Invalid, Error, "correct the value in the ERP or in a rule", "", true},
		{ProductRow, system, "A row that is only to be updated is not there", Conflict, Error, "nothing if the row is still to come: it is written within a minute of it; else take the product from the view by a rule, or set missing: skip for the table", "", true},
	}
}

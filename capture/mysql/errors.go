package mysql

import (
	"database/sql/driver"
	"errors"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	mysqldriver "github.com/go-sql-driver/mysql"

	"shelfstream/internal/fault"
)

// Error numbers that are told apart (the servers' reference, "Server Error Message Reference").
const (
	codeTooManyConnections = 1040
	codeDatabaseDenied     = 1044
	codeLoginDenied        = 1045
	codeNoDatabase         = 1049
	codeTooManyOfUser      = 1203
	codeLimit              = 1226
	codeHostDenied         = 1130
	codeAuthMode           = 1251
	codeAuthPlugin         = 1524
	codeMustChange         = 1820 // the password, as codeExpired
	codeExpired            = 1862
	codeLockedMySQL        = 3118
	codeLockedMariaDB      = 4151
	codeNoTable            = 1146
	codeTableDenied        = 1142
	codeColumnDenied       = 1143
	codeSpecificDenied     = 1227
	codeLockTimeout        = 1205
	codeTableChanged       = 1412
	codeShutdown           = 1053
	codeKilledMariaDB      = 1927
	codeKilledMySQL        = 3169
)

// errorCode is the server's number of an error, 0 if the server sent none.
func errorCode(err error) int {
	var d *mysqldriver.MySQLError
	if errors.As(err, &d) {
		return int(d.Number)
	}
	var g *gomysql.MyError
	if errors.As(err, &g) {
		return int(g.Code)
	}
	return 0
}

// broken says whether err tells that a connection ended: the server was stopped, or the way to it cut.
func broken(err error) bool {
	switch errorCode(err) {
	case 0:
		return errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysqldriver.ErrInvalidConn) || errors.Is(err, gomysql.ErrBadConn)
	case codeShutdown, codeKilledMariaDB, codeKilledMySQL:
		return true
	}
	return false
}

// broke is the fault of a connection that ended. The next try will say that the server does not answer, which is the same trouble and one incident.
func (c *Config) broke(err error) *fault.Fault {
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.BinlogUnreachable, Where: "source " + c.Source, What: "the connection to the database broke", Err: err,
		Fix: "nothing if it was cut for a moment: it is made anew by itself; else check the network and that the server runs",
	}
}

// unreachable makes a fault of a connection that could not be opened.
func (c *Config) unreachable(err error) error {
	f := &fault.Fault{
		Class: fault.Environment, Cause: fault.BinlogUnreachable, Where: "source " + c.Source, What: "the database cannot be reached", Err: err,
		Fix: "check host, port and network, and that the server runs and listens there (bind-address, firewall)",
	}
	switch errorCode(err) {
	case 0, codeShutdown, codeKilledMariaDB, codeKilledMySQL:
	case codeLoginDenied, codeHostDenied, codeAuthMode, codeAuthPlugin:
		f.Cause, f.What = fault.BinlogLogin, "the database refuses the login"
		f.Fix = "check user and password in dsn, and that the user may come from this host (SELECT user, host, plugin FROM mysql.user)"
	case codeMustChange, codeExpired:
		f.Cause, f.What = fault.BinlogLogin, "the database refuses the login"
		f.Fix = "give the user a password anew: ALTER USER … IDENTIFIED BY …, and put it into dsn; ALTER USER … PASSWORD EXPIRE NEVER keeps it"
	case codeLockedMySQL, codeLockedMariaDB:
		f.Cause, f.What, f.Fix = fault.BinlogLogin, "the database refuses the login", "ALTER USER … ACCOUNT UNLOCK"
	case codeDatabaseDenied, codeNoDatabase:
		f.Cause, f.What = fault.BinlogDatabase, "the database does not exist, or the user may not see it"
		f.Fix = "check the database's name in dsn; or make it; or GRANT SELECT ON its tables TO the user"
	case codeTooManyConnections, codeTooManyOfUser, codeLimit:
		f.Cause, f.What = fault.BinlogConnections, "the server has no free connection"
		f.Fix = "end other clients, or raise max_connections (SET GLOBAL max_connections = …) or the user's limit that the message names (ALTER USER … WITH MAX_USER_CONNECTIONS 0 MAX_CONNECTIONS_PER_HOUR 0 MAX_QUERIES_PER_HOUR 0)"
	default:
		f.Cause, f.What = fault.BinlogNotAccepting, "the server refuses the connection"
		f.Fix = "see the server's message: a start ends by itself, an init_connect that fails is corrected (SET GLOBAL init_connect = …); it is tried again by itself"
	}
	return f
}

// unread is a statement about or from tables that the server did not answer. what says what cannot be read.
func (c *Config) unread(what string, err error) *fault.Fault {
	if errors.Is(err, errTagged) {
		return c.tagged(err)
	}
	if broken(err) {
		return c.broke(err)
	}
	if errorCode(err) == codeLockTimeout {
		return &fault.Fault{
			Class: fault.Environment, Cause: fault.BinlogTableLocked, Where: "source " + c.Source, What: "somebody holds a table, so it can be neither looked at nor read", Err: err,
			Fix: "let that statement, transaction or LOCK TABLES end, or end it (SHOW FULL PROCESSLIST; KILL …); it is tried again by itself",
		}
	}
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.BinlogCatalog, Where: "source " + c.Source, What: what, Err: err,
		Fix: "see the server's message: a table that is damaged is repaired or put back from a backup; it is tried again by itself",
	}
}

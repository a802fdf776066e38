package mysql

import (
	"errors"
	"fmt"
	"strings"

	mysqldriver "github.com/go-sql-driver/mysql"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/table"
)

// Error numbers of MySQL and MariaDB (both servers' error message references).
const (
	errBadNull       = 1048
	errDupEntry      = 1062
	errNoTable       = 1146
	errNoColumn      = 1054
	errNoDefault     = 1364
	errDupColumn     = 1060
	errLockWait      = 1205
	errDeadlock      = 1213
	errTableFull     = 1114
	errDiskFull      = 1021
	errNoSpace       = 1041
	errReadOnly      = 1290
	errReadOnlyTrx   = 1792
	errReadOnlyMode  = 1836
	errTableDenied   = 1142
	errDBDenied      = 1044
	errAccessDenied  = 1045
	errNoDatabase    = 1049
	errTooMany       = 1040
	errUserTooMany   = 1203
	errUserLimit     = 1226
	errHostDenied    = 1130
	errMustChange    = 1820 // the password, as errExpired
	errExpired       = 1862
	errLockedMySQL   = 3118
	errLockedMaria   = 4151
	errForeignKey    = 1452
	errForeignParent = 1451
	errTooLong       = 1406
	errOutOfRange    = 1264
	errBadString     = 1366
	errBadDate       = 1292
	errTruncated     = 1265
	errCheckMaria    = 4025
	errCheckMySQL    = 3819
	errInvalidJSON   = 3140
	errSignal        = 1644
	errPacket        = 1153
	errCollations    = 1267 // a text that the column's character set does not have, in a condition
	errConversion    = 3988 // the same in MySQL 8
)

// dataErrors blame a row: the same row fails again whenever it is sent. Their SQLSTATE says nothing in particular (HY000, 01000).
var dataErrors = map[uint16]bool{
	errBadString: true, errTruncated: true, errCheckMySQL: true, errPacket: true,
	errCollations: true, errConversion: true,
	1367: true, 1411: true, 1690: true, 1242: true, 1365: true, 1118: true, 3140: true, 3141: true, 3143: true, 3144: true, 3156: true, 3903: true,
}

// number gives the server's error number, 0 if err is none of the server's.
func number(err error) uint16 {
	if errors.Is(err, mysqldriver.ErrPktTooLarge) {
		return errPacket // the driver refuses it before the server could
	}
	var e *mysqldriver.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// isData says whether err blames a row. SQLSTATE classes: 22 data exception, 23 integrity constraint violation, 45 raised by a trigger.
func isData(err error) bool {
	if number(err) == errPacket {
		return true
	}
	var e *mysqldriver.MySQLError
	if !errors.As(err, &e) {
		return false
	}
	if dataErrors[e.Number] {
		return true
	}
	switch string(e.SQLState[:2]) {
	case "22", "23", "45":
		return true
	}
	return false
}

// kind classifies an error. That from a unique index is ours too: the error that the guard of an upsert raises.
func kind(err error) table.ErrorKind {
	switch n := number(err); {
	case n == errPacket:
		return table.ErrData
	case brokenConn(err):
		return table.ErrBroken
	case n == errBadNull && strings.Contains(err.Error(), "next_offset"):
		return table.ErrFenced
	case n == errBadNull || n == errDupEntry:
		return table.ErrUnique
	case isData(err):
		return table.ErrData
	case n == errTableDenied || n == errDBDenied:
		return table.ErrPrivilege
	case n == errNoTable || n == errNoColumn:
		return table.ErrNoTable
	case n == errDupColumn:
		return table.ErrThere
	}
	return table.ErrOther
}

// refusal tells a person why the server refused one record.
func refusal(f *fault.Fault, err error) {
	switch number(err) {
	case errForeignKey:
		f.Cause, f.What, f.Fix = fault.ProductRefers, "it refers to a row that the database does not have", "it is tried again by itself; add the row it refers to, or drop the foreign key"
	case errForeignParent:
		f.Cause, f.What, f.Fix = fault.ProductReferred, "other rows of the database refer to it, so it cannot be deleted", "delete those rows, or set delete: soft for the table"
	case errTooLong, errOutOfRange, errTruncated:
		f.Cause, f.Fix = fault.ProductUnfit, "make the column wider (ALTER TABLE … MODIFY …), or let a rule shorten the value"
	case errBadString, errCollations, errConversion:
		f.Cause, f.What, f.Fix = fault.ProductCharset, "a text has characters that the column's character set does not have", "ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4;"
	case errCheckMaria, errCheckMySQL, errSignal:
		f.Cause, f.What, f.Fix = fault.ProductCheck, "a check or trigger of the database refuses it", "correct the value in the source or in a rule, or change the check"
	case errPacket:
		f.Cause, f.What, f.Fix = fault.ProductPacket, "it is larger than the server takes in one packet", "SET GLOBAL max_allowed_packet = 268435456;"
	case errBadDate:
		f.Cause, f.Fix = fault.ProductUnfit, "correct the date in the source, or let a rule set another value"
	}
}

// environment turns an error of the server into a fault that says who has to act; other errors (a lost connection, a deadlock) stay as they are.
func environment(where string, err error) error {
	f := &fault.Fault{Class: fault.Environment, Cause: fault.Unexpected, Where: where, Err: err}
	switch n := number(err); n {
	case errAccessDenied, errHostDenied, errMustChange, errExpired, errLockedMySQL, errLockedMaria:
		f.Cause, f.What, f.Fix = fault.MySQLLogin, "the database refuses the login", "check user and password in the sink's dsn, and the user's account (SHOW CREATE USER …, ALTER USER … ACCOUNT UNLOCK, ALTER USER … IDENTIFIED BY …)"
	case errNoDatabase:
		f.Cause, f.What, f.Fix = fault.MySQLDatabase, "the database does not exist", "CREATE DATABASE …; or correct its name in the sink's dsn"
	case errTooMany, errUserTooMany, errUserLimit:
		f.Cause, f.What, f.Fix = fault.MySQLConnections, "the server has no free connection", "end other clients, or raise max_connections or the user's limit that the message names (ALTER USER … WITH MAX_USER_CONNECTIONS 0 MAX_CONNECTIONS_PER_HOUR 0)"
	case errTableDenied, errDBDenied:
		f.Cause, f.What, f.Fix = fault.MySQLPrivilege, "the database user may not do this", "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER ON the database TO the user"
	case errTableFull, errDiskFull, errNoSpace:
		f.Cause, f.What, f.Fix = fault.MySQLFull, "the database's disk is full", "make room on it; writing goes on by itself"
	case errReadOnly, errReadOnlyTrx, errReadOnlyMode:
		f.Cause, f.What, f.Fix = fault.MySQLReadOnly, "the database is read-only", "let the address point at the primary server, or SET GLOBAL read_only = 0; writing goes on by itself"
	case errDeadlock, errLockWait:
		f.Cause, f.What, f.Fix = fault.MySQLLocked, "somebody holds locks in the way of the sink", "end the transaction or LOCK TABLES that holds them (SHOW PROCESSLIST); writing goes on by itself"
		f.Err = fmt.Errorf("%w: %w", sink.ErrContention, err)
	case errNoTable, errNoColumn, errNoDefault:
		f.Cause, f.What, f.Fix = fault.MySQLTableChanged, "the table is no longer as it was checked", "run shelfstream check -connect, which names the statement; writing goes on by itself"
	default:
		return err
	}
	return f
}

// readOnly says whether the server takes no writes (any more).
func readOnly(err error) bool {
	n := number(err)
	return n == errReadOnly || n == errReadOnlyTrx || n == errReadOnlyMode
}

// brokenConn says whether the connection cannot be used any more. One to a server that is read-only now goes to yesterday's primary: a new one may find today's.
func brokenConn(err error) bool {
	return readOnly(err) || number(err) == 0 || strings.Contains(err.Error(), "invalid connection")
}

package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/table"
)

// SQLSTATEs that are told apart (PostgreSQL documentation, appendix A).
const (
	codeNotNull       = "23502"
	codeForeignKey    = "23503"
	codeUnique        = "23505"
	codeCheck         = "23514"
	codeNoTable       = "42P01"
	codeNoColumn      = "42703"
	codeNoArbiter     = "42P10"
	codeTableThere    = "42P07"
	codeColumnThere   = "42701"
	codeObjectThere   = "42710"
	codeInsufficient  = "42501"
	codeReadOnly      = "25006"
	codePassword      = "28P01"
	codeAuth          = "28000"
	codeNoDatabase    = "3D000"
	codeNoSchema      = "3F000"
	codeTooMany       = "53300"
	codeDiskFull      = "53100"
	codeDeadlock      = "40P01"
	codeSerialization = "40001"
	codeLocked        = "55P03"
	codeCanceled      = "57014"
	codeRaised        = "P0001"
	codeTooLarge      = "54000"
	codeTwice         = "21000"
	codeNoForm        = "22021"
	codeNoCharacter   = "22P05"
)

func serverError(err error) *pgconn.PgError {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// kind classifies an error. Classes of SQLSTATE: 22 data exception, 23 integrity constraint violation, 44 a view's check option.
func kind(err error) table.ErrorKind {
	e := serverError(err)
	switch {
	case e == nil || e.Severity == "FATAL" || e.Severity == "PANIC" || e.Code == codeReadOnly:
		return table.ErrBroken
	case e.Code == codeNotNull && e.TableName == table.OffsetsTable && e.ColumnName == "next_offset":
		return table.ErrFenced
	case e.Code == codeUnique && e.SchemaName == "pg_catalog", e.Code == codeTableThere, e.Code == codeColumnThere, e.Code == codeObjectThere:
		return table.ErrThere
	case e.Code == codeUnique:
		return table.ErrUnique
	case strings.HasPrefix(e.Code, "22"), strings.HasPrefix(e.Code, "23"), strings.HasPrefix(e.Code, "44"), e.Code == codeRaised, e.Code == codeTooLarge, e.Code == codeTwice:
		return table.ErrData
	case e.Code == codeInsufficient:
		return table.ErrPrivilege
	case e.Code == codeNoTable, e.Code == codeNoColumn:
		return table.ErrNoTable
	}
	return table.ErrOther
}

// refusal tells a person why the server refused one record.
func refusal(f *fault.Fault, err error) {
	e := serverError(err)
	if e == nil {
		return
	}
	switch e.Code {
	case codeForeignKey:
		f.Cause, f.What, f.Fix = fault.ProductRefers, "it refers to a row that the database does not have", "it is tried again by itself; add the row it refers to, or drop the foreign key"
		if strings.Contains(e.Message, "update or delete on") {
			f.Cause, f.What, f.Fix = fault.ProductReferred, "other rows of the database refer to it, so it cannot be deleted", "delete those rows, or set delete: soft for the table"
		}
	case codeUnique: // of an index that was made since the last check, or over what is not ours to see
		f.Cause, f.What, f.Fix = fault.ProductUnique, "another row has its value in the unique index "+e.ConstraintName, "give one of them another value in the source; it is tried again within a minute"
	case codeCheck, codeRaised:
		f.Cause, f.What, f.Fix = fault.ProductCheck, "a check or trigger of the database refuses it", "correct the value in the source or in a rule, or change the check"
	case codeNoForm, codeNoCharacter:
		f.Cause, f.What, f.Fix = fault.ProductCharset, "a text has characters that the database's encoding does not have", "let a rule replace them, or move to a database in UTF-8"
	case codeTooLarge:
		f.Cause, f.What, f.Fix = fault.ProductUnfit, "it is larger than an index or a row takes", "drop the index on the long column, or let a rule shorten the value"
	default:
		if strings.HasPrefix(e.Code, "22") || e.Code == codeNotNull {
			f.Cause, f.Fix = fault.ProductUnfit, "alter the column (ALTER TABLE … ALTER COLUMN … TYPE …), or let a rule set another value"
		}
	}
}

// environment turns an error of the server into a fault that says who has to act; other errors (a lost connection) stay as they are.
func environment(where string, err error) error {
	e := serverError(err)
	if e == nil {
		return err
	}
	f := &fault.Fault{Class: fault.Environment, Cause: fault.Unexpected, Where: where, Err: err}
	switch e.Code {
	case codePassword, codeAuth:
		f.Cause, f.What, f.Fix = fault.PGSinkLogin, "the database refuses the login", "check user and password in the sink's dsn, that the role may log in (ALTER ROLE … LOGIN), and pg_hba.conf"
	case codeNoDatabase:
		f.Cause, f.What, f.Fix = fault.PGSinkDatabase, "the database does not exist", "CREATE DATABASE …; or correct its name in the sink's dsn"
	case codeTooMany:
		f.Cause, f.What, f.Fix = fault.PGSinkConnections, "the server has no free connection", "end other clients, or raise max_connections or the role's limit (ALTER ROLE … CONNECTION LIMIT -1)"
	case codeInsufficient:
		f.Cause, f.What, f.Fix = fault.PGSinkPrivilege, "the role may not do this", "GRANT SELECT, INSERT, UPDATE, DELETE ON the table TO the role; GRANT CREATE ON SCHEMA … where tables are to be made"
	case codeDiskFull:
		f.Cause, f.What, f.Fix = fault.PGSinkFull, "the database has no room", "make room on its disk; writing goes on by itself"
	case codeReadOnly:
		f.Cause, f.What, f.Fix = fault.PGSinkReadOnly, "the database is read-only", "let the address point at the primary server; writing goes on by itself"
	case codeDeadlock, codeSerialization, codeLocked:
		f.Cause, f.What, f.Fix = fault.PGSinkLocked, "somebody holds locks in the way of the sink", "end the transaction or LOCK TABLE that holds them (pg_stat_activity, pg_locks); writing goes on by itself"
		f.Err = fmt.Errorf("%w: %w", sink.ErrContention, err)
	case codeCanceled:
		f.Cause, f.What, f.Fix = fault.PGSinkLocked, "a statement took longer than two minutes", "end what holds locks in the tables or keeps the server busy (pg_stat_activity); it is tried again by itself"
	case codeNoTable, codeNoColumn, codeNoArbiter, codeNoSchema:
		f.Cause, f.What, f.Fix = fault.PGSinkTableChanged, "the table is no longer as it was checked", "run shelfstream check -connect, which names the statement; writing goes on by itself"
	default:
		if strings.HasPrefix(e.Code, "57P") || strings.HasPrefix(e.Code, "08") {
			f.Cause, f.What, f.Fix = fault.PGSinkUnreachable, "the server accepts no connections now", "wait for the end of its start or stop; it is tried again by itself"
			break
		}
		return err
	}
	return f
}

package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"shelfstream/capture"
	"shelfstream/internal/fault"
)

// serverInfo is what the server says of itself.
type serverInfo struct {
	flavor     flavor
	name       string // "mariadb/<server_id>", "mysql/<server_uuid>"
	positions  positionKind
	foldsNames bool          // names of tables have no case
	ahead      time.Duration // of its clock before ours
	newest     position      // the end of its log, where it has GTIDs
	purged     position      // MySQL: the transactions that are not in its log any more
}

// now is the server's clock, in microseconds since the epoch.
func (i *serverInfo) now() int64 { return time.Now().Add(i.ahead).UnixMicro() }

// identify asks the server who it is.
func identify(ctx context.Context, conn *session) (i serverInfo, err error) {
	var id string
	var folds int
	var clock float64
	query := "SELECT @@global.server_id, @@global.lower_case_table_names, UNIX_TIMESTAMP(NOW(6)), '', @@global.gtid_binlog_pos, ''"
	i.flavor, i.positions = mariaDB, byMariaGTID
	if !conn.maria {
		i.flavor, i.positions = mySQL, byFile
		query = "SELECT @@global.server_uuid, @@global.lower_case_table_names, UNIX_TIMESTAMP(NOW(6)), @@global.gtid_mode, @@global.gtid_executed, @@global.gtid_purged"
	}
	var mode, newest, purged string
	if err := conn.QueryRowContext(ctx, query).Scan(&id, &folds, &clock, &mode, &newest, &purged); err != nil {
		return i, fmt.Errorf("read the server's settings: %w", err)
	}
	if strings.EqualFold(mode, "ON") {
		i.positions = byMySQLGTID
	}
	if i.newest, err = parseGTIDs(i.flavor, newest); err != nil {
		return i, err
	}
	if i.purged, err = parseGTIDs(i.flavor, purged); err != nil {
		return i, err
	}
	i.name, i.foldsNames = string(i.flavor)+"/"+id, folds != 0
	i.ahead = time.Until(time.UnixMicro(int64(clock * 1e6)))
	return i, nil
}

// verify checks that the server's history leads through a position. MariaDB itself waits for ever where it does not know a domain, as after RESET MASTER.
func (s *Source) verify(at position) error {
	i := &s.server
	switch {
	case at.kind == byFile:
		return nil // whether it is there is said at the start of the stream
	case !i.newest.covers(at):
		return s.lost(fmt.Sprintf("the server's log ends at %s, and transactions up to %s were captured: its log was made anew (RESET MASTER), it was set back to an older state, or it is a replica that has not got them", i.newest, at), nil)
	case i.flavor == mySQL && !at.covers(i.purged):
		return s.lost(fmt.Sprintf("the server has removed transactions from its log that were not captured yet (gtid_purged is %s, captured is %s): binlog_expire_logs_seconds, PURGE BINARY LOGS", i.purged, at), nil)
	}
	return nil
}

// lost makes the fault of a source that cannot go on where it was without a gap.
func (s *Source) lost(what string, cause error) error {
	err := capture.ErrPositionLost
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return &fault.Fault{Class: fault.Environment, Cause: fault.SourcePositionLost, Where: "source " + s.cfg.Source, What: what, Fix: s.cfg.resnapshot(""), Err: err}
}

// tagged is a server whose transactions have GTIDs that nothing can be read from. The tags stay in gtid_executed until that begins anew, and with it the log.
func (c *Config) tagged(err error) *fault.Fault {
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.BinlogGTID, Where: "source " + c.Source, What: "a transaction has a GTID with a tag, which cannot be read from", Err: err,
		Fix: "write without tags (gtid_next = 'AUTOMATIC'), begin the GTIDs anew where no replica reads them (RESET BINARY LOGS AND GTIDS), then " + c.resnapshot(""),
	}
}

// errFatalReading is the server's number for whatever keeps it from sending its log (ER_SOURCE_FATAL_ERROR_READING_BINLOG).
const errFatalReading = 1236

// streamError says what the end of the stream means.
func (s *Source) streamError(err error) error {
	var e *gomysql.MyError
	if !errors.As(err, &e) || broken(err) {
		return s.cfg.broke(err)
	}
	text := strings.ToLower(e.Message)
	switch {
	case e.Code != errFatalReading:
		return s.cfg.unreachable(err)
	case strings.Contains(text, "max_allowed_packet"):
		// The servers send their log in packets of 1 GiB, whatever max_allowed_packet is set to, so raising that does not help: the log cannot be read past the row.
		return &fault.Fault{
			Class: fault.Environment, Cause: fault.BinlogPacket, Where: "source " + s.cfg.Source, What: "a row in the server's log has more than 1 GiB, which the server does not send",
			Fix: "make the row smaller in the database, then go on behind it: " + s.cfg.resnapshot(""), Err: fmt.Errorf("%w: %w", capture.ErrPositionLost, err),
		}
	case strings.Contains(text, "server_uuid/server_id"):
		return s.replaced(err)
	}
	return s.lost("the server's log does not go back to where capture stood, or is another one: files were purged (binlog_expire_logs_seconds, PURGE BINARY LOGS), the log was made anew (RESET MASTER), or the server is not of the same history", err)
}

// replaced is a stream that the server cut off because another reader came with the same number.
func (s *Source) replaced(err error) error {
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.BinlogServerID, Where: "source " + s.cfg.Source, What: fmt.Sprintf("another reader of the server's log has our server_id %d", s.cfg.ServerID), Err: err,
		Fix: "give the source a server_id of its own, or end the other reader",
	}
}

// unread is a catalogue that cannot be read.
func (s *Source) unread(err error) error {
	if errors.Is(err, sql.ErrConnDone) || errors.Is(err, context.Canceled) {
		return err
	}
	return s.cfg.unread("the catalogue of tables cannot be read", err)
}

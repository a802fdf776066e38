package mysql

import (
	"errors"
	"net"
	"testing"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"shelfstream/capture"
	"shelfstream/internal/fault"
)

// TestStreamErrors shows which ends of a stream mean that the log cannot be gone on with, so that a resnapshot begins behind them.
func TestStreamErrors(t *testing.T) {
	s := &Source{cfg: Config{Source: "web", ServerID: 9}}
	for name, c := range map[string]struct {
		err   error
		cause fault.Cause
		lost  bool
	}{
		"cut":       {net.ErrClosed, fault.BinlogUnreachable, false},
		"shutdown":  {&gomysql.MyError{Code: 1053, Message: "Server shutdown in progress"}, fault.BinlogUnreachable, false},
		"two alike": {&gomysql.MyError{Code: errFatalReading, Message: "A slave with the same server_uuid/server_id as this slave has connected"}, fault.BinlogServerID, false},
		"purged":    {&gomysql.MyError{Code: errFatalReading, Message: "Could not find GTID state requested by slave in any binlog files"}, fault.SourcePositionLost, true},
		"huge row":  {&gomysql.MyError{Code: errFatalReading, Message: "log event entry exceeded max_allowed_packet; Increase max_allowed_packet on master"}, fault.BinlogPacket, true},
	} {
		err := s.streamError(c.err)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Cause != c.cause || errors.Is(err, capture.ErrPositionLost) != c.lost || f.Fix == "" {
			t.Errorf("%s: %#v", name, err)
		}
	}
}

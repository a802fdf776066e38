//go:build integration

package mysql

import (
	"testing"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
)

// suiteSystem is a database with the contract suite's tables.
type suiteSystem struct{ *database }

func (s suiteSystem) Source(tables map[string]capture.TableConfig) (capture.Source, error) {
	return New(s.config(tables))
}

func (s suiteSystem) Transact(writes ...capturetest.Write) error {
	statements := []string{"BEGIN"}
	for _, w := range writes {
		statements = append(statements, w.SQL())
	}
	for _, sql := range append(statements, "COMMIT") {
		if _, err := s.conn.ExecContext(s.Context(), sql); err != nil {
			return err
		}
	}
	return nil
}

const suiteTable = " (id bigint PRIMARY KEY, owner bigint NOT NULL, label text, amount decimal(12,2))"

func TestContract(t *testing.T) {
	capturetest.Run(t, func(t *testing.T) capturetest.System {
		return suiteSystem{newDatabase(t, "CREATE TABLE head"+suiteTable, "CREATE TABLE line"+suiteTable)}
	})
}

// TestContractCompressed runs the suite again on a log whose events are compressed.
func TestContractCompressed(t *testing.T) {
	setting := "log_bin_compress"
	if onMySQL() {
		setting = "binlog_transaction_compression"
	}
	on := newDatabase(t, "SET GLOBAL "+setting+" = 1")
	defer on.exec("SET GLOBAL " + setting + " = 0")
	if !onMySQL() {
		on.exec("SET GLOBAL log_bin_compress_min_len = 10")
	}
	capturetest.Run(t, func(t *testing.T) capturetest.System {
		return suiteSystem{newDatabase(t, "CREATE TABLE head"+suiteTable, "CREATE TABLE line"+suiteTable)}
	})
}

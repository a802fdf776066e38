//go:build integration

package postgres

import (
	"strings"
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
	sql := make([]string, len(writes))
	for i, w := range writes {
		sql[i] = w.SQL()
	}
	_, err := s.conn.PgConn().Exec(s.Context(), "BEGIN;"+strings.Join(sql, ";")+";COMMIT").ReadAll()
	return err
}

func TestContract(t *testing.T) {
	capturetest.Run(t, func(t *testing.T) capturetest.System {
		return suiteSystem{newDatabase(t, `
			CREATE TABLE head (id bigint PRIMARY KEY, owner bigint NOT NULL, label text, amount numeric(12,2));
			CREATE TABLE line (LIKE head INCLUDING ALL);
			ALTER TABLE head REPLICA IDENTITY FULL; ALTER TABLE line REPLICA IDENTITY FULL`)}
	})
}

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// settle waits until both databases have written out and tidied up what came before, so that a case pays neither for the load nor for the case before it;
// the peers' scripts do the same in MariaDB.
func (s *servers) settle(ctx context.Context) error {
	if err := s.pg(ctx, "VACUUM (ANALYZE) products", "CHECKPOINT"); err != nil {
		return err
	}
	db, err := sql.Open("mysql", s.myDSN)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := s.my(ctx, "SET GLOBAL innodb_max_dirty_pages_pct = 0"); err != nil {
		return err
	}
	deadline := time.Now().Add(2 * time.Minute)
	for {
		var name string
		var dirty, history int
		err := errors.Join(
			db.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'").Scan(&name, &dirty),
			db.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Innodb_history_list_length'").Scan(&name, &history))
		if err != nil {
			return fmt.Errorf("settle MariaDB: %w", err)
		}
		if dirty < 50 && history < 200 || time.Now().After(deadline) {
			return s.my(ctx, "SET GLOBAL innodb_max_dirty_pages_pct = 90")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

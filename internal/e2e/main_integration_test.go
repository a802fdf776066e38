//go:build integration

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sync/errgroup"

	"shelfstream/internal/testenv"
)

// What the tests of the package share: they run one after the other, each with a database, a shop and topics of its own.
var (
	program  *testenv.Binary
	broker   *testenv.Broker
	postgres *testenv.Postgres
	mariadb  *testenv.MariaDB
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "shelfstream-e2e-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	g, ctx := errgroup.WithContext(context.Background())
	g.Go(func() (err error) { program, err = testenv.BuildBinary(ctx, dir, false); return err })
	g.Go(func() (err error) { broker, err = testenv.StartBroker(ctx, ""); return err })
	g.Go(func() (err error) {
		// As quick as the disk allows, and still safe when the process is killed.
		postgres, err = testenv.StartPostgres(ctx, "", testenv.PostgresNoFsync(), testenv.PostgresSetting("max_wal_size", "4GB"))
		return err
	})
	g.Go(func() (err error) {
		mariadb, err = testenv.StartMariaDB(ctx, "", testenv.MariaDBRelaxed(), testenv.MariaDBSetting("skip_log_bin", "1"), testenv.MariaDBSetting("innodb_buffer_pool_size", "512M"))
		return err
	})
	err = g.Wait()
	defer func() {
		for _, s := range []interface{ Close() error }{closer(broker), closer(postgres), closer(mariadb)} {
			if s != nil {
				err = errors.Join(err, s.Close())
			}
		}
	}()
	if err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// closer keeps a nil pointer from becoming an interface that is not nil.
func closer[T interface {
	comparable
	Close() error
}](s T) interface{ Close() error } {
	var none T
	if s == none {
		return nil
	}
	return s
}

//go:build integration

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"shelfstream/internal/testenv"
)

// servers are the package's PostgreSQL and MariaDB, started by the first test that needs them; the tests use the database "it" one after another.
type servers struct {
	erp  *testenv.Postgres
	shop *testenv.MariaDB
}

var (
	startServers = sync.OnceValues(func() (s servers, err error) {
		if s.erp, err = testenv.StartPostgres(context.Background(), "", testenv.PostgresNoFsync()); err != nil {
			return s, err
		}
		s.shop, err = testenv.StartMariaDB(context.Background(), "", testenv.MariaDBRelaxed())
		return s, err
	})
	serversStarted bool
	// built is the program itself, for what only a process of its own shows.
	built = sync.OnceValues(func() (*testenv.Binary, error) {
		dir, err := os.MkdirTemp("", "shelfstream-cmd-")
		if err != nil {
			return nil, err
		}
		builtIn = dir
		return testenv.BuildBinary(context.Background(), dir, false)
	})
	builtIn string
)

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	if line := os.Getenv(playedLine); line != "" {
		return playProcess(line)
	}
	code := m.Run()
	var errs []error
	if serversStarted {
		s, _ := startServers()
		if s.erp != nil {
			errs = append(errs, s.erp.Close())
		}
		if s.shop != nil {
			errs = append(errs, s.shop.Close())
		}
	}
	if builtIn != "" {
		errs = append(errs, os.RemoveAll(builtIn))
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// databases makes the database "it" in both servers, for one test.
func databases(t *testing.T) servers {
	t.Helper()
	serversStarted = true
	s, err := startServers()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.erp.CreateDatabase(t.Context(), "it"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.erp.DropDatabase(context.Background(), "it"), s.shop.DropDatabase(context.Background(), "it")); err != nil {
			t.Error(err)
		}
	})
	if _, err := s.shop.CreateDatabase(t.Context(), "it"); err != nil {
		t.Fatal(err)
	}
	return s
}

func binary(t *testing.T) *testenv.Binary {
	t.Helper()
	b, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

package testenv

import (
	"errors"
	"fmt"
	"os"
)

// EnvReport names a file to which each started server adds a line "package directory<TAB>name", for the summary of `make test`.
const EnvReport = "SHELFSTREAM_TEST_REPORT"

// report notes that a server was started, if somebody wants to know.
func report(name string) error {
	path := os.Getenv(EnvReport)
	if path == "" {
		return nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("note the server for the summary: %w", err)
	}
	_, err = fmt.Fprintf(f, "%s\t%s\n", dir, name)
	return errors.Join(err, f.Close())
}

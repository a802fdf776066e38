package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"shelfstream/internal/fault"
)

// StartStandby copies the running server with pg_basebackup and starts the copy as its standby, in a directory of its own that Close removes.
func (p *Postgres) StartStandby(ctx context.Context) (*Postgres, error) {
	bin, _, err := FindPostgres(ctx)
	if err != nil {
		return nil, err
	}
	u, err := serverAccount("PostgreSQL", "postgres")
	if err != nil {
		return nil, err
	}
	at, err := newPlace("pg", "", u)
	if err != nil {
		return nil, err
	}
	data, err := at.sub("data", u)
	if err != nil {
		return nil, errors.Join(err, at.remove())
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "pg_basebackup"), "-D", data, "-h", "127.0.0.1", "-p", fmt.Sprint(p.port), "-U", "postgres", "-R", "-X", "stream", "-c", "fast", "--no-sync")
	cmd.Dir, cmd.Env, cmd.SysProcAttr = at.dir, append(os.Environ(), "LC_ALL=C.UTF-8"), sysProcAttr(u)
	if out, err := runLocked(cmd); err != nil {
		return nil, errors.Join(&fault.Fault{Class: fault.Environment, Where: "PostgreSQL", What: "pg_basebackup ended with:\n" + string(out), Err: err}, at.remove())
	}
	s, err := StartPostgres(ctx, at.dir, PostgresNoFsync())
	if err != nil {
		return nil, errors.Join(err, at.remove())
	}
	s.place = at
	return s, nil
}

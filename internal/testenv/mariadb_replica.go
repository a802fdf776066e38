package testenv

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// StartReplica starts another server, in a directory of its own that Close removes, that is a replica of the running one from now on: what stands in the databases already it has not. Both must not have
// the same server_id: this one's is 7 unless an option says otherwise, the replica's is 8. A database of the name given is made on it, unless that is "".
func (m *MariaDB) StartReplica(ctx context.Context, db string, opts ...MariaDBOption) (_ *MariaDB, err error) {
	conn, err := sql.Open("mysql", m.DSN(""))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var position string
	if err := conn.QueryRowContext(ctx, "SELECT @@GLOBAL.gtid_binlog_pos").Scan(&position); err != nil {
		return nil, fmt.Errorf("ask where the log ends: %w", err)
	}
	r, err := StartMariaDB(ctx, "", slices.Concat([]MariaDBOption{MariaDBRelaxed(), MariaDBSetting("server_id", "8")}, opts)...)
	if err != nil {
		return nil, err
	}
	if db != "" {
		_, err = r.CreateDatabase(ctx, db)
	}
	if err == nil {
		err = r.Exec(ctx, "", fmt.Sprintf("SET GLOBAL gtid_slave_pos = '%s'; CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = %d, MASTER_USER = 'root', MASTER_USE_GTID = slave_pos; START SLAVE", position, m.port))
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Set changes a server variable as a line in my.cnf would: with the next Restart. It wins over the options that the server was started with.
func (m *MariaDB) Set(name, value string) {
	m.command.args = append(m.command.args, setting(name, value))
}

// setting is a line of my.cnf as an argument.
func setting(name, value string) string {
	if value == "" {
		return "--" + name
	}
	return "--" + name + "=" + value
}

package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"shelfstream/internal/fault"
)

// inspection collects what is wrong.
type inspection struct {
	cfg      *Config
	db       *session
	database string
	account  string // 'user'@'host', as GRANT wants it
	vars     map[string]string
	grants   string // what the user may do on *.*, in capitals
	set      *collations
	faults   fault.List
}

// minMariaDB and minMySQL are the oldest servers that are supported.
const (
	minMariaDBMajor, minMariaDBMinor = 10, 6
	minMySQLMajor, minMySQLMinor     = 8, 0
)

// leastKept is how long a log must be kept at least; whoever is away for longer has lost its place.
const leastKept = 3600

// preflight looks at everything a Run will need and returns every fault at once. It changes nothing.
func preflight(ctx context.Context, cfg *Config) (l fault.List, err error) {
	db, err := cfg.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	in := &inspection{cfg: cfg, db: db}
	switch {
	case db.maria && !db.atLeast(minMariaDBMajor, minMariaDBMinor):
		in.add(fault.BinlogVersion, "MariaDB "+db.version+" is too old", "upgrade to MariaDB 10.6 or newer")
	case !db.maria && !db.atLeast(minMySQLMajor, minMySQLMinor):
		in.add(fault.BinlogVersion, "MySQL "+db.version+" is too old", "upgrade to MySQL 8.0 or newer")
	}
	if len(in.faults) > 0 {
		return in.faults, nil // it lacks settings that the other checks read
	}
	if err := in.load(ctx); err != nil {
		return nil, cfg.unread("the database cannot be looked over", err)
	}
	in.checkLog()
	in.checkServer()
	if err := in.checkPrivileges(ctx); err != nil {
		return nil, err
	}
	if err := in.checkTables(ctx); err != nil {
		return nil, err
	}
	return in.faults, nil
}

func (in *inspection) add(cause fault.Cause, what, fix string) {
	in.faults.Add(&fault.Fault{Class: fault.Environment, Cause: cause, Where: "source " + in.cfg.Source, What: what, Fix: fix})
}

func (in *inspection) addTable(cause fault.Cause, table, what, fix string) {
	in.faults.Add(&fault.Fault{Class: fault.Environment, Cause: cause, Where: in.cfg.where(table), What: what, Fix: fix})
}

func (in *inspection) load(ctx context.Context) error {
	e, err := in.cfg.endpoint()
	if err != nil {
		return err
	}
	in.database = e.database
	in.vars = map[string]string{}
	pair := func(rows *sql.Rows) error {
		var name, value string
		err := rows.Scan(&name, &value)
		in.vars[name] = value
		return err
	}
	err = eachRow(ctx, in.db, pair, `SHOW GLOBAL VARIABLES WHERE variable_name IN ('log_bin', 'binlog_format', 'binlog_row_image', 'binlog_row_metadata', 'binlog_row_value_options', 'server_id',
		'log_slave_updates', 'log_replica_updates', 'gtid_mode', 'enforce_gtid_consistency', 'gtid_executed', 'expire_logs_days', 'binlog_expire_logs_seconds', 'binlog_expire_logs_auto_purge', 'lower_case_table_names')`)
	if err != nil {
		return fmt.Errorf("read the server's settings: %w", err)
	}
	if in.set, err = readCollations(ctx, in.db); err != nil {
		return err
	}
	var account string
	if err := in.db.QueryRowContext(ctx, "SELECT CURRENT_USER()").Scan(&account); err != nil {
		return fmt.Errorf("read the user's name: %w", err)
	}
	at := strings.LastIndexByte(account, '@')
	in.account = "'" + account[:max(at, 0)] + "'@'" + account[at+1:] + "'"
	return in.loadGrants(ctx)
}

// loadGrants collects the privileges on *.*, those of roles that are active with them.
func (in *inspection) loadGrants(ctx context.Context) error {
	query := "SHOW GRANTS"
	if !in.db.maria {
		var roles string
		if err := in.db.QueryRowContext(ctx, "SELECT CURRENT_ROLE()").Scan(&roles); err == nil && roles != "NONE" && roles != "" {
			query = "SHOW GRANTS FOR CURRENT_USER() USING " + roles
		}
	}
	err := eachRow(ctx, in.db, func(rows *sql.Rows) error {
		var line string
		err := rows.Scan(&line)
		if list, _, global := strings.Cut(line, " ON *.* TO "); global {
			in.grants += ", " + strings.ToUpper(strings.TrimPrefix(list, "GRANT ")) + ","
		}
		return err
	}, query)
	if err != nil {
		return fmt.Errorf("read the user's privileges: %w", err)
	}
	return nil
}

// may says whether the user has one of these privileges on *.*.
func (in *inspection) may(privileges ...string) bool {
	for _, p := range append(privileges, "ALL PRIVILEGES") {
		if strings.Contains(in.grants, ", "+p+",") {
			return true
		}
	}
	return false
}

// mycnf is the end of a remedy that a restart of the server must not undo.
func mycnf(line string) string { return "; and put " + line + " under [mysqld] in my.cnf" }

func (in *inspection) checkLog() {
	if !isOn(in.vars["log_bin"]) {
		fix := "put log_bin=binlog, binlog_format=ROW, binlog_row_image=FULL and binlog_row_metadata=FULL under [mysqld] in my.cnf, and restart the server"
		in.add(fault.BinlogOff, "log_bin is off, so nothing that changes is logged", fix)
	}
	whole := func(cause fault.Cause, name, want string) {
		v, known := in.vars[name]
		if known && !strings.EqualFold(v, want) {
			in.add(cause, name+" is "+v, "SET GLOBAL "+name+" = '"+want+"'"+mycnf(name+"="+want)+"; connections that are open keep the old one: end them")
		}
	}
	whole(fault.BinlogFormat, "binlog_format", "ROW")
	whole(fault.BinlogFormat, "binlog_row_image", "FULL")
	if v := in.vars["binlog_row_metadata"]; !strings.EqualFold(v, "FULL") {
		in.add(fault.BinlogMetadata, "binlog_row_metadata is "+v+", so the log does not name columns", "SET GLOBAL binlog_row_metadata = 'FULL'"+mycnf("binlog_row_metadata=FULL"))
	}
	if v := in.vars["binlog_row_value_options"]; v != "" {
		in.add(fault.BinlogFormat, "binlog_row_value_options is "+v+", so JSON is logged in parts", "SET GLOBAL binlog_row_value_options = ''"+mycnf("binlog_row_value_options="))
	}
	in.checkExpiry()
}

func isOn(v string) bool { return strings.EqualFold(v, "ON") || v == "1" }

func (in *inspection) checkExpiry() {
	if v, known := in.vars["binlog_expire_logs_auto_purge"]; known && !isOn(v) {
		return
	}
	seconds, _ := strconv.ParseFloat(in.vars["binlog_expire_logs_seconds"], 64)
	if days, err := strconv.ParseFloat(in.vars["expire_logs_days"], 64); err == nil && seconds == 0 {
		seconds = days * 86_400
	}
	if seconds > 0 && seconds < leastKept {
		in.add(fault.BinlogExpires, fmt.Sprintf("the log is kept for %.0f seconds only, and whoever is away for longer has lost its place", seconds),
			"SET GLOBAL binlog_expire_logs_seconds = 604800"+mycnf("binlog_expire_logs_seconds=604800"))
	}
}

func (in *inspection) checkServer() {
	switch id := in.vars["server_id"]; id {
	case "0":
		in.add(fault.BinlogServerID, "server_id is 0, with which a server lets nobody read its log", "SET GLOBAL server_id = 1"+mycnf("server_id=1"))
	case strconv.FormatUint(uint64(in.cfg.ServerID), 10):
		in.add(fault.BinlogServerID, "the server itself has the server_id "+id+", which the source would take", "give the source another: server_id: "+strconv.FormatUint(uint64(in.cfg.ServerID)+1, 10))
	}
	if tagged(in.vars["gtid_executed"]) {
		in.faults.Add(in.cfg.tagged(nil))
	}
	if mode := in.vars["gtid_mode"]; strings.HasSuffix(mode, "_PERMISSIVE") {
		fix := "SET GLOBAL gtid_mode = ON"
		if strings.HasPrefix(mode, "OFF") {
			fix = "SET GLOBAL gtid_mode = ON_PERMISSIVE; then, when SHOW STATUS LIKE 'Ongoing_anonymous_transaction_count' is 0, " + fix
		}
		if !isOn(in.vars["enforce_gtid_consistency"]) { // the server demands it
			fix = "SET GLOBAL enforce_gtid_consistency = ON; " + fix
		}
		in.add(fault.BinlogGTID, "gtid_mode is "+mode+", so some transactions have a GTID and some may not", fix+mycnf("gtid_mode=ON and enforce_gtid_consistency=ON"))
	}
}

// checkPrivileges finds what the user lacks on the server as a whole. MariaDB has other words for them since 10.5.
func (in *inspection) checkPrivileges(ctx context.Context) error {
	var missing []string
	need := func(name string, others ...string) {
		if !in.may(append(others, name)...) {
			missing = append(missing, name)
		}
	}
	if in.db.maria {
		// REPLICATION SLAVE lets read the log, BINLOG MONITOR tells where it ends. RELOAD is not asked for: without it a snapshot is read by one connection.
		need("REPLICATION SLAVE")
		need("BINLOG MONITOR", "REPLICATION CLIENT", "SUPER")
	} else {
		need("REPLICATION SLAVE")
		need("REPLICATION CLIENT", "SUPER")
		need("RELOAD", "FLUSH_TABLES")
	}
	if len(missing) > 0 {
		in.add(fault.BinlogReplication, "the user "+in.account+" lacks "+strings.Join(missing, ", "), "GRANT "+strings.Join(missing, ", ")+" ON *.* TO "+in.account+";")
	}
	return in.checkReplica(ctx)
}

// checkReplica finds a replica that does not write what it receives into its own log. Who may not ask MySQL for its state is not told.
func (in *inspection) checkReplica(ctx context.Context) error {
	logs, known := in.vars["log_slave_updates"]
	if !known {
		logs = in.vars["log_replica_updates"]
	}
	if isOn(logs) || !isOn(in.vars["log_bin"]) {
		return nil
	}
	query := "SHOW ALL SLAVES STATUS"
	if !in.db.maria {
		query = "SHOW REPLICA STATUS"
	}
	replica := false
	err := eachRow(ctx, in.db, func(*sql.Rows) error { replica = true; return nil }, query)
	if in.db.maria && errorCode(err) == codeSpecificDenied {
		// Anybody may count the replications that run.
		err = eachRow(ctx, in.db, func(rows *sql.Rows) error {
			var name string
			var running int
			err := rows.Scan(&name, &running)
			replica = running > 0
			return err
		}, "SHOW GLOBAL STATUS LIKE 'Slaves_running'")
	}
	if err != nil && errorCode(err) == 0 {
		return fmt.Errorf("read the replica's state: %w", err)
	}
	if replica {
		in.add(fault.BinlogReplica, "the server is a replica, and does not log what it receives", "put log_slave_updates=1 under [mysqld] in its my.cnf and restart it, or give the primary's address in dsn")
	}
	return nil
}

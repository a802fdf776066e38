package testenv

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"shelfstream/internal/fault"
)

// Environment variables that name what is not in the usual places.
const (
	// EnvPostgresBin is the directory with initdb and postgres.
	EnvPostgresBin = "PG_BIN"
	// EnvMySQL is the path of a mariadbd or mysqld to start instead of the installed one.
	EnvMySQL = "SHELFSTREAM_MYSQLD"
	// EnvKafkaJars is a directory with the jars of an Apache Kafka.
	EnvKafkaJars = "SHELFSTREAM_KAFKA_JARS"
)

// minPostgres is the oldest major version that has everything the PostgreSQL source uses.
const minPostgres = 15

// FindPostgres gives the directory of the server's programs, and the version that `postgres --version` prints ("15.18").
// Looked for in PG_BIN, then in the distributions' directories (newest first), then in PATH.
func FindPostgres(ctx context.Context) (dir, version string, err error) {
	var dirs []string
	if d := os.Getenv(EnvPostgresBin); d != "" {
		dirs = []string{d}
	} else {
		for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin"} {
			found, err := filepath.Glob(pattern)
			if err != nil {
				return "", "", err
			}
			slices.SortFunc(found, func(a, b string) int { return firstNumber(b) - firstNumber(a) })
			dirs = append(dirs, found...)
		}
		if p, err := exec.LookPath("postgres"); err == nil {
			dirs = append(dirs, filepath.Dir(p))
		}
	}
	what := "the server is not installed"
	for _, d := range dirs {
		if !executable(filepath.Join(d, "initdb")) || !executable(filepath.Join(d, "postgres")) {
			continue
		}
		v, err := versionOf(ctx, filepath.Join(d, "postgres"))
		if err != nil {
			return "", "", err
		}
		if firstNumber(v) >= minPostgres {
			return d, v, nil
		}
		what = "version " + v + " in " + d + " is older than " + strconv.Itoa(minPostgres)
	}
	return "", "", &fault.Fault{Class: fault.Environment, Where: "PostgreSQL", What: what, Fix: "scripts/install.sh (on Debian and Ubuntu: sudo apt-get install postgresql), or set " + EnvPostgresBin + " to the directory with initdb and postgres"}
}

// mysqlBinaries are the programs of a MariaDB or a MySQL server.
type mysqlBinaries struct {
	server  string
	install string // mariadb-install-db; "" for MySQL, whose server initialises itself
	version string // "MariaDB 10.11.14", "MySQL 8.4.6"
}

// FindMariaDB tells which MariaDB or MySQL server would be started ("MariaDB 10.11.14").
func FindMariaDB(ctx context.Context) (version string, err error) {
	b, err := findMariaDB(ctx)
	return b.version, err
}

// findMariaDB looks for a server program, or takes the one that the environment names.
func findMariaDB(ctx context.Context) (mysqlBinaries, error) {
	for _, name := range []string{"mariadbd", "mysqld"} {
		p := os.Getenv(EnvMySQL)
		if p == "" {
			p = lookSbin(name)
		}
		if p == "" {
			continue
		}
		v, err := versionOf(ctx, p)
		if err != nil {
			return mysqlBinaries{}, err
		}
		if !strings.Contains(v, "MariaDB") {
			return mysqlBinaries{server: p, version: "MySQL " + v}, nil
		}
		if install := lookSbin("mariadb-install-db"); install != "" {
			return mysqlBinaries{server: p, install: install, version: "MariaDB " + strings.SplitN(v, "-", 2)[0]}, nil
		}
	}
	return mysqlBinaries{}, &fault.Fault{Class: fault.Environment, Where: "MariaDB", What: "no MariaDB or MySQL server is installed", Fix: "scripts/install.sh (on Debian and Ubuntu: sudo apt-get install mariadb-server)"}
}

// Missing lists what is not installed of that which the demo (PostgreSQL, MariaDB or MySQL) and, with tests, the integration tests need
// (a JVM, Apache Kafka's jars or the Maven that fetches them, kcat, Chromium).
func Missing(ctx context.Context, tests bool) fault.List {
	var l fault.List
	add := func(err error) {
		if err == nil {
			return
		}
		if found := fault.All(err); len(found) > 0 {
			l = append(l, found...)
			return
		}
		l.Add(&fault.Fault{Class: fault.Environment, Where: "test environment", What: "cannot look for servers", Err: err})
	}
	_, _, err := FindPostgres(ctx)
	add(err)
	_, err = FindMariaDB(ctx)
	add(err)
	if tests {
		_, err = findJava(ctx)
		add(err)
		add(haveKafka())
		_, err = FindChromium()
		add(err)
		if lookSbin("kcat") == "" {
			l.Add(&fault.Fault{Class: fault.Environment, Where: "kcat", What: "the Kafka client kcat is not installed", Fix: "scripts/install.sh --test (on Debian and Ubuntu: sudo apt-get install kcat)"})
		}
	}
	return l
}

// lookSbin finds a program in PATH or in the sbin directories that an ordinary user's PATH leaves out; "" if there is none.
func lookSbin(name string) string {
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	for _, d := range []string{"/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/opt/homebrew/bin"} {
		if p := filepath.Join(d, name); executable(p) {
			return p
		}
	}
	return ""
}

func executable(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Mode().Perm()&0o111 != 0
}

var versionNumber = regexp.MustCompile(`\d+(\.\d+)+\S*|\d+`)

// versionOf runs "path --version" and gives its first number with what belongs to it.
func versionOf(ctx context.Context, path string) (string, error) {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return "", &fault.Fault{Class: fault.Environment, Where: path, What: "does not tell its version", Fix: "scripts/install.sh", Err: err}
	}
	return versionNumber.FindString(string(out)), nil
}

func firstNumber(s string) int {
	n, err := strconv.Atoi(regexp.MustCompile(`\d+`).FindString(s))
	if err != nil {
		return 0
	}
	return n
}

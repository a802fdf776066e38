//go:build integration

package postgres

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/testenv"
)

// TestTLS: the stream's own reading of the connection works through TLS, under load and calm.
func TestTLS(t *testing.T) {
	cert, key := certificate(t)
	pg, err := testenv.StartPostgres(t.Context(), "", testenv.PostgresNoFsync(), testenv.PostgresSetting("ssl", "on"),
		testenv.PostgresSetting("ssl_cert_file", cert), testenv.PostgresSetting("ssl_key_file", key))
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Close()
	d := &database{TB: t, name: "postgres", dsn: strings.Replace(pg.DSN("postgres"), "sslmode=disable", "sslmode=verify-full&sslrootcert="+cert, 1)}
	d.reconnect()
	defer d.conn.Close(t.Context())
	d.exec("CREATE TABLE a (id int PRIMARY KEY, n int); INSERT INTO a SELECT i, 0 FROM generate_series(1, 20000) i")
	log := &collector{}
	_, stop := run(t, d.config(tables("a")), log)
	if n := log.rows.Load(); n != 20000 {
		t.Errorf("the snapshot brought %d rows", n)
	}
	for round := range 3 {
		d.exec("UPDATE a SET n = n + 1")
		for i := range 20 {
			d.exec(fmt.Sprintf("UPDATE a SET n = n + 1 WHERE id = %d", i+1))
		}
		until(t, "the changes", func() bool { return log.changes.Load() == int64(round+1)*20020 })
	}
	if n := d.one("SELECT count(*) FROM pg_stat_replication JOIN pg_stat_ssl USING (pid) WHERE ssl"); n != "1" {
		t.Errorf("%s replication connections are encrypted", n)
	}
	stop()
}

// certificate makes a key and a self-signed certificate for 127.0.0.1 that the server's account may read.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} { // the server's account has to get in
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, kind string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() == 0 {
			u, err := user.Lookup("postgres")
			if err != nil {
				t.Fatal(err)
			}
			uid, _ := strconv.Atoi(u.Uid)
			gid, _ := strconv.Atoi(u.Gid)
			if err := os.Chown(path, uid, gid); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	return write("server.crt", "CERTIFICATE", der), write("server.key", "EC PRIVATE KEY", keyDER)
}

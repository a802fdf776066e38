package kafka

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"shelfstream/internal/fault"
)

// certificate makes a self-signed one for 127.0.0.1.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kafka"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// secured writes, reads and joins a group with a configuration.
func secured(t *testing.T, cfg Config) {
	t.Helper()
	c, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Ping(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	name := topic(t, c, 1)
	p := producer(t, c, ProducerConfig{})
	put(t, p, name, 0, 0, 1000)
	wantSequence(t, all(t, c, name, 0, 0), 0, 1000)
	r := newRoster(t)
	r.join(c, "one", groupConfig(name))
	r.await(within(t, 30*time.Second), name, 1)
}

func TestTLSAndSASL(t *testing.T) {
	server, trust := certificate(t)
	for _, mech := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mech, func(t *testing.T) {
			k := cluster(t, kfake.TLS(server), kfake.EnableSASL(), kfake.Superuser(mech, "shelf", "secret"))
			cfg := Config{Brokers: k.ListenAddrs(), TLS: trust, SASL: &SASL{mech, "shelf", "secret"}}
			secured(t, cfg)
			cfg.SASL = &SASL{mech, "shelf", "wrong"}
			c, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			err = c.Ping(within(t, 20*time.Second))
			var f *fault.Fault
			if !errors.As(err, &f) || f.Class != fault.Environment || !strings.Contains(f.Fix, "user and password") {
				t.Fatalf("wrong password: %v", err)
			}
		})
	}
}

func TestWrongConfigurations(t *testing.T) {
	for name, cfg := range map[string]Config{
		"none":      {},
		"no port":   {Brokers: []string{"kafka"}},
		"mechanism": {Brokers: []string{"kafka:9092"}, SASL: &SASL{Mechanism: "GSSAPI"}},
	} {
		_, err := Open(cfg)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Class != fault.Config || f.Fix == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	c := client(t, l.Addr().String())
	var f *fault.Fault
	if err := c.Ping(within(t, 20*time.Second)); !errors.As(err, &f) || f.Class != fault.Environment || f.Fix == "" {
		t.Errorf("unreachable: %v", err)
	}
}

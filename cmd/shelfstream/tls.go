package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"

	"shelfstream/internal/fault"
)

// tlsConfig makes what log.tls says; nil without TLS.
func (p *pipeline) tlsConfig() (*tls.Config, error) {
	t := p.Log.TLS
	if !t.Enabled {
		return nil, nil //nolint:nilnil // no TLS is no fault
	}
	cfg := &tls.Config{ServerName: t.ServerName, MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.Insecure} //nolint:gosec // named as what it is, and off as shipped
	bad := func(key, what, fix string, err error) error {
		return &fault.Fault{Class: fault.Config, Where: "log.tls." + key, What: what, Fix: fix, Err: err}
	}
	if t.CA != "" {
		pem, err := os.ReadFile(p.Path(t.CA))
		if err != nil {
			return nil, bad("ca", "the file cannot be read", "name a file that shelfstream's user can read", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, bad("ca", "there is no certificate in "+p.Path(t.CA), "name a PEM file: -----BEGIN CERTIFICATE-----", nil)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(p.Path(t.Cert), p.Path(t.Key))
		if err != nil {
			return nil, bad("cert", "certificate and key cannot be used", "name two PEM files that belong together", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

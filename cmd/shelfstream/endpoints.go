package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// endpoints says where a running pipeline with an embedded log can be reached. It stands beside the log, so that tools find it
// also when the ports were free ones.
type endpoints struct {
	PID      int    `json:"pid"`
	Broker   string `json:"broker"`
	Registry string `json:"registry"`
	Admin    string `json:"admin,omitempty"`
}

func endpointsFile(cfg *pipeline) string { return filepath.Join(cfg.LogDir(), "running.json") }

// writeEndpoints notes where this process can be reached, until Close.
func (a *app) writeEndpoints(admin string) error {
	if !a.cfg.Log.Embedded() {
		return nil
	}
	b, err := json.Marshal(endpoints{PID: os.Getpid(), Broker: a.brokers[0], Registry: a.registryURL, Admin: admin})
	if err != nil {
		return err
	}
	file := endpointsFile(a.cfg)
	if err := os.WriteFile(file, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("note the pipeline's addresses: %w", err)
	}
	a.onClose(func(context.Context) error {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	return nil
}

// readEndpoints finds a running pipeline. A file left behind by a process that was killed is told by its broker not answering.
func readEndpoints(ctx context.Context, cfg *pipeline) (endpoints, bool) {
	var e endpoints
	b, err := os.ReadFile(endpointsFile(cfg))
	if err != nil || json.Unmarshal(b, &e) != nil || e.Broker == "" {
		return e, false
	}
	d := net.Dialer{Timeout: 2 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", e.Broker)
	if err != nil {
		return e, false
	}
	return e, conn.Close() == nil
}

// adminURL is where the pipeline's admin port is asked: the one named on the command line, else a running pipeline's note, else
// the configuration's.
func adminURL(ctx context.Context, cfg *pipeline, named string) string {
	addr := named
	if addr == "" && cfg.Log.Embedded() {
		if e, ok := readEndpoints(ctx, cfg); ok {
			addr = e.Admin
		}
	}
	if addr == "" {
		addr = cfg.Admin.Listen
	}
	if host, port, err := net.SplitHostPort(addr); err == nil && (host == "" || host == "0.0.0.0" || host == "::") {
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	return "http://" + addr
}

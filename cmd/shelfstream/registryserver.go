package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas/registry"
)

// registryServer is the embedded schema registry: Confluent's HTTP interface on loopback, its schemas in a topic.
type registryServer struct {
	log    *registryLog
	server *http.Server
	url    string
	ended  chan error
}

// registryConfig says where the embedded registry keeps its schemas and listens.
type registryConfig struct {
	topic       string
	replication int
	listen      string
	// owner takes the topic over from any other; without it nothing can be registered that is not there yet.
	owner bool
}

// startRegistry serves until Close.
func startRegistry(ctx context.Context, client *kafka.Client, cfg registryConfig, log *slog.Logger) (*registryServer, error) {
	// The port is taken first: if another process has the registry's address, its topic stays its own.
	listener, err := net.Listen("tcp", cfg.listen)
	if err != nil {
		return nil, &fault.Fault{
			Class: fault.Environment, Cause: fault.AddressTaken, Where: "log.registry.listen", What: "the embedded registry cannot listen on " + cfg.listen, Err: err,
			Fix: "end the program that has the port, set log.registry.listen to another address (127.0.0.1:0 takes any free port), or name a registry in log.registry.url",
		}
	}
	rl, err := openRegistryLog(ctx, client, cfg)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	handler, err := registry.NewServer(ctx, rl)
	if err != nil {
		return nil, errors.Join(err, rl.Close(ctx), listener.Close())
	}
	s := &registryServer{log: rl, url: "http://" + listener.Addr().String(), ended: make(chan error, 1)}
	s.server = &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	go func() { s.ended <- s.server.Serve(listener) }()
	return s, nil
}

// Close ends requests under way and the topic's producer.
func (s *registryServer) Close(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var err error
	if s.server.Shutdown(wait) != nil {
		// A connection that a client has opened and not used yet counts as busy for five seconds: it is cut off.
		err = s.server.Close()
	}
	if serving := <-s.ended; !errors.Is(serving, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve the embedded registry: %w", serving))
	}
	return errors.Join(err, s.log.Close(ctx))
}

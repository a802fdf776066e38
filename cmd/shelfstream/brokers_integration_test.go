//go:build integration

package main

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/internal/testenv"
)

// registryOn opens a client of a broker, and beside it a registry that keeps its schemas there, until the test ends.
func registryOn(t *testing.T, broker string) (client *kafka.Client, url string) {
	t.Helper()
	client, err := kafka.Open(kafka.Config{Brokers: []string{broker}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, client.Close) })
	r, err := startRegistry(t.Context(), client, registryConfig{topic: "_schemas", listen: "127.0.0.1:0", owner: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, func() error { return r.Close(context.Background()) }) }) // the test's own context has ended by then
	return client, r.url
}

// sharedLog starts a broker and a registry for several processes, and gives the log section that names them.
func sharedLog(t *testing.T) (section string, client *kafka.Client) {
	t.Helper()
	broker, err := testenv.StartBroker(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, broker.Close) })
	client, url := registryOn(t, broker.Addr())
	return fmt.Sprintf(`{ brokers: ["%s"], registry: { url: "%s" } }`, broker.Addr(), url), client
}

// launchOnBroker is launch on a log in a process of its own, which can be paused.
func (w *world) launchOnBroker(t *testing.T) (broker *testenv.Broker, p *testenv.Process, file string) {
	t.Helper()
	broker, err := testenv.StartEmbedded(t.Context(), "", 15*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, broker.Close) })
	p, file = w.launch(t, fmt.Sprintf(`{ brokers: ["%s"], registry: { listen: "127.0.0.1:0" } }`, broker.Addr()))
	return broker, p, file
}

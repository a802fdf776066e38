//go:build integration

package incident

import (
	"context"
	"testing"

	"shelfstream/internal/testenv"
)

// server is a broker in a process of its own, which is killed.
type server struct{ *testenv.Broker }

func (s server) Stop() error { return s.Kill() }

// TestAloneServer is TestAlone with a broker that is killed: Apache Kafka, if SHELFSTREAM_BROKER says so.
func TestAloneServer(t *testing.T) {
	b, err := testenv.StartBroker(context.WithoutCancel(t.Context()), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	t.Log(b.Name())
	outage(t, server{b})
}

//go:build look

package web

import (
	"net"
	"net/http"
	"testing"
	"time"
)

func TestLook(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:18999")
	if err != nil {
		t.Fatal(err)
	}
	s := busy(time.Now())
	s.cfg.Redact = func(x string) string { return x }
	t.Fatal(http.Serve(l, s.Handler()))
}

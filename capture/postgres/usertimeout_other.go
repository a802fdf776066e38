//go:build !linux

package postgres

import (
	"net"
	"time"
)

// setUserTimeout needs Linux; elsewhere the watch on silence alone finds a dead peer.
func setUserTimeout(*net.TCPConn, time.Duration) error { return nil }

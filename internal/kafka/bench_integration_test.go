//go:build integration

package kafka

import "testing"

func BenchmarkReal(b *testing.B) { benchProduceFetch(b, realAddrs(b)) }

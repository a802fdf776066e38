package rest

import (
	"testing"

	"shelfstream/sink/sinktest"
)

// TestSuite runs what of the suite applies to a target that is keyed and whose keys nobody can list.
func TestSuite(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		e := newERP(t)
		return sinktest.Harness{
			Target: target(t, world(t), config(e, put()), nil), BadName: badName, Unlisted: true,
			Rows: func(*testing.T) map[int64]string { return e.rows() },
		}
	})
}

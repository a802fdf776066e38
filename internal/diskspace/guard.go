// Package diskspace keeps a writer from filling the disk that its directory lies on: a part of the disk is left free, and whoever writes waits for
// room before a write rather than breaking in the middle of one.
package diskspace

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"shelfstream/internal/fault"
)

const (
	// lookAgain is how often a writer that waits looks whether there is room.
	lookAgain = 200 * time.Millisecond
	// sayAgain is how often it is said that the disk is full.
	sayAgain = 30 * time.Second
	// A twentieth of the disk is left free, within these bounds.
	leastReserve, share = 2 << 20, 20
)

// Guard watches the disk of one directory. Its methods may be called from several goroutines at once.
type Guard struct {
	key, dir string
	reserve  uint64
	log      *slog.Logger
	free     func() (free, total uint64, err error)

	mu   sync.Mutex
	full *fault.Fault // nil while there is room
	said time.Time
}

// New watches the disk that dir, which must exist, lies on. key is the configuration's name of it ("state.dir"); most is the greatest number of bytes
// that are left free: on a small disk it is a twentieth of it. log may be nil.
func New(key, dir string, most uint64, log *slog.Logger) (*Guard, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	g := &Guard{key: key, dir: dir, log: log, free: func() (uint64, uint64, error) { return statfs(dir) }}
	_, total, err := g.free()
	if err != nil {
		return nil, fmt.Errorf("ask for the free space of %s: %w", dir, err)
	}
	g.reserve = min(max(total/share, leastReserve), most)
	return g, nil
}

func statfs(dir string) (free, total uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), uint64(s.Blocks) * uint64(s.Bsize), nil //nolint:unconvert // the types differ between systems
}

// Room says whether n more bytes fit beside what is left free. A disk that cannot be asked is taken to have room: the write itself will tell.
func (g *Guard) Room(n int) bool {
	free, _, err := g.free()
	if err != nil {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	need := g.reserve + uint64(n)
	if g.full != nil {
		need += g.reserve / 4 // so that it does not go on and stop with each write
	}
	if free >= need {
		if g.full != nil {
			g.log.Info("the disk has room again, writing goes on", "where", g.full.Where)
		}
		g.full = nil
		return true
	}
	g.full = g.fault(free)
	if now := time.Now(); now.Sub(g.said) > sayAgain {
		g.said = now
		g.log.Error("writing waits for room on the disk", "error", g.full)
	}
	return false
}

func (g *Guard) fault(free uint64) *fault.Fault {
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.DiskFull, Where: g.key + " " + g.dir, What: fmt.Sprintf("the disk is full: %s are left, and writing waits until it has more than %s", size(free), size(g.reserve)),
		Fix: "make room on the disk of " + g.dir + "; writing goes on by itself, and nothing is lost meanwhile",
	}
}

// Fault is what was wrong when Room was last asked; nil if nothing was.
func (g *Guard) Fault() *fault.Fault {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.full
}

// Wait waits until n more bytes fit, or until ctx ends, whose error it then returns.
func (g *Guard) Wait(ctx context.Context, n int) error {
	if g.WaitUnless(ctx.Done(), n) {
		return nil
	}
	return ctx.Err()
}

// WaitUnless waits until n more bytes fit; false says that done was closed first.
func (g *Guard) WaitUnless(done <-chan struct{}, n int) bool {
	if g.Room(n) {
		return true
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return false
		case <-tick.C:
			if g.Room(n) {
				return true
			}
		}
	}
}

// size writes a number of bytes for people.
func size(n uint64) string {
	if n < 10<<20 {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// Command shelfstream keeps a webshop equal to the ERP behind it. See 'shelfstream help'.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

// version is set by the linker.
var version = "dev"

// stopWithin is how long a clean end may take after the first signal.
const stopWithin = 10 * time.Second

// errSignal is why a context ends when the process was asked to stop.
var errSignal = errors.New("asked to stop")

func main() {
	stderr := int(os.Stderr.Fd())
	p := &program{stdout: os.Stdout, env: os.LookupEnv, version: version, screen: newScreen(os.Stderr, term.IsTerminal(stderr))}
	p.screen.width = func() int {
		columns, _, err := term.GetSize(stderr)
		if err != nil {
			return 0
		}
		return columns
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	go onSignal(p, cancel)
	os.Exit(p.run(ctx, os.Args[1:]))
}

// onSignal ends the context at the first signal, and the process at the second or when the clean end takes too long. It lives
// as long as the process.
func onSignal(p *program, cancel context.CancelCauseFunc) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	first := <-signals
	cancel(errSignal)
	if p.screen.terminal {
		fmt.Fprintf(p.screen, "%s: ending; once more ends at once\n", first)
	}
	select {
	case <-signals:
		os.Exit(130)
	case <-time.After(stopWithin):
		fmt.Fprintf(p.screen, "not ended %s after the signal: ends at once\n", stopWithin)
		os.Exit(1)
	}
}

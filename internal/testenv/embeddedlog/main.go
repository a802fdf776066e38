// Command embeddedlog runs the embedded broker in a process of its own, so that tests can kill it, pause it and start it again.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka/embedded"
)

func main() {
	dir := flag.String("dir", "", "data directory; empty keeps the log in memory")
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	compaction := flag.Duration("compaction", 15*time.Second, "how often compacted topics are cleaned")
	flag.Parse()
	if err := run(*dir, *listen, *compaction); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(fault.ExitCode(err))
	}
}

func run(dir, listen string, compaction time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	b, err := embedded.Start(embedded.Config{Dir: dir, Listen: listen, Compaction: compaction, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	fmt.Println("listening on", b.Addr())
	<-ctx.Done()
	return b.Close()
}

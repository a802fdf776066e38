package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"shelfstream/internal/demo"
	"shelfstream/status/login"
)

// demoOptions are the demo's flags.
type demoOptions struct {
	common
	products int
	seconds  int
	seed     uint64
	pause    time.Duration
	dir      string
	admin    string
	shop     string
	erp      string
}

func demoCommand() command {
	return command{
		name: "demo", summary: "an ERP, a pipeline and a shop to play with",
		help: `
Starts a throwaway PostgreSQL with a wine merchant's ERP, a MariaDB shop, and the whole pipeline on the embedded log; a clerk keeps
changing products, prices, stock and images, and customers buy: their orders come back to the ERP, as rows and as files. Beside them stand two sites: the shop's page, and an ERP form to change something oneself,
which shows how long it took until the shop had it. Prints where to look and a line a second. With -seconds it ends by itself, compares
the shop with a direct SQL query over the ERP, and the ERP's orders with the shop's, row by row, and exits with 1 on any difference.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			o := demoOptions{common: common{logForm: "text"}}
			fs.IntVar(&o.products, "products", 5000, "`number` of products in the ERP")
			fs.IntVar(&o.seconds, "seconds", 0, "`number` of seconds after which the clerk stops and the shop is compared; 0 = until interrupted")
			fs.Uint64Var(&o.seed, "seed", 1, "`seed` of the generated ERP")
			fs.DurationVar(&o.pause, "pause", 2*time.Millisecond, "`duration` for which the clerk rests between two transactions")
			fs.StringVar(&o.dir, "dir", "", "`directory` for the servers and the log, kept afterwards; a temporary one if left out")
			fs.StringVar(&o.admin, "admin", "127.0.0.1:8480", "`address` of the status page")
			fs.StringVar(&o.shop, "shop", "", "`address` of the shop's page; "+preferredShop+" if left out, or any free port if that is in use")
			fs.StringVar(&o.erp, "erp", "", "`address` of the ERP form; "+preferredERP+" if left out, or any free port if that is in use")
			fs.StringVar(&o.logLevel, "log-level", "warn", "least `level` that is logged: debug, info, warn or error")
			return func(ctx context.Context, args []string) error {
				if err := noArguments("demo", args); err != nil {
					return err
				}
				return unlessAsked(ctx, o.run(ctx, p))
			}
		},
	}
}

func (o *demoOptions) run(ctx context.Context, p *program) (err error) {
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "shelfstream-demo-"); err != nil {
			return fmt.Errorf("make a directory for the demo: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	}
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return fmt.Errorf("find the demo's directory: %w", err)
	}
	// The database servers run as users of their own and have to get below it.
	if err := errors.Join(os.MkdirAll(o.dir, 0o755), os.Chmod(o.dir, 0o755)); err != nil {
		return fmt.Errorf("make the demo's directory: %w", err)
	}
	fmt.Fprintf(p.stdout, "starting PostgreSQL and MariaDB in %s\n", o.dir)
	w, err := openDemoWorld(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	sites, err := openDemoSites(o, w)
	if err != nil {
		return err
	}
	defer sites.close()
	if err := o.chooseAdmin(); err != nil {
		return err
	}
	cfg, log, err := o.pipeline(p, w)
	if err != nil {
		return err
	}
	a, err := openApp(ctx, cfg, log, roleAll)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	stages, err := a.allStages()
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(ctx)
	defer stop()
	g, gctx := errgroup.WithContext(run)
	g.Go(func() error { return sites.shop.Run(gctx) })
	g.Go(func() error { return sites.erp.Run(gctx) })
	g.Go(func() error { return unlessAsked(gctx, a.serve(gctx, p, stages)) })
	g.Go(func() error {
		defer stop()
		return w.play(gctx, p, a, stages, sites, o)
	})
	return g.Wait()
}

// Who may act on the demo's page; everybody on this machine may look.
const (
	demoUser     = "clerk"
	demoPassword = "red-or-white"
)

// pipeline writes the demo's configuration into its directory, to be read and tried again, and loads it.
func (o *demoOptions) pipeline(p *program, w *demoWorld) (*pipeline, *slog.Logger, error) {
	hash, err := login.Hash(demoPassword)
	if err != nil {
		return nil, nil, err
	}
	files := map[string]string{
		"demo.yaml":        demo.PipelineWithOrders + fmt.Sprintf("log: { data_dir: log, listen: \"127.0.0.1:0\", registry: { listen: \"127.0.0.1:0\" } }\nstate: { dir: state }\nadmin: { listen: %q, open: true, users: { %s: { role: operate, password_hash: %q } } }\n", o.admin, demoUser, hash),
		"demo.rules.yaml":  demo.Rules,
		"order.rules.yaml": demo.OrderRules,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(o.dir, name), []byte(text), 0o600); err != nil {
			return nil, nil, fmt.Errorf("write the demo's configuration: %w", err)
		}
	}
	of := *p
	of.env = func(name string) (string, bool) {
		switch name {
		case "ERP_DSN":
			return w.erpDSN, true
		case "SHOP_DSN":
			return w.shopDSN, true
		case "ORDER_DIR":
			return w.orders.Dir, true
		}
		return p.env(name)
	}
	o.file = filepath.Join(o.dir, "demo.yaml")
	return o.load(&of)
}

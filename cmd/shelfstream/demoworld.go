package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"shelfstream/internal/demo"
	"shelfstream/internal/fault"
	"shelfstream/internal/testenv"
)

// demoWorld is what stands around the demo's pipeline: an ERP and a shop on real servers.
type demoWorld struct {
	pg      *testenv.Postgres
	my      *testenv.MariaDB
	erp     *pgx.Conn
	shop    *sql.DB
	erpDSN  string
	shopDSN string
	zone    *time.Location
	orders  *demo.Orders
}

func openDemoWorld(ctx context.Context, o *demoOptions) (_ *demoWorld, err error) {
	w := &demoWorld{}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.zone, err = time.LoadLocation("Europe/Oslo"); err != nil {
		return nil, fmt.Errorf("load the demo's time zone: %w", err)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		w.pg, err = testenv.StartPostgres(gctx, filepath.Join(o.dir, "postgres"))
		return err
	})
	g.Go(func() (err error) {
		w.my, err = testenv.StartMariaDB(gctx, filepath.Join(o.dir, "mariadb"), testenv.MariaDBCaptured())
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if w.erpDSN, err = w.pg.CreateDatabase(ctx, "erp"); err != nil {
		return nil, err
	}
	if w.shopDSN, err = w.my.CreateDatabase(ctx, "shop"); err != nil {
		return nil, err
	}
	if w.erp, err = pgx.Connect(ctx, w.erpDSN); err != nil {
		return nil, fmt.Errorf("connect to the ERP: %w", err)
	}
	if w.shop, err = sql.Open("mysql", w.shopDSN); err != nil {
		return nil, fmt.Errorf("connect to the shop: %w", err)
	}
	w.orders = &demo.Orders{Shop: w.shop, ERP: w.erpDSN, Dir: filepath.Join(o.dir, "erp-import"), Pause: 200 * time.Millisecond, Seed: o.seed}
	if o.pause > time.Minute {
		w.orders.Pause = 0 // nobody is to do anything by himself
	}
	if err := os.MkdirAll(w.orders.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of instruction files: %w", err)
	}
	if err := w.my.Exec(ctx, "shop", demo.ShopOrders); err != nil {
		return nil, err
	}
	if err := demo.Seed(ctx, w.erp, o.products, o.seed); err != nil {
		return nil, err
	}
	if _, err := w.erp.Exec(ctx, demo.ERPOrders); err != nil {
		return nil, fmt.Errorf("make the ERP's customers: %w", err)
	}
	return w, nil
}

func (w *demoWorld) close() error {
	var errs []error
	if w.erp != nil {
		errs = append(errs, w.erp.Close(context.Background()))
	}
	if w.shop != nil {
		errs = append(errs, w.shop.Close())
	}
	if w.pg != nil {
		errs = append(errs, w.pg.Close())
	}
	if w.my != nil {
		errs = append(errs, w.my.Close())
	}
	return errors.Join(errs...)
}

// play waits for the first load, lets the clerk work, and compares at the end. ctx ends when the pipeline does.
func (w *demoWorld) play(ctx context.Context, p *program, a *app, stages []stage, sites *demoSites, o *demoOptions) error {
	host, port, err := net.SplitHostPort(w.my.Addr())
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, `
  status page   http://%s   (to act, log in as %s, password %s)
  shop page     http://%s
  ERP form      http://%s
  ERP           psql '%s'
  shop          mariadb -h %s -P %s -u root shop
  orders        %s
  topics        kcat -b %s -r %s -s value=avro -t wine.product -C -e
  pipeline      %s

loading %d products …
`, o.admin, demoUser, demoPassword, sites.shop.Addr(), sites.erp.Addr(), w.erpDSN, host, port, w.orders.Dir, a.brokers[0], a.registryURL, o.file, o.products)
	began := time.Now()
	if _, err := w.await(ctx, 2*time.Minute); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "the shop has them, %.1f s after the start; the clerk begins\n\n", time.Since(began).Seconds())

	watcher := &demo.Watcher{Shop: w.shop}
	clerk := &demo.Clerk{DSN: w.erpDSN, Products: o.products, Pause: o.pause, Seed: o.seed, OnCommit: watcher.Committed}
	shift, end := context.WithCancel(ctx)
	if o.seconds > 0 {
		shift, end = context.WithTimeout(ctx, time.Duration(o.seconds)*time.Second)
	}
	defer end()
	g, gctx := errgroup.WithContext(shift)
	g.Go(func() error { return clerk.Run(gctx) })
	g.Go(func() error { return watcher.Run(gctx) })
	g.Go(func() error { return w.orders.Shopping(gctx, o.products) })
	g.Go(func() error { return w.report(gctx, p, stages, clerk, watcher) })
	looking, enough := context.WithCancel(ctx)
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		_ = w.orders.Run(looking) // it always ends without one
	}()
	defer func() { enough(); <-looked }()
	if err := g.Wait(); err != nil && shift.Err() == nil {
		return err
	}
	if o.seconds == 0 || ctx.Err() != nil {
		return nil
	}
	return w.finish(ctx, p, clerk, watcher)
}

// report prints a line a second.
func (w *demoWorld) report(ctx context.Context, p *program, stages []stage, clerk *demo.Clerk, watcher *demo.Watcher) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var before int64
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		q, n := watcher.Delays(true, 0.5, 0.99)
		all := clerk.Changes()
		held := int64(0)
		for _, st := range stages {
			held += st.Status().Parked
		}
		sold, orders := w.orders.Delays()
		fmt.Fprintf(p.stdout, "%7d changes (%5d/s)   commit to shop p50 %5.1f ms  p99 %6.1f ms (%d seen)   orders to ERP %5.1f ms (%d)   parked %d\n",
			all, all-before, ms(q[0]), ms(q[1]), n, ms(sold), orders, held)
		before = all
	}
}

// finish compares the shop with the ERP, now that it rests.
func (w *demoWorld) finish(ctx context.Context, p *program, clerk *demo.Clerk, watcher *demo.Watcher) error {
	if err := clerk.Tidy(ctx); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "\nthe clerk has stopped after %d changes; comparing the shop with the ERP, row by row\n", clerk.Changes())
	c, err := w.await(ctx, 30*time.Second)
	if err != nil {
		return err
	}
	if err := w.compareOrders(ctx, p); err != nil {
		return err
	}
	torn := watcher.Torn()
	for _, t := range torn {
		fmt.Fprintln(p.stdout, "  seen:", t)
	}
	if len(torn) > 0 {
		return &fault.Fault{Where: "demo", What: "the shop showed half a transaction, or went back", Fix: "this is a bug; the lines above say what was seen"}
	}
	fmt.Fprintf(p.stdout, "equal: %d rows compared, none differs; no product ever showed half a transaction\n", c.Rows)
	return nil
}

// compareOrders wants every order of the shop in the ERP, once, with the shop's total.
func (w *demoWorld) compareOrders(ctx context.Context, p *program) error {
	missing := w.orders.Await(ctx, 30*time.Second)
	c, err := demo.CompareOrders(ctx, w.erp, w.shop)
	if err != nil {
		return err
	}
	if missing > 0 || !c.Equal() {
		return &fault.Fault{
			Where: "demo", What: fmt.Sprintf("%d orders are missing in the ERP or in its folder; %d of %d rows differ: %v", missing, c.Total, c.Rows, c.Differences),
			Fix: "look at the status page and `shelfstream explain`",
		}
	}
	fmt.Fprintf(p.stdout, "orders: %d rows compared, none differs; each came once, as rows and as a file\n", c.Rows)
	return nil
}

// await compares until the shop is equal to the ERP.
func (w *demoWorld) await(ctx context.Context, limit time.Duration) (*demo.Comparison, error) {
	c, err := demo.Await(ctx, w.erp, w.shop, w.zone, limit)
	switch {
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case !c.Equal():
		var what strings.Builder
		fmt.Fprintf(&what, "%d of %d rows differ", c.Total, c.Rows)
		for _, d := range c.Differences {
			fmt.Fprintf(&what, "\n  %s\n    ERP:  %s\n    shop: %s", d.Table, d.ERP, d.Shop)
		}
		return nil, &fault.Fault{Where: "demo", What: what.String(), Fix: "look at the status page and `shelfstream explain`"}
	}
	return c, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"shelfstream/internal/demo"
	"shelfstream/internal/testenv"
)

// wholeWay: 1,000,000 products with prices, stock and texts from an ERP into an empty shop.
func (b *bench) wholeWay(ctx context.Context) error {
	name := b.name("whole")
	if err := b.servers.pg(ctx, "CREATE DATABASE "+name); err != nil {
		return err
	}
	if err := b.servers.my(ctx, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4"); err != nil {
		return err
	}
	whole := *b
	s := *b.servers
	whole.servers = &s
	s.pgDSN = strings.Replace(s.pgDSN, "/shop", "/"+name, 1)
	s.myDSN = strings.Replace(s.myDSN, "/shop", "/"+name, 1)
	say("seeding %d wines with prices, stock, texts and images", b.rows)
	c, err := pgx.Connect(ctx, s.pgDSN)
	if err != nil {
		return err
	}
	err = demo.Seed(ctx, c, b.rows, 1)
	if err == nil {
		// One rate for all of them, so that its change touches every product.
		_, err = c.Exec(ctx, "UPDATE product SET vat_code = 1")
	}
	if err = errors.Join(err, c.Close(ctx)); err != nil {
		return err
	}
	admin, err := testenv.FreeAddr()
	if err != nil {
		return err
	}
	pipeline := strings.Replace(demo.Pipeline, "pipeline: wine", fmt.Sprintf("pipeline: %s\nlog: { brokers: [%q], partitions: 4, registry: { url: %q } }\nadmin: { listen: %q }", name, s.brokers, s.registry, admin), 1)
	p, err := whole.start(ctx, name, map[string]string{"pipeline.yaml": pipeline, "demo.rules.yaml": demo.Rules}, "run")
	if err != nil {
		return err
	}
	erp, err := pgx.Connect(ctx, s.pgDSN)
	if err != nil {
		return errors.Join(err, p.stop())
	}
	defer erp.Close(ctx)
	var expected int
	if err := erp.QueryRow(ctx, "SELECT count(*) FROM product WHERE NOT discontinued").Scan(&expected); err != nil {
		return errors.Join(err, p.stop())
	}
	err = p.poll(ctx, "the shop's first load", 30*time.Minute, 250*time.Millisecond, func() (bool, error) {
		n, err := whole.count(ctx, "SELECT count(*) FROM product")
		return n >= expected, err
	})
	took := time.Since(p.at)
	u := p.usage()
	if err == nil {
		err = whole.equal(ctx, erp)
	}
	if err == nil {
		err = b.plan(ctx, &whole, p, admin)
	}
	if err == nil {
		err = b.vatChange(ctx, &whole, p, erp)
	}
	if err = errors.Join(err, p.stop()); err != nil {
		return err
	}
	rows := float64(b.rows)
	b.put(&result{
		Case: "whole_way", Unit: "products/s", Ours: new(rows / took.Seconds()), CPU: new(u.cpu * 1e6 / rows), RSS: new(u.rss), Runs: 1,
		Note: fmt.Sprintf("%d products with prices, stock, texts and images (about 12 rows each), from the start of one process on an empty log to every product in the shop: %.0f s; then every row was equal to a direct query over the ERP.", b.rows, took.Seconds()),
	})
	return s.dropSlots(ctx)
}

// vatChange measures how long the shop takes to follow one row: a VAT rate that every product uses.
func (b *bench) vatChange(ctx context.Context, whole *bench, p *process, erp *pgx.Conn) error {
	touched, err := whole.count(ctx, "SELECT count(*) FROM product WHERE vat_rate = 25")
	if err != nil {
		return err
	}
	before, began := p.usage(), time.Now()
	if _, err := erp.Exec(ctx, "UPDATE vat_rate SET rate = 26 WHERE vat_code = 1"); err != nil {
		return fmt.Errorf("change a VAT rate: %w", err)
	}
	err = p.poll(ctx, "every price under the new rate", 15*time.Minute, 250*time.Millisecond, func() (bool, error) {
		n, err := whole.count(ctx, "SELECT count(*) FROM product WHERE vat_rate = 26")
		return n >= touched, err
	})
	took := time.Since(began)
	if err == nil {
		err = whole.equal(ctx, erp)
	}
	if err != nil {
		return err
	}
	u := p.usage()
	products := float64(touched)
	b.put(&result{
		Case: "vat_change", Unit: "products/s", Ours: new(products / took.Seconds()), CPU: new((u.cpu - before.cpu) * 1e6 / products), RSS: new(u.rss), Runs: 1,
		Note: fmt.Sprintf("One row of the VAT table changes, and with it the price of %d products: %.0f s from the commit to the last of them in the shop; then every row was equal to a direct query over the ERP. RSS is the process's peak since the plan before it began.", touched, took.Seconds()),
	})
	return nil
}

func (b *bench) equal(ctx context.Context, erp *pgx.Conn) error {
	shop, err := sql.Open("mysql", b.servers.myDSN)
	if err != nil {
		return err
	}
	defer shop.Close()
	zone, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		return err
	}
	c, err := demo.Await(ctx, erp, shop, zone, 2*time.Minute)
	if err == nil && !c.Equal() {
		err = fmt.Errorf("%d of %d rows differ, the first: %+v", c.Total, c.Rows, c.Differences[0])
	}
	return err
}

package main

import (
	"strings"

	"shelfstream/internal/demo/pages"
	"shelfstream/internal/testenv"
)

// Where the demo's sites are if nobody else is there.
const (
	preferredShop = "127.0.0.1:8481"
	preferredERP  = "127.0.0.1:8482"
)

// demoSites are the pages beside the demo's pipeline.
type demoSites struct{ shop, erp *pages.Server }

// openDemoSites listens before anything is loaded, so that an address in use is a fault at once.
func openDemoSites(o *demoOptions, w *demoWorld) (*demoSites, error) {
	addr := func(asked, preferred string) (string, bool) {
		if asked == "" {
			return preferred, true
		}
		return asked, false
	}
	s := &demoSites{}
	shop := pages.ShopConfig{DB: w.shop, Orders: w.orders}
	shop.Listen, shop.Preferred = addr(o.shop, preferredShop)
	erp := pages.ERPConfig{DSN: w.erpDSN, Shop: w.shop}
	erp.Listen, erp.Preferred = addr(o.erp, preferredERP)
	var err error
	if s.shop, err = pages.OpenShop(shop); err != nil {
		return nil, err
	}
	erp.ShopURL = "http://" + s.shop.Addr()
	if s.erp, err = pages.OpenERP(erp); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// close gives back the addresses of sites that were not run, and does nothing to others.
func (s *demoSites) close() {
	for _, site := range []*pages.Server{s.shop, s.erp} {
		if site != nil {
			_ = site.Close() // it may be closed already
		}
	}
}

// chooseAdmin takes a free port for -admin host:0, so that the page's address can be printed.
func (o *demoOptions) chooseAdmin() (err error) {
	if strings.HasSuffix(o.admin, ":0") {
		o.admin, err = testenv.FreeAddr()
	}
	return err
}

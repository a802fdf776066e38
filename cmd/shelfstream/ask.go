package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"io"

	"shelfstream/transform"
)

// asker are the flags of commands that ask something of a view. A request stands in the log: whichever worker has the products finds it there, also
// one that starts later.
type asker struct {
	common
	by, why string
	json    bool
}

func (k *asker) flags(p *program, fs *flag.FlagSet) {
	k.common.flags(p, fs)
	fs.StringVar(&k.by, "by", "", "`name` of who asks; the system's user name if left out")
	fs.StringVar(&k.why, "why", "", "`reason`, which is kept with the request")
	fs.BoolVar(&k.json, "json", false, "print JSON")
}

// asked is what such a command prints as JSON.
type asked struct {
	View string `json:"view"`
	// Products is how many products the request meant when it was sent.
	Products int `json:"products"`
	transform.Signal
}

// ask sends a request to a view and says so. make sees what is parked and held now, and gives the request, how many products it means, and what to say.
func (k *asker) ask(ctx context.Context, p *program, view string, make asking) error {
	cfg, log, err := k.load(p)
	if err != nil {
		return err
	}
	if _, ok := cfg.Views.Get(view); !ok {
		return unknownName("view", view, cfg.Views.Names())
	}
	a, err := openApp(ctx, cfg, log, roleTool)
	if err != nil {
		return err
	}
	done, say, err := k.send(ctx, a, view, make)
	if err := errors.Join(err, a.Close()); err != nil {
		return err
	}
	if k.json {
		return printJSON(p.stdout, done)
	}
	_, err = io.WriteString(p.stdout, plain(say)+"\n")
	return err
}

func (k *asker) send(ctx context.Context, a *app, view string, make asking) (*asked, string, error) {
	products, err := transform.ReadParked(ctx, a.client, a.cfg.Name, view)
	if err != nil {
		return nil, "", err
	}
	s, n, say, err := make(a, products)
	if err != nil {
		return nil, "", err
	}
	s.By, s.Why, s.At = cmp.Or(k.by, userName()), k.why, now()
	if err := transform.SendSignal(ctx, a.client, a.cfg.Name, view, s); err != nil {
		return nil, "", err
	}
	return &asked{View: view, Products: n, Signal: s}, say, nil
}

// reason refuses a request that says no reason.
func (k *asker) reason(example string) error {
	if k.why == "" {
		return usage("-why is missing", "say why, for those who read it later: "+example)
	}
	return nil
}

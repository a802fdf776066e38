package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"shelfstream/internal/config"
	"shelfstream/status"
	"shelfstream/status/escalate"
	"shelfstream/status/exchange"
	"shelfstream/status/notify"
)

// maxCommand is for a command whose section says nothing.
const maxCommand = 30 * time.Second

func alertsTestCommand() command {
	return command{
		name: "alerts test", summary: "send a test message to a person, a group or a channel",
		help: `
Sends one message over each channel of the person (or of everybody in the group), and says for each whether it was taken, and if not what to do.
With -by only over that channel. A real message goes over the first channel that takes it. Nothing has to run for it.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var c common
			var to, by string
			c.flags(p, fs)
			fs.StringVar(&to, "to", "", "`name` of a person, a group or a channel of the configuration")
			fs.StringVar(&by, "by", "", "only this `channel`")
			return func(ctx context.Context, args []string) error {
				if err := noArguments("alerts test", args); err != nil {
					return err
				}
				cfg, log, err := c.load(p)
				if err != nil {
					return err
				}
				return testAlerts(ctx, p, cfg.Pipeline, log, to, by)
			}
		},
	}
}

func testAlerts(ctx context.Context, p *program, cfg *config.Pipeline, log *slog.Logger, to, by string) error {
	names := slices.Concat(cfg.Alerts.People.Names(), cfg.Alerts.Groups.Names(), cfg.Alerts.Channels.Names())
	if to == "" {
		return usage("alerts test wants to know whom to tell", "shelfstream alerts test -to NAME; "+knownNames(names))
	}
	if !slices.Contains(names, to) {
		return unknownName("person, group or channel", to, names)
	}
	if by != "" && !slices.Contains(cfg.Alerts.Channels.Names(), by) {
		return unknownName("channel", by, cfg.Alerts.Channels.Names())
	}
	policies, err := alertPolicies(cfg)
	if err != nil {
		return err
	}
	var signer *notify.Signer
	if cfg.Alerts.URL != "" { // whether its key can be had is part of the test
		if signer, err = alertSigner(cfg); err != nil {
			return err
		}
	}
	took := &lastExchange{}
	notifier, err := alertNotifier(cfg, notify.Config{Exchanges: took, Signer: signer, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	log.Debug("sending test messages", "to", to)
	var failed []error
	sent := 0
	at := now()
	for _, person := range cfg.Alerts.MembersOf(to) {
		for _, channel := range policies.Channels(person) {
			if by != "" && channel != by {
				continue
			}
			sent++
			m := escalate.Message{ID: fmt.Sprintf("test/%s/%s/%d", person, channel, at.UnixMilli()), Reason: escalate.Opened, Person: person, Channels: []string{channel}}
			_, err := notifier.Deliver(ctx, m, testContent(cfg, to, at))
			if err != nil {
				failed = append(failed, err)
				_, _ = fmt.Fprintf(p.stdout, "%s by %s: NOT sent\n", plain(person), plain(channel))
				continue
			}
			_, _ = fmt.Fprintf(p.stdout, "%s by %s: sent in %s\n", plain(person), plain(channel), status.Duration(took.took))
		}
	}
	if sent == 0 {
		return usage(fmt.Sprintf("%s is not reached by the channel %s", to, by), "leave out -by, or add the channel to 'reach' in alerts.people")
	}
	return errors.Join(failed...)
}

func knownNames(names []string) string {
	if len(names) == 0 {
		return "the configuration has nobody in alerts.people yet"
	}
	return "one of " + strings.Join(names, ", ")
}

func testContent(cfg *config.Pipeline, to string, at time.Time) notify.Content {
	return notify.Content{
		Pipeline: cfg.Name, Severity: string(escalate.Warning), Link: "alerts test", Kind: "test", Opened: at,
		What: "this is a test: nothing is wrong", Where: "shelfstream alerts test -to " + to, Fix: "nothing; whoever reads this is reached",
	}
}

// lastExchange remembers how long the last attempt took.
type lastExchange struct{ took time.Duration }

func (l *lastExchange) Add(e exchange.Exchange) { l.took = e.Took }

package main

import (
	"cmp"
	"path/filepath"

	"shelfstream/internal/config"
	"shelfstream/status/escalate"
	"shelfstream/status/notify"
)

// alertCalendars makes the working hours of a configuration, by name.
func alertCalendars(cfg *config.Pipeline) (map[string]*escalate.Calendar, error) {
	calendars := map[string]*escalate.Calendar{}
	for _, c := range cfg.Alerts.Calendars {
		made, err := escalate.NewCalendar(cfg.Zone, c.Value.Open, c.Value.Holidays)
		if err != nil {
			return nil, err
		}
		calendars[c.Name] = made
	}
	return calendars, nil
}

// alertPolicies says who is told of what.
func alertPolicies(cfg *config.Pipeline) (*escalate.Policies, error) {
	a := &cfg.Alerts
	calendars, err := alertCalendars(cfg)
	if err != nil {
		return nil, err
	}
	c := escalate.Config{Groups: map[string][]string{}, Channels: a.Channels.Names(), Calendars: calendars, Data: a.Order, Most: a.Throttle.Messages, Within: a.Throttle.Within}
	for _, p := range a.People {
		person := escalate.Person{Name: p.Name}
		for _, r := range p.Value.Reach {
			person.Channels = append(person.Channels, r.Channel)
		}
		c.People = append(c.People, person)
	}
	for _, g := range a.Groups {
		c.Groups[g.Name] = g.Value
	}
	for _, r := range a.Policies {
		p := escalate.Policy{Name: r.Name, Data: r.When.Data, Links: r.When.Link, Every: r.Repeat.Every, Times: r.Repeat.Times, Again: r.Again}
		for _, s := range r.When.Severity {
			p.Severities = append(p.Severities, escalate.Severity(s))
		}
		for _, s := range r.Steps {
			p.Steps = append(p.Steps, escalate.Step{After: s.After, To: s.To, By: s.By, Hours: s.Hours})
		}
		c.Policies = append(c.Policies, p)
	}
	return escalate.New(c)
}

// alertSigner makes and checks the links that acknowledge. Without a key in the configuration one is made in state.dir.
func alertSigner(cfg *config.Pipeline) (*notify.Signer, error) {
	key := []byte(cfg.Alerts.LinkKey)
	if len(key) == 0 {
		var err error
		if key, err = notify.LoadKey(filepath.Join(cfg.StateDir(), "link.key")); err != nil {
			return nil, err
		}
	}
	return notify.NewSigner(key, cfg.Alerts.LinkValid), nil
}

// alertNotifier has the configuration's channels and people. base is for what the configuration does not say: the exchanges' log, the clock, the logger,
// the name of the process, and the signer (nil: messages have no links that acknowledge).
func alertNotifier(cfg *config.Pipeline, base notify.Config) (*notify.Notifier, error) {
	base.Channels, base.Addresses = map[string]notify.Channel{}, map[string]map[string]string{}
	base.URL, base.Mask = cfg.Alerts.URL, cfg.Redact
	for _, c := range cfg.Alerts.Channels {
		made, err := alertChannel(cfg, c.Name, &c.Value)
		if err != nil {
			return nil, err
		}
		base.Channels[c.Name] = made
		base.Addresses[c.Name] = map[string]string{c.Name: ""} // told itself
	}
	for _, p := range cfg.Alerts.People {
		addresses := map[string]string{}
		for _, r := range p.Value.Reach {
			addresses[r.Channel] = r.Address
		}
		base.Addresses[p.Name] = addresses
	}
	return notify.New(base), nil
}

func alertChannel(cfg *config.Pipeline, name string, c *config.Channel) (notify.Channel, error) {
	switch {
	case c.SMTP != nil:
		ca := c.SMTP.CA
		if ca != "" {
			ca = cfg.Path(ca)
		}
		return notify.NewMail(notify.MailConfig{
			Name: name, Host: c.SMTP.Host, Port: c.SMTP.Port, TLS: c.SMTP.TLS, CAFile: ca, User: c.SMTP.User, Password: c.SMTP.Password,
			From: c.SMTP.From, To: c.SMTP.To, Timeout: c.SMTP.Timeout,
		})
	case c.Webhook != nil:
		return notify.NewWebhook(notify.WebhookConfig{Name: name, URL: c.Webhook.URL, Form: c.Webhook.Form, Headers: c.Webhook.Headers, Timeout: c.Webhook.Timeout})
	}
	return notify.NewCommand(notify.CommandConfig{Name: name, Run: c.Command.Run, Env: c.Command.Env, Timeout: cmp.Or(c.Command.Timeout, maxCommand)}), nil
}

package main

import (
	"path/filepath"
	"strings"
	"sync"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status"
	"shelfstream/status/escalate"
	"shelfstream/status/incident"
	"shelfstream/status/notify"
)

// alerts is what a process that runs stages tells people with. It is there before the log answers: alone does without.
type alerts struct {
	signer   *notify.Signer // of the links in messages; nil: nobody is told
	policies *escalate.Policies
	notifier *notify.Notifier
	alone    *incident.Alone

	mu     sync.Mutex
	stages func() []status.Stage
	quiet  func() (time.Duration, bool, *fault.Fault)
}

// openAlerts reads what was told while the log did not answer, and makes the channels.
func (a *app) openAlerts() (err error) {
	t := &alerts{}
	t.watch(func() []status.Stage { return nil }, func() (time.Duration, bool, *fault.Fault) { return 0, false, nil })
	cfg := incident.AloneConfig{
		Pipeline: a.cfg.Name, Worker: a.worker, Rules: a.cfg.incidentRules(), File: filepath.Join(a.cfg.StateDir(), "alone-"+a.role.String()+".json"),
		Stages: func() []status.Stage {
			t.mu.Lock()
			defer t.mu.Unlock()
			return t.stages()
		},
		Log: func() (time.Duration, bool, *fault.Fault) {
			t.mu.Lock()
			defer t.mu.Unlock()
			return t.quiet()
		},
		Mask: a.cfg.Redact, Logger: a.log,
	}
	if len(a.cfg.Alerts.Policies) > 0 {
		if t.signer, err = alertSigner(a.cfg.Pipeline); err != nil {
			return err
		}
		if t.policies, err = alertPolicies(a.cfg.Pipeline); err != nil {
			return err
		}
		if t.notifier, err = alertNotifier(a.cfg.Pipeline, notify.Config{Signer: t.signer, Exchanges: a.exchanges(), Worker: a.worker, Logger: a.log}); err != nil {
			return err
		}
		cfg.Policies, cfg.Notifier = t.policies, t.notifier
	}
	t.alone = incident.NewAlone(cfg)
	a.alerts = t
	return nil
}

// ahead says who is told next of an incident, and when: "boss is told at 09:33:00, unless somebody takes it on"; "" if nobody is.
func (t *alerts) ahead(i *incident.Incident, now time.Time, zone *time.Location) string {
	if t.policies == nil || !i.Open() || i.Behind != "" {
		return ""
	}
	at, people := t.policies.Ahead(i.Subject(), i.Escalation, now)
	if len(people) == 0 {
		return ""
	}
	form := time.TimeOnly
	if at.In(zone).Format(time.DateOnly) != now.In(zone).Format(time.DateOnly) {
		form = "Monday 2 January 15:04"
	}
	is, unless := "is", "unless somebody takes it on"
	if len(people) > 1 {
		is = "are"
	}
	if !i.Acked.IsZero() {
		unless = "if it is still there then"
	}
	return strings.Join(people, ", ") + " " + is + " told at " + at.In(zone).Format(form) + ", " + unless
}

// watch says where to look from now on.
func (t *alerts) watch(stages func() []status.Stage, quiet func() (time.Duration, bool, *fault.Fault)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stages, t.quiet = stages, quiet
}

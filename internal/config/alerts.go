package config

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Alerts says what counts as an incident beyond faults, and who is told of incidents.
type Alerts struct {
	URL       string           `yaml:"url" doc:"Address of the status page as people reach it, for links in messages."`
	LinkKey   string           `yaml:"link_key" secret:"true" doc:"Key that signs the links which acknowledge, the same for every process; best as ${NAME} or file:/path. None: one is made in state.dir, which does for a single machine."`
	LinkValid time.Duration    `yaml:"link_valid" doc:"How long such a link counts."`
	Lag       time.Duration    `yaml:"lag" doc:"A stage further behind than this is an incident; 0s = never."`
	History   History          `yaml:"history" doc:"How long resolved incidents are kept."`
	Throttle  Throttle         `yaml:"throttle" doc:"How many messages a person gets; what is more is summed up in one."`
	Order     []string         `yaml:"order" doc:"Kinds of data, the most urgent first: when several messages are due theirs goes out first."`
	Data      Map[string]      `yaml:"data" doc:"The kind of data of a link: 'sink shop: order', 'source erp: price', 'view product: product'. A view that is not named here has its own name as kind, a sink that of its only view."`
	Calendars Map[Calendar]    `yaml:"calendars" doc:"Working hours, by name, in the pipeline's time zone; 'always' is there by itself."`
	Channels  Map[Channel]     `yaml:"channels" doc:"Ways to reach people, by name."`
	People    Map[Contact]     `yaml:"people" doc:"Who can be told, by name; the same names as in admin.users, if those people acknowledge."`
	Groups    Map[[]string]    `yaml:"groups" doc:"Several people under one name."`
	Policies  []EscalationRule `yaml:"policies" doc:"Who is told of what; the first that matches counts."`
	Expect    []Expectation    `yaml:"expect" doc:"What has to come: if it stays away that is an incident."`
}

// SetDefaults is what holds without the section: incidents are found and shown, and nobody is told.
func (a *Alerts) SetDefaults() {
	a.LinkValid = 7 * 24 * time.Hour
	a.Lag = 10 * time.Minute
	a.History = History{Keep: 500, For: 30 * 24 * time.Hour}
	a.Throttle = Throttle{Messages: 10, Within: 15 * time.Minute}
	a.Order = []string{"order", "price", "stock", "product", "image"}
}

// History is how much is kept of what is over.
type History struct {
	Keep int           `yaml:"keep" doc:"So many resolved incidents at most."`
	For  time.Duration `yaml:"for" doc:"None older than this."`
}

// Throttle bounds the messages a person gets.
type Throttle struct {
	Messages int           `yaml:"messages" doc:"So many messages a person …; 0 = as many as there are."`
	Within   time.Duration `yaml:"within" doc:"… in this time, over all incidents."`
}

// Calendar is working time.
type Calendar struct {
	Open     []string `yaml:"open" required:"true" doc:"Weekdays and times: [mon-thu 08:00-16:00, fri 08:00-15:00]; an end before the start is the next morning's."`
	Holidays []string `yaml:"holidays" doc:"Days without working time: 2026-12-24, or 12-25 for each year."`
}

// Contact is a person who can be told.
type Contact struct {
	Reach []Reach `yaml:"reach" required:"true" doc:"Channels in the order to try them, with the person's address there: {mail: anna@example.com}; the channel alone where it needs none."`
}

// Reach is a channel and somebody's address on it, which may be empty.
type Reach struct{ Channel, Address string }

func (r *Reach) decodeNode(d *decoder, n *yaml.Node, path string) {
	switch {
	case n.Kind == yaml.ScalarNode && !isNull(n):
		r.Channel = n.Value
	case n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[1].Kind == yaml.ScalarNode:
		r.Channel, r.Address = n.Content[0].Value, n.Content[1].Value
	default:
		d.fail(n, path, "wants a channel, and there is "+describe(n), "write {mail: anna@example.com}, or the channel's name alone")
	}
}

func (r Reach) printNode(p *printer, path string) *yaml.Node {
	if r.Address == "" {
		return text(r.Channel)
	}
	n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	address := r.Address
	if original, ok := p.originals[join(path, r.Channel)]; ok {
		address = original
	}
	add(n, r.Channel, text(address))
	return n
}

func (r Reach) schema(*generator) object {
	return object{"oneOf": []object{
		{"type": "string"},
		{"type": "object", "additionalProperties": object{"type": orNumber("string")}, "minProperties": 1, "maxProperties": 1},
	}}
}

// EscalationRule is one policy: for which incidents, who is told, and when.
type EscalationRule struct {
	Name   string         `yaml:"name" required:"true" doc:"What messages and the status page call it."`
	When   Matcher        `yaml:"when" doc:"Which incidents it is for; all if left out."`
	Steps  []EscalateStep `yaml:"steps" required:"true" doc:"Who is told, one step after the other, until somebody acknowledges."`
	Repeat Repeat         `yaml:"repeat" doc:"Begin the steps anew while nobody has acknowledged."`
	Again  time.Duration  `yaml:"again" doc:"Begin them anew if an incident was acknowledged so long ago and is not solved; 0s = never."`
}

// Matcher chooses incidents.
type Matcher struct {
	Severity []string `yaml:"severity" doc:"critical, error, warning; any if left out."`
	Data     []string `yaml:"data" doc:"Kinds of data; any if left out."`
	Link     []string `yaml:"link" doc:"Links, such as 'sink shop'; any if left out."`
}

// EscalateStep tells some people.
type EscalateStep struct {
	After time.Duration `yaml:"after" doc:"So long after the step before it; of the first step, after the incident was opened."`
	To    []string      `yaml:"to" required:"true" doc:"People, groups, or channels that are told themselves, such as a chat room."`
	By    []string      `yaml:"by" doc:"Channels to try first; the people's other ones come after them."`
	Hours string        `yaml:"hours" doc:"Calendar: outside its working time the step waits."`
}

// Repeat begins a policy's steps anew.
type Repeat struct {
	Every time.Duration `yaml:"every" doc:"So long after the last step."`
	Times int           `yaml:"times" doc:"So many times at most; 0 = until somebody acknowledges or it is solved."`
}

// Expectation is something that has to come.
type Expectation struct {
	From     string        `yaml:"from" required:"true" doc:"The table, source.table, or the view whose newest record counts."`
	Within   time.Duration `yaml:"within" required:"true" doc:"So much time, of the calendar's if one is named, may pass without a new record."`
	Hours    string        `yaml:"hours" doc:"Calendar whose working time counts."`
	Severity string        `yaml:"severity" enum:"critical,error,warning" doc:"How bad it is if nothing comes."`
	Name     string        `yaml:"name" doc:"What the incident says is missing, e.g. 'orders of the web shop'."`
}

// SetDefaults makes silence an error.
func (e *Expectation) SetDefaults() { e.Severity = "error" }

// DataOf is the kind of data of a link ("source erp", "view product", "sink shop"), "" if it has several or none is known.
func (p *Pipeline) DataOf(link string) string {
	if kind, ok := p.Alerts.Data.Get(link); ok {
		return *kind
	}
	kind, name, _ := strings.Cut(link, " ")
	switch kind {
	case "view":
		if of, ok := p.AnswersOf(name); ok {
			return p.DataOf("sink " + of)
		}
		return name
	case "sink":
		s, ok := p.Sinks.Get(name)
		if !ok {
			return ""
		}
		if views := s.Views(); len(views) == 1 {
			return p.DataOf("view " + views[0])
		}
	}
	return ""
}

// Links lists the sources, views and sinks as links are called.
func (p *Pipeline) Links() []string {
	var out []string
	for _, of := range []struct {
		kind  string
		names []string
	}{{"source ", p.Sources.Names()}, {"view ", p.Views.Names()}, {"sink ", p.Sinks.Names()}} {
		for _, name := range of.names {
			out = append(out, of.kind+name)
		}
	}
	return out
}

// MembersOf gives the people and channels behind a name that a step or a command may use, each once; nil if there is no such name.
func (a *Alerts) MembersOf(name string) []string {
	members := []string{name}
	if group, ok := a.Groups.Get(name); ok {
		members = *group
	}
	var out []string
	for _, m := range members {
		_, isPerson := a.People.Get(m)
		_, isChannel := a.Channels.Get(m)
		if (isPerson || isChannel) && !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

package escalate

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Config is everything that Policies are made of. Names of people, groups and channels are of one kind: each stands for one thing.
type Config struct {
	People []Person
	// Groups has the people (or channels) of each group.
	Groups map[string][]string
	// Channels are those that a step may name instead of a person.
	Channels []string
	// Calendars has the hours that steps name.
	Calendars map[string]*Calendar
	// Policies are tried in order: the first that matches counts.
	Policies []Policy
	// Data has the kinds of data, the most urgent first: when several messages are due theirs goes out first. DefaultData if nil.
	Data []string
	// Most is how many messages a person gets Within this time, over all incidents; 0: no limit.
	Most   int
	Within time.Duration
	// Owner tells this keeper from those before it; made up if empty.
	Owner string
}

// DefaultData are the kinds of data in order of urgency.
var DefaultData = []string{"order", "price", "stock", "product", "image"}

// Person is somebody who can be told.
type Person struct {
	Name     string
	Channels []string // in order of preference
}

// Policy says who is told of some incidents.
type Policy struct {
	Name string
	// Severities, Data and Links are what it is for; an empty list is all.
	Severities []Severity
	Data       []string
	Links      []string
	Steps      []Step
	// Every begins the steps anew so long after the last step, at most Times times; Every 0: never, Times 0: until it is acknowledged or resolved.
	Every time.Duration
	Times int
	// Again begins them anew if an incident was acknowledged so long ago and is not resolved; 0: never.
	Again time.Duration
}

// Step tells some people.
type Step struct {
	// After counts from the step before, of the first step from the opening, or from Every or Again being over.
	After time.Duration
	// To are people, groups and channels.
	To []string
	// By are the channels to try first; a person's others come after them. Empty: the person's own order.
	By []string
	// Hours is the calendar in whose working time it may fire; empty or Always: at any time.
	Hours string
}

// Policies decide. They hold nothing that changes, and are safe for use by several goroutines.
type Policies struct {
	cfg    Config
	people map[string][]string // name -> channels
	owner  string
}

// New checks that all names are known. The error names the first that is not.
func New(cfg Config) (*Policies, error) {
	if cfg.Data == nil {
		cfg.Data = DefaultData
	}
	p := &Policies{cfg: cfg, people: map[string][]string{}, owner: cfg.Owner}
	if p.owner == "" {
		p.owner = rand.Text()
	}
	for _, person := range cfg.People {
		if len(person.Channels) == 0 {
			return nil, fmt.Errorf("%q has no channel", person.Name)
		}
		p.people[person.Name] = person.Channels
	}
	for _, c := range cfg.Channels {
		if _, ok := p.people[c]; ok {
			return nil, fmt.Errorf("%q is a person and a channel", c)
		}
		p.people[c] = []string{c}
	}
	seen := map[string]bool{}
	for i := range cfg.Policies {
		policy := &cfg.Policies[i]
		if policy.Name == "" || seen[policy.Name] {
			return nil, fmt.Errorf("policy %d has no name of its own", i+1)
		}
		seen[policy.Name] = true
		if len(policy.Steps) == 0 {
			return nil, fmt.Errorf("policy %q has no steps", policy.Name)
		}
		for _, s := range policy.Steps {
			if s.Hours != "" && s.Hours != Always && cfg.Calendars[s.Hours] == nil {
				return nil, fmt.Errorf("policy %q: there is no calendar %q", policy.Name, s.Hours)
			}
			for _, name := range s.To {
				if _, err := p.Resolve(name); err != nil {
					return nil, fmt.Errorf("policy %q: %w", policy.Name, err)
				}
			}
		}
	}
	return p, nil
}

// Resolve gives the people (or channels) behind a name: itself, or the members of a group, each once.
func (p *Policies) Resolve(name string) ([]string, error) {
	members, isGroup := p.cfg.Groups[name]
	if !isGroup {
		members = []string{name}
	}
	var out []string
	for _, m := range members {
		if _, ok := p.people[m]; !ok {
			return nil, fmt.Errorf("there is no person, group or channel %q", m)
		}
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out, nil
}

// Channels are those of a person in the order in which to try them: first the given ones that the person has, then the others.
func (p *Policies) Channels(person string, first ...string) []string {
	own := p.people[person]
	var out []string
	for _, c := range slices.Concat(first, own) {
		if slices.Contains(own, c) && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// Match finds the policy for an incident, nil if there is none.
func (p *Policies) Match(s Subject) *Policy {
	has := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	for i := range p.cfg.Policies {
		policy := &p.cfg.Policies[i]
		if (len(policy.Severities) == 0 || slices.Contains(policy.Severities, s.Severity)) && has(policy.Data, s.Data) && has(policy.Links, s.Link) {
			return policy
		}
	}
	return nil
}

// Compare orders incidents by urgency: by kind of data (what concerns all of it first, kinds that are not in the list last), then severity, then age.
func (p *Policies) Compare(a, b Subject) int {
	return cmp.Or(cmp.Compare(p.rank(a.Data), p.rank(b.Data)), cmp.Compare(a.Severity.rank(), b.Severity.rank()), a.Opened.Compare(b.Opened), strings.Compare(a.ID, b.ID))
}

func (p *Policies) rank(data string) int {
	if data == "" {
		return -1
	}
	if i := slices.Index(p.cfg.Data, data); i >= 0 {
		return i
	}
	return len(p.cfg.Data)
}

// rank is 0 for the worst.
func (s Severity) rank() int {
	switch s {
	case Critical:
		return 0
	case Error:
		return 1
	case Warning:
	}
	return 2
}

func (p *Policies) calendar(name string) *Calendar { return p.cfg.Calendars[name] }

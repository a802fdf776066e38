package config

import (
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Severities of incidents, worst first.
var severities = []string{"critical", "error", "warning"}

// alerts checks that the names of the section fit together and its texts can be read.
func (v *validator) alerts() {
	a := &v.p.Alerts
	if a.URL != "" && !webAddress(a.URL) {
		v.fail([]string{"alerts", "url"}, fmt.Sprintf("%q is not a web address", a.URL), "write the page's address as people reach it, e.g. https://shelfstream.example.com")
	}
	if a.LinkKey != "" && len(a.LinkKey) < 16 {
		v.fail([]string{"alerts", "link_key"}, "it has fewer than 16 characters, so it can be guessed", "use at least 16 characters, e.g. of 'openssl rand -hex 32', or remove it")
	}
	if a.LinkValid <= 0 {
		v.fail([]string{"alerts", "link_valid"}, "links that never count are of no use", "write e.g. 7d")
	}
	if a.History.Keep < 0 || a.History.Keep > 10_000 {
		v.fail([]string{"alerts", "history", "keep"}, fmt.Sprintf("%d resolved incidents are not possible", a.History.Keep), "write a number from 0 to 10000; 500 is the default")
	}
	if a.Throttle.Messages < 0 || a.Throttle.Messages > 0 && a.Throttle.Within <= 0 {
		v.fail([]string{"alerts", "throttle"}, "a number of messages and a time are wanted", "write {messages: 10, within: 15m}, or {messages: 0} for no limit")
	}
	for i := range a.Data {
		if a.Data[i].Value == "" {
			v.fail([]string{"alerts", "data", a.Data[i].Name}, "the kind of data is missing", "write e.g. order, price, product")
		}
		v.known([]string{"alerts", "data", a.Data[i].Name}, "link", a.Data[i].Name, v.p.Links())
	}
	for i := range a.Calendars {
		v.calendar(&a.Calendars[i])
	}
	for i := range a.Channels {
		v.channel(&a.Channels[i])
	}
	v.people()
	for i := range a.Policies {
		v.policy(i)
	}
	for i := range a.Expect {
		v.expect(i)
	}
}

func webAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// known reports a name that is not in the list.
func (v *validator) known(path []string, kind, name string, names []string) bool {
	if slices.Contains(names, name) {
		return true
	}
	names = unique(names)
	what, fix := fmt.Sprintf("there is no %s %q", kind, name), "write one of "+strings.Join(names, ", ")
	if near := Nearest(name, names); near != "" {
		what += fmt.Sprintf(", did you mean %q?", near)
	}
	if len(names) == 0 {
		fix = "describe it under alerts: first"
	}
	v.fail(path, what, fix)
	return false
}

func unique(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func (v *validator) calendar(c *Named[Calendar]) {
	path := []string{"alerts", "calendars", c.Name}
	if c.Name == "always" {
		v.fail(path, "the name always is taken by what has no closing time", "write another name, such as office")
	}
	for i, text := range c.Value.Open {
		if !openRange(text) {
			v.fail(append(path, "open", entry(i)), fmt.Sprintf("%q is no working time", text), "write weekdays and times: mon-fri 08:00-17:00, or sat 10:00-14:00")
		}
	}
	for i, text := range c.Value.Holidays {
		_, errDate := time.Parse(time.DateOnly, text)
		_, errDay := time.Parse(time.DateOnly, "2024-"+text)
		if errDate != nil && errDay != nil {
			v.fail(append(path, "holidays", entry(i)), fmt.Sprintf("%q is no date", text), "write 2026-12-24, or 12-25 for each year")
		}
	}
}

// openRange says whether package escalate can read a range; a test of cmd/shelfstream holds the two together.
func openRange(text string) bool {
	days, times, ok := strings.Cut(strings.TrimSpace(text), " ")
	from, to, okTimes := strings.Cut(strings.TrimSpace(times), "-")
	first, last, isRange := strings.Cut(strings.ToLower(days), "-")
	if !isRange {
		last = first
	}
	week := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	a, okFrom := timeOfDay(from)
	b, okTo := timeOfDay(to)
	return ok && okTimes && okFrom && okTo && slices.Contains(week, first) && slices.Contains(week, last) && a != b && a != 24*60
}

// timeOfDay reads "08:30" as minutes from midnight.
func timeOfDay(text string) (int, bool) {
	h, m, ok := strings.Cut(strings.TrimSpace(text), ":")
	hour, errHour := strconv.Atoi(h)
	minute, errMinute := strconv.Atoi(m)
	at := hour*60 + minute
	return at, ok && errHour == nil && errMinute == nil && len(m) == 2 && hour >= 0 && minute >= 0 && minute < 60 && at <= 24*60
}

func (v *validator) channel(c *Named[Channel]) {
	path := []string{"alerts", "channels", c.Name}
	ways := 0
	for _, set := range []bool{c.Value.SMTP != nil, c.Value.Webhook != nil, c.Value.Command != nil} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		v.fail(path, "a channel is one of smtp, webhook and command", "write {smtp: {host: …, from: …}}, {webhook: {url: …}} or {command: {run: [program]}}")
	}
	if s := c.Value.SMTP; s != nil {
		v.smtp(append(path, "smtp"), s)
	}
	if w := c.Value.Webhook; w != nil {
		if w.URL != "" && w.URL != Masked && !webAddress(w.URL) {
			v.fail(append(path, "webhook", "url"), "this is not a web address", "write http://host/path or https://…")
		}
		if w.Timeout <= 0 || w.Timeout > maxTimeout {
			v.fail(append(path, "webhook", "timeout"), timeoutWhat, timeoutFix)
		}
	}
	if cmd := c.Value.Command; cmd != nil && (cmd.Timeout <= 0 || cmd.Timeout > maxTimeout) {
		v.fail(append(path, "command", "timeout"), timeoutWhat, timeoutFix)
	}
}

// A message goes on to the next channel within this time.
const (
	maxTimeout  = time.Minute
	timeoutWhat = "a message cannot wait so long for its next channel, or not at all"
	timeoutFix  = "write a time from 1s to 1m"
)

func (v *validator) smtp(path []string, s *SMTP) {
	if s.From != "" && s.From != Masked {
		if _, err := mail.ParseAddress(s.From); err != nil {
			v.fail(append(path, "from"), fmt.Sprintf("%q is no mail address", s.From), "write alerts@example.com, or 'Shelfstream <alerts@example.com>'")
		}
	}
	for i, to := range s.To {
		v.mailAddress(append(path, "to", entry(i)), to)
	}
	if s.Port < 0 || s.Port > 65535 {
		v.fail(append(path, "port"), fmt.Sprintf("there is no port %d", s.Port), "write 587, 465 or 25, or remove it")
	}
	if (s.User == "") != (s.Password == "") {
		v.fail(path, "user and password belong together", "write both, or neither")
	}
	if s.User != "" && s.TLS == "none" {
		v.fail(append(path, "tls"), "the password would go over the line in the clear", "write starttls or tls, or remove user and password")
	}
	if s.CA != "" {
		v.exists(append(path, "ca"), s.CA)
	}
	if s.Timeout <= 0 || s.Timeout > maxTimeout {
		v.fail(append(path, "timeout"), timeoutWhat, timeoutFix)
	}
}

func (v *validator) mailAddress(path []string, text string) {
	if a, err := mail.ParseAddress(text); err != nil || a.Address == "" {
		v.fail(path, fmt.Sprintf("%q is no mail address", text), "write anna@example.com")
	}
}

// people checks people and groups: the names of people, groups and channels stand side by side in a step's 'to'.
func (v *validator) people() {
	a := &v.p.Alerts
	kinds := map[string]string{}
	for _, c := range a.Channels.Names() {
		kinds[c] = "channel"
	}
	take := func(section, kind, name string) {
		if other, ok := kinds[name]; ok {
			v.fail([]string{"alerts", section, name}, fmt.Sprintf("a %s has this name too, and a step could mean either", other), "rename one of the two")
			return
		}
		kinds[name] = kind
	}
	for i := range a.People {
		person := &a.People[i]
		take("people", "person", person.Name)
		var seen []string
		for j, r := range person.Value.Reach {
			path := []string{"alerts", "people", person.Name, "reach", entry(j)}
			if r.Channel == "" || !v.known(path, "channel", r.Channel, a.Channels.Names()) {
				continue
			}
			if slices.Contains(seen, r.Channel) {
				v.fail(path, "the channel "+r.Channel+" stands here twice", "keep one of the two")
			}
			seen = append(seen, r.Channel)
			if c, _ := a.Channels.Get(r.Channel); c.SMTP != nil {
				v.mailAddress(path, r.Address)
			}
		}
	}
	for i := range a.Groups {
		group := &a.Groups[i]
		take("groups", "group", group.Name)
		if len(group.Value) == 0 {
			v.fail([]string{"alerts", "groups", group.Name}, "nobody is in it", "write [anna, ola], or remove it")
		}
		for j, m := range group.Value {
			path := []string{"alerts", "groups", group.Name, entry(j)}
			if v.known(path, "person or channel", m, slices.Concat(a.People.Names(), a.Channels.Names())) {
				v.toldItself(path, m)
			}
		}
	}
}

// toldItself checks a channel that is told instead of a person.
func (v *validator) toldItself(path []string, name string) {
	if c, ok := v.p.Alerts.Channels.Get(name); ok && c.SMTP != nil && len(c.SMTP.To) == 0 {
		v.fail(path, "the channel "+name+" does not know whom to mail", fmt.Sprintf("add 'to: [ops@example.com]' to alerts.channels.%s.smtp, or name a person", name))
	}
}

func (v *validator) policy(i int) {
	a := &v.p.Alerts
	r := &a.Policies[i]
	path := []string{"alerts", "policies", entry(i)}
	below := func(keys ...string) []string { return slices.Concat(path, keys) }
	if r.Name != "" && slices.ContainsFunc(a.Policies[:i], func(o EscalationRule) bool { return o.Name == r.Name }) {
		v.fail(below("name"), fmt.Sprintf("another policy is called %q", r.Name), "give each a name of its own")
	}
	for j, s := range r.When.Severity {
		v.known(below("when", "severity", entry(j)), "severity", s, severities)
	}
	for j, l := range r.When.Link {
		v.known(below("when", "link", entry(j)), "link", l, v.p.Links())
	}
	for j := range r.Steps {
		s := &r.Steps[j]
		step := func(keys ...string) []string { return slices.Concat(below("steps", entry(j)), keys) }
		for k, to := range s.To {
			if v.known(step("to", entry(k)), "person, group or channel", to, slices.Concat(a.People.Names(), a.Groups.Names(), a.Channels.Names())) {
				v.toldItself(step("to", entry(k)), to)
			}
		}
		for k, by := range s.By {
			v.known(step("by", entry(k)), "channel", by, a.Channels.Names())
		}
		v.hours(step("hours"), s.Hours)
	}
	if r.Repeat.Times < 0 || r.Repeat.Times > 0 && r.Repeat.Every == 0 {
		v.fail(below("repeat"), "how often is not clear", "write {every: 1h, times: 5}, or {every: 1h} for as long as it takes")
	}
	if r.Repeat.Every > 0 && r.Repeat.Every < time.Minute {
		v.fail(below("repeat", "every"), "so many messages help nobody", "write at least 1m")
	}
}

func (v *validator) hours(path []string, name string) {
	if name != "" && name != "always" {
		v.known(path, "calendar", name, append([]string{"always"}, v.p.Alerts.Calendars.Names()...))
	}
}

func (v *validator) expect(i int) {
	e := &v.p.Alerts.Expect[i]
	path := []string{"alerts", "expect", entry(i)}
	if e.From != "" {
		from := v.p.Views.Names()
		for _, s := range v.p.Sources {
			for _, t := range s.Value.Tables.Names() {
				from = append(from, s.Name+"."+t)
			}
		}
		v.known(append(path, "from"), "table or view", e.From, from)
	}
	v.hours(append(path, "hours"), e.Hours)
}

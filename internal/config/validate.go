package config

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
)

// validator checks that what was read fits together.
type validator struct {
	p      *Pipeline
	faults fault.List
}

// Validate gives every fault of the configuration as a whole, and sets Zone.
func (p *Pipeline) Validate() fault.List {
	v := &validator{p: p}
	for i := range p.Sinks {
		p.Sinks[i].Value.views = p.Views.Names()
	}
	v.general()
	v.retries()
	v.names()
	for i := range p.Views {
		v.view(p.Views[i].Name, &p.Views[i].Value)
	}
	v.circles()
	for i := range p.Sinks {
		v.sink(p.Sinks[i].Name, &p.Sinks[i].Value)
	}
	v.alerts()
	return v.faults
}

// fail adds a fault at the value with this path, or at the nearest value around it.
func (v *validator) fail(path []string, what, fix string) {
	at, _ := v.p.nodeAt(path)
	v.failAt(at, strings.ReplaceAll(strings.Join(path, "."), ".[", "["), what, fix)
}

func (v *validator) failAt(n *yaml.Node, path, what, fix string) {
	if path != "" {
		what = path + ": " + what
	}
	v.faults.Add(&fault.Fault{Class: fault.Config, Where: place(v.p.File, n), What: what, Fix: fix})
}

func (v *validator) general() {
	p := v.p
	zone, ok := loadZone(p.Timezone)
	if p.Zone = zone; !ok {
		v.fail([]string{"timezone"}, fmt.Sprintf("there is no time zone %q", p.Timezone), "write a name of the IANA list, e.g. Europe/Oslo or UTC")
	}
	if p.Log.Partitions < 1 || p.Log.Partitions > 10_000 {
		v.fail([]string{"log", "partitions"}, fmt.Sprintf("%d partitions are not possible", p.Log.Partitions), "write a number from 1 to 10000; 4 is the default")
	}
	if p.Log.Replication < 0 || p.Log.Replication > 100 {
		v.fail([]string{"log", "replication"}, fmt.Sprintf("%d replicas are not possible", p.Log.Replication), "write 3 for a cluster, 0 for the broker's default")
	}
	if p.Log.SessionTimeout < 100*time.Millisecond || p.Log.SessionTimeout > 30*time.Minute {
		v.fail([]string{"log", "session_timeout"}, fmt.Sprintf("%v is not possible", p.Log.SessionTimeout), "write a time from 100ms to 30m; 10s is the default, and brokers as shipped refuse less than 6s")
	}
	if p.State.CacheMB < 8 || p.State.CacheMB > 1<<20 {
		v.fail([]string{"state", "cache_mb"}, fmt.Sprintf("%d MB are not possible", p.State.CacheMB), "write at least 8; 96 is the default")
	}
	for i, b := range p.Log.Brokers {
		if host, port, err := net.SplitHostPort(b); err != nil || host == "" || port == "" {
			v.fail([]string{"log", "brokers"}, fmt.Sprintf("entry %d, %q, is not host:port", i+1, b), "write e.g. kafka-1:9092")
		}
	}
	v.address([]string{"log", "listen"}, p.Log.Listen, false)
	v.address([]string{"log", "registry", "listen"}, p.Log.Registry.Listen, false)
	v.address([]string{"admin", "listen"}, p.Admin.Listen, true)
	v.adminUsers()
	if u := p.Log.Registry.URL; u != "" && !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "https://") {
		v.fail([]string{"log", "registry", "url"}, fmt.Sprintf("%q is not a web address", u), "write http://host:8081 or https://…")
	}
	if p.Log.SASL != nil && p.Log.Embedded() {
		v.fail([]string{"log", "sasl"}, "a login without brokers: the embedded log has none", "name the brokers in log.brokers, or remove sasl")
	}
	if p.Log.TLS.Enabled && p.Log.Embedded() {
		v.fail([]string{"log", "tls"}, "TLS without brokers: the embedded log has none", "name the brokers in log.brokers, or remove tls")
	}
	if (p.Log.TLS.Cert == "") != (p.Log.TLS.Key == "") {
		v.fail([]string{"log", "tls"}, "cert and key belong together", "name both files, or neither")
	}
	for _, f := range []struct{ key, name string }{{"ca", p.Log.TLS.CA}, {"cert", p.Log.TLS.Cert}, {"key", p.Log.TLS.Key}} {
		if f.name != "" {
			v.exists([]string{"log", "tls", f.key}, f.name)
		}
	}
}

func (v *validator) address(path []string, listen string, mayBeOff bool) {
	if mayBeOff && (listen == "off" || listen == "") {
		return
	}
	if _, port, err := net.SplitHostPort(listen); err != nil || port == "" {
		v.fail(path, fmt.Sprintf("%q is not an address to listen on", listen), "write host:port, e.g. 127.0.0.1:8480; port 0 takes any free port")
	}
}

func (v *validator) exists(path []string, name string) {
	full := v.p.Path(name)
	info, err := os.Stat(full)
	switch {
	case err != nil:
		v.fail(path, fmt.Sprintf("the file %s cannot be found", full), "write a path that starts at the configuration's folder, or an absolute one")
	case info.IsDir():
		v.fail(path, full+" is a folder", "name the file in it")
	}
}

var topicPart = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// maxTopic is the longest name Kafka allows.
const maxTopic = 249

// names checks that every name can be part of a topic's, and that no two topics get one name. Kafka counts "." and "_"
// as the same in that, since its metrics do.
func (v *validator) names() {
	p := v.p
	v.part([]string{"pipeline"}, p.Name)
	topics := map[string]string{}
	add := func(path []string, name string) {
		flat := strings.ReplaceAll(name, ".", "_")
		if other, ok := topics[flat]; ok {
			v.fail(path, fmt.Sprintf("its topic %s and the topic %s cannot stand side by side, since Kafka takes . and _ for the same", name, other), "rename one of the two")
			return
		}
		topics[flat] = name
		if len(name) > maxTopic {
			v.fail(path, fmt.Sprintf("its topic's name has %d characters, and Kafka allows %d", len(name), maxTopic), "shorten the names")
		}
	}
	add([]string{"pipeline"}, p.Name+"._schemas") // of the embedded registry
	for _, own := range []string{"status", "exchanges", "incidents", "requests", "audit"} {
		add([]string{"pipeline"}, p.Name+"."+own)
	}
	for i := range p.Sources {
		s := &p.Sources[i]
		v.part([]string{"sources", s.Name}, s.Name)
		prefix := p.Name + "." + s.Name
		add([]string{"sources", s.Name}, prefix+".checkpoints")
		add([]string{"sources", s.Name}, prefix+".signals")
		add([]string{"sources", s.Name}, prefix+".parked")
		for _, t := range s.Value.Tables.Names() {
			path := []string{"sources", s.Name, s.Value.Section.Kind, "tables", t}
			if t == "checkpoints" || t == "signals" || t == "parked" {
				v.fail(path, "the name "+t+" is taken by a topic of Shelfstream's own", fmt.Sprintf("write another name, and 'table: %s' below it", t))
				continue
			}
			v.part(path, t)
			add(path, prefix+"."+t)
		}
	}
	for _, name := range p.Views.Names() {
		v.part([]string{"views", name}, name)
		add([]string{"views", name}, p.Name+"."+name)
		if _, ok := p.Sources.Get(name); ok {
			v.fail([]string{"views", name}, fmt.Sprintf("a source has this name too, and each would have the topics %s.%s.parked and signals", p.Name, name), "rename one of the two")
			continue
		}
		add([]string{"views", name}, p.Name+"."+name+".parked")
		add([]string{"views", name}, p.Name+"."+name+".signals")
		if p.IsRead(name) {
			add([]string{"views", name}, p.Name+"."+name+".checkpoints")
		}
	}
	for _, name := range p.Sinks.Names() {
		v.part([]string{"sinks", name}, name)
	}
	read := map[string]bool{}
	for i := range p.Sinks {
		for _, name := range p.Sinks[i].Value.Views() {
			if of, ok := p.AnswersOf(name); ok && !read[name] {
				read[name] = true
				add([]string{"sinks", of}, p.Name+"."+name)
			}
		}
	}
}

func (v *validator) part(path []string, name string) {
	if name != "" && !topicPart.MatchString(name) {
		fix := "write letters, digits, - and _ only"
		if path[len(path)-1] == name && slices.Contains(path, "tables") {
			fix += "; the table's own name can stand below it as 'table: \"" + name + "\"'"
		}
		v.fail(path, fmt.Sprintf("%q cannot be part of a topic's name", name), fix)
	}
}

func (v *validator) sink(name string, s *Sink) {
	for _, f := range s.froms() {
		if v.answers(name, s, f) {
			continue
		}
		view := firstPart(f.node.Value)
		if _, ok := v.p.Views.Get(view); ok {
			continue
		}
		what, fix := fmt.Sprintf("there is no view %q", view), "write one of the views: "+strings.Join(v.p.Views.Names(), ", ")
		if near := Nearest(view, v.p.Views.Names()); near != "" {
			what += fmt.Sprintf(", did you mean %q?", near)
		}
		if _, sink := v.p.Sinks.Get(view); sink {
			what, fix = fmt.Sprintf("%q is neither a view nor the answers of a sink", f.node.Value), fmt.Sprintf("write %s.%s for what was answered to the sink %[1]s, or one of the views: %[3]s", view, answers, strings.Join(v.p.Views.Names(), ", "))
		} else if len(v.p.Views) == 0 {
			fix = "describe it under views:"
		}
		v.failAt(f.node, join("sinks."+name+"."+s.Section.Kind+".tables", f.table)+".from", what, fix)
	}
}

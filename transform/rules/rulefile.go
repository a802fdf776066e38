package rules

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
)

// rule is one rule as it stands in a file.
type rule struct {
	name  string
	file  *file
	at    place
	when  *expression
	place placement
	// disable removes the rule of this name that an earlier layer has.
	disable bool
	kind    kind
	// tree is the rule's YAML, for Program.Hash.
	tree *yaml.Node
}

// placement is where a new rule goes; neither word means the end.
type placement struct {
	before, after *yaml.Node
}

// kind is what a rule does: one implementation for each kind_*.go.
type kind interface {
	// compile checks the rule and gives what it does at run time. It reports faults to c and may then give nil.
	compile(c *compiler) func(m *machine)
}

// kinds are the words that say what a rule does, in the order of the documentation.
var kinds = []struct {
	word  string
	parse func(f *file, n *yaml.Node) kind
}{
	{"set", parseSet},
	{"text", parseText},
	{"pick", parsePick},
	{"vat", parseVAT},
	{"list", parseList},
	{"add", parseAdd},
	{"include", parseInclude},
	{"keep", parseKeep},
	{"final", parseFinal},
	{"park", parsePark},
	{"status", parseStatus},
}

// kindWords are the keys that say what a rule does.
func kindWords() []string {
	var words []string
	for _, k := range kinds {
		words = append(words, k.word)
	}
	return words
}

// readRules reads the rules of one file.
func readRules(src Source, faults *fault.List) []*rule {
	f, top := readFile(src, faults)
	if top == nil || isNullNode(top) {
		return nil
	}
	list := f.object(top, "the file", "rules").get("rules")
	if list == nil || isNullNode(list) {
		return nil
	}
	if list.Kind != yaml.SequenceNode {
		f.badNode(list, "rules must be a list", "begin each rule with `- name: …`")
		return nil
	}
	var out []*rule
	for _, n := range list.Content {
		r := f.rule(resolved(n))
		if r == nil {
			continue
		}
		if i := slices.IndexFunc(out, func(o *rule) bool { return o.name == r.name }); i >= 0 {
			f.bad(r.at, fmt.Sprintf("rule %s stands twice in this file, first in line %d", r.name, out[i].at.line), "give one of them another name")
			continue
		}
		out = append(out, r)
	}
	return out
}

func (f *file) rule(n *yaml.Node) *rule {
	o := f.object(n, "a rule", append(keyNames(ruleKeys), kindWords()...)...)
	r := &rule{file: f, at: place{n.Line, n.Column}, tree: n}
	if r.name = f.word(o.need("name", "name: a word by which other layers and explain call this rule"), "a rule's name"); r.name == "" {
		return nil
	}
	r.when = f.expr(o.get("when"))
	r.place = placement{before: o.get("before"), after: o.get("after")}
	if r.place.before != nil && r.place.after != nil {
		f.badNode(r.place.after, "a rule goes before or after another one, not both", "remove before or after")
	}
	if d := o.get("disable"); d != nil {
		if r.disable = d.Value == "true"; !r.disable && d.Value != "false" {
			f.badNode(d, "disable must be true or false", "write disable: true")
		}
	}
	var does []string
	for _, e := range o.entries {
		for _, k := range kinds {
			if k.word == e.name {
				does = append(does, e.name)
				r.kind = k.parse(f, e.value)
			}
		}
	}
	switch {
	case r.disable && (len(does) > 0 || r.when != nil):
		f.bad(r.at, fmt.Sprintf("rule %s is disabled and yet does something", r.name), "leave only name and disable")
	case !r.disable && len(does) == 0 && len(o.meant) == 0:
		f.bad(r.at, fmt.Sprintf("rule %s does nothing", r.name), "add one of "+strings.Join(kindWords(), ", "))
	case len(does) > 1:
		f.bad(r.at, fmt.Sprintf("rule %s does several things: %s", r.name, strings.Join(does, " and ")), "make a rule of each")
	}
	return r
}

// layered merges the rules of all files. A rule of a later file replaces the one of its name at its place, disables it, or is added:
// before or after the rule it names, or at the end. Several added after the same rule keep the order of their file.
func layered(files [][]*rule, faults *fault.List) []*rule {
	var out []*rule
	disabled := map[string]*rule{}
	for _, layer := range files {
		lastAfter := map[string]*rule{}
		for _, r := range layer {
			find := func(name string) int {
				return slices.IndexFunc(out, func(o *rule) bool { return o.name == name })
			}
			at := find(r.name)
			anchor := r.place.before
			if anchor == nil {
				anchor = r.place.after
			}
			switch {
			case r.disable && at < 0:
				r.file.bad(r.at, fmt.Sprintf("there is no rule %s to disable", r.name), didYouMean(r.name, ruleNames(out), "remove this rule"))
				continue
			case r.disable:
				out = slices.Delete(out, at, at+1)
				disabled[r.name] = r
				continue
			case anchor == nil && at >= 0:
				out[at] = r
				continue
			case anchor == nil:
				out = append(out, r)
				continue
			case at >= 0:
				out = slices.Delete(out, at, at+1)
			}
			name := r.file.word(anchor, "before and after")
			if at = find(name); at < 0 {
				fix := didYouMean(name, ruleNames(out), "name a rule of an earlier layer, or one that stands above")
				if d := disabled[name]; d != nil {
					fix = fmt.Sprintf("it is disabled in %s; name another rule", d.file.where(d.at))
				}
				r.file.badNode(anchor, fmt.Sprintf("there is no rule %s", name), fix)
				out = append(out, r)
				continue
			}
			if r.place.after != nil {
				if l := lastAfter[name]; l != nil {
					at = find(l.name)
				}
				lastAfter[name] = r
				at++
			}
			out = slices.Insert(out, at, r)
		}
	}
	return out
}

func ruleNames(rules []*rule) []string {
	out := make([]string, len(rules))
	for i, r := range rules {
		out[i] = r.name
	}
	return out
}

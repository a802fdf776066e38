package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
)

// Masked stands for a secret wherever a configuration is printed.
const Masked = "****"

var (
	variable = regexp.MustCompile(`\$\$|\$\{[^}]*\}|\$\{`)
	// reference is what may stand between ${ and }: a name, or with :- or :? and a text behind it.
	reference = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)(?::([-?])([^$]*))?$`)
)

// expander puts secrets into the scalars of a tree: "${NAME}" from the environment ("$$" is one $; with "${NAME:-default}" and "${NAME:?message}"
// a variable that is not set, or empty, has a default or its own message, as in a shell), and "file:/path" as a whole value. What was there
// before is kept by path, so that printing shows it and not the secret.
type expander struct {
	file      string
	env       func(string) (string, bool)
	originals map[string]string
	secrets   []string
	faults    fault.List
}

func (e *expander) walk(n *yaml.Node, path string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			e.walk(n.Content[i+1], join(path, n.Content[i].Value))
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			e.walk(c, fmt.Sprintf("%s[%d]", path, i))
		}
	case yaml.ScalarNode:
		e.scalar(n, path)
	case yaml.DocumentNode, yaml.AliasNode:
	}
}

func (e *expander) scalar(n *yaml.Node, path string) {
	original := n.Value
	if name, ok := strings.CutPrefix(original, "file:"); ok {
		if text, ok := e.readFile(n, path, name); ok {
			e.put(n, path, original, text, true)
			e.secrets = append(e.secrets, text)
		}
		return
	}
	if !strings.Contains(original, "$") {
		return
	}
	faults, expanded := len(e.faults), false
	shown := strings.Builder{} // original, without a default that is a secret
	at := 0
	var text strings.Builder
	for _, m := range variable.FindAllStringIndex(original, -1) {
		text.WriteString(original[at:m[0]])
		shown.WriteString(original[at:m[0]])
		at = m[1]
		if original[m[0]:m[1]] == "$$" {
			text.WriteString("$")
			shown.WriteString("$$")
			continue
		}
		expanded = true
		value, as := e.lookup(n, path, original[m[0]:m[1]])
		text.WriteString(value)
		shown.WriteString(as)
	}
	text.WriteString(original[at:])
	shown.WriteString(original[at:])
	if len(e.faults) == faults {
		e.put(n, path, shown.String(), text.String(), expanded)
	}
}

func (e *expander) put(n *yaml.Node, path, original, text string, expanded bool) {
	if expanded {
		// The value counts by what it holds now, so that a number may come from the environment, also from within quotes.
		// Yet it never counts as nothing.
		n.Tag, n.Style = "", 0
		if isNull(&yaml.Node{Kind: yaml.ScalarNode, Value: text}) {
			n.Tag = "!!str"
		}
	}
	n.Value = text
	e.originals[path] = original
}

// lookup gives the value of a reference, and how it may be shown.
func (e *expander) lookup(n *yaml.Node, path, m string) (value, shown string) {
	r := reference.FindStringSubmatch(strings.TrimSuffix(strings.TrimPrefix(m, "${"), "}"))
	if r == nil || !strings.HasSuffix(m, "}") {
		f := &fault.Fault{
			Class: fault.Config, Where: place(e.file, n), What: fmt.Sprintf("%s: %q is not the name of an environment variable", path, m),
			Fix: "write ${NAME}, or $$ for a plain $",
		}
		if strings.Contains(m, ":-") || strings.Contains(m, ":?") {
			f.What = fmt.Sprintf("%s: %q is neither ${NAME:-default} nor ${NAME:?message}", path, strings.SplitAfterN(m, ":", 2)[0]+"…")
			f.Fix = "write a name of letters, digits and _, and behind it a text with neither $ nor }"
		}
		e.faults.Add(f)
		return "", m
	}
	name, mark, rest := r[1], r[2], r[3]
	secret := secretKey.MatchString(path) || secretKey.MatchString(name)
	value, ok := e.env(name)
	shown = m
	if value == "" && mark == "-" {
		value = rest
	}
	if secret || strings.HasSuffix(strings.ToLower(path), "dsn") {
		e.secrets = append(e.secrets, value)
	}
	if mark == "-" {
		if rest = MaskDSN(rest); secret && rest != "" {
			rest = Masked
		}
		return value, "${" + name + ":-" + rest + "}"
	}
	if value == "" {
		state := "is not set"
		if ok {
			state = "is empty"
		}
		if rest != "" {
			state += ": " + rest
		}
		e.faults.Add(&fault.Fault{
			Class: fault.Config, Where: place(e.file, n), What: fmt.Sprintf("%s: the environment variable %s %s", path, name, state),
			Fix: fmt.Sprintf("export %s='…' before the start, or keep the value in a file and write file:/path/to/it", name),
		})
	}
	return value, shown
}

func (e *expander) readFile(n *yaml.Node, path, name string) (string, bool) {
	full := name
	if !filepath.IsAbs(full) {
		full = filepath.Join(filepath.Dir(e.file), full)
	}
	data, err := os.ReadFile(full)
	if err == nil && len(data) > 1<<20 {
		err = fmt.Errorf("%d bytes is too long for a secret", len(data))
	}
	text := strings.TrimRight(string(data), "\r\n")
	if err == nil && text == "" {
		err = fmt.Errorf("the file is empty")
	}
	if err != nil {
		e.faults.Add(&fault.Fault{
			Class: fault.Config, Where: place(e.file, n), What: fmt.Sprintf("%s: the file %s cannot be read", path, full), Err: err,
			Fix: "put the value into that file, readable for the user that runs shelfstream, or write ${NAME} and set the variable",
		})
		return "", false
	}
	return text, true
}

// join adds a key to a YAML path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

var (
	urlPassword   = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*://[^:/@\s]*):(.+)@`)
	mysqlPassword = regexp.MustCompile(`^([^:@/\s]+):(.*)@([a-z0-9]*\(|/)`)
	fieldPassword = regexp.MustCompile(`(?i)((?:^|[?&;\s])(?:password|passwd|pwd|sslpassword)\s*=\s*)('[^']*'|[^\s;&]+)`)
	sinkHeader    = regexp.MustCompile(`^sinks\.[^.]+\.rest\.headers\.`) // see headerSecrets
	secretKey     = regexp.MustCompile(`(?i)(password|password_hash|passwd|secret|token|api_?key|link_key)$`)
)

// MaskDSN hides the passwords of a data source name: of a URL, of go-sql-driver's form and of key=value.
func MaskDSN(s string) string {
	s = urlPassword.ReplaceAllString(s, "${1}:"+Masked+"@")
	s = mysqlPassword.ReplaceAllString(s, "${1}:"+Masked+"@${3}")
	return fieldPassword.ReplaceAllString(s, "${1}"+Masked)
}

// passwords lists what MaskDSN would hide in s.
func passwords(s string) []string {
	var out []string
	for _, re := range []*regexp.Regexp{urlPassword, mysqlPassword, fieldPassword} {
		for _, m := range re.FindAllStringSubmatch(s, -1) {
			out = append(out, strings.Trim(m[2], "'"))
		}
	}
	return out
}

// collectSecrets notes every value of the tree that must not be printed.
func (p *Pipeline) collectSecrets(values []string) {
	for _, v := range values {
		p.secrets = append(p.secrets, v)
		p.secrets = append(p.secrets, passwords(v)...)
	}
	var walk func(n *yaml.Node, key string)
	walk = func(n *yaml.Node, key string) {
		if n.Kind == yaml.ScalarNode {
			if secretKey.MatchString(key) {
				p.secrets = append(p.secrets, n.Value)
			}
			p.secrets = append(p.secrets, passwords(n.Value)...)
		}
		for i, c := range n.Content {
			switch {
			case n.Kind == yaml.MappingNode && i%2 == 1:
				walk(c, n.Content[i-1].Value)
			case n.Kind == yaml.SequenceNode:
				walk(c, key)
			}
		}
	}
	walk(p.root, "")
	p.channelSecrets()
	p.headerSecrets()
	// Longer ones first, so that a DSN goes as a whole before the password in it.
	slices.SortFunc(p.secrets, func(a, b string) int { return len(b) - len(a) })
	p.secrets = slices.DeleteFunc(slices.Compact(p.secrets), func(s string) bool { return len(s) < 4 || s == Masked || variable.MatchString(s) })
}

// Redact hides every secret of the configuration in a text, for messages that come from drivers. Values of fewer than
// four characters are no secrets.
func (p *Pipeline) Redact(text string) string {
	if p == nil {
		return text
	}
	for _, s := range p.secrets {
		text = strings.ReplaceAll(text, s, Masked)
	}
	return text
}

// channelSecrets notes the addresses and headers of webhooks, and the variables of commands: whoever knows them can write to the channel.
func (p *Pipeline) channelSecrets() {
	channels, whole := p.nodeAt([]string{"alerts", "channels"})
	if !whole || channels.Kind != yaml.MappingNode {
		return
	}
	for i := 1; i < len(channels.Content); i += 2 {
		webhook := child(channels.Content[i], "webhook")
		if u := child(webhook, "url"); u != nil {
			p.secrets = append(p.secrets, u.Value)
		}
		for _, m := range []*yaml.Node{child(webhook, "headers"), child(child(channels.Content[i], "command"), "env")} {
			for j := 1; m != nil && m.Kind == yaml.MappingNode && j < len(m.Content); j += 2 {
				p.secrets = append(p.secrets, m.Content[j].Value)
			}
		}
	}
}

// headerSecrets notes the headers of sinks that speak HTTP: one of them is often what lets us in.
func (p *Pipeline) headerSecrets() {
	for i := range p.Sinks {
		headers := child(p.Sinks[i].Value.Section.Node, "headers")
		for j := 1; headers != nil && headers.Kind == yaml.MappingNode && j < len(headers.Content); j += 2 {
			p.secrets = append(p.secrets, headers.Content[j].Value)
		}
	}
}

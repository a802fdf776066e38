package config

import (
	"reflect"
	"time"

	"go.yaml.in/yaml/v3"
)

// Channel is one way to reach people: exactly one of its fields is set.
type Channel struct {
	SMTP    *SMTP    `yaml:"smtp" doc:"Mail."`
	Webhook *Webhook `yaml:"webhook" doc:"An HTTP request with JSON."`
	Command *Command `yaml:"command" doc:"A program of this machine; the message is JSON on its standard input."`
}

// SMTP sends mail.
type SMTP struct {
	Host     string        `yaml:"host" required:"true" doc:"The mail server."`
	Port     int           `yaml:"port" doc:"Its port: 587 with starttls and none, 465 with tls, if left out."`
	TLS      string        `yaml:"tls" enum:"starttls,tls,none" doc:"starttls: encrypt after the greeting, or do not send; tls: from the start; none: never, for a server on the same machine."`
	CA       string        `yaml:"ca" doc:"File with the certificate authority of the server; the system's if left out."`
	User     string        `yaml:"user" doc:"User name, if the server wants a login."`
	Password string        `yaml:"password" secret:"true" doc:"Password; best as ${NAME} or file:/path."`
	From     string        `yaml:"from" required:"true" doc:"Sender, e.g. 'Shelfstream <alerts@example.com>'."`
	To       []string      `yaml:"to" doc:"Who gets the mail if a step names the channel itself."`
	Timeout  time.Duration `yaml:"timeout" doc:"How long one mail may take."`
}

// SetDefaults is for a submission port.
func (s *SMTP) SetDefaults() { s.TLS, s.Timeout = "starttls", 30*time.Second }

// Webhook posts JSON.
type Webhook struct {
	URL     string            `yaml:"url" required:"true" secret:"true" doc:"Address; often itself a secret, so best as ${NAME}."`
	Form    string            `yaml:"form" enum:"json,slack,teams,alertmanager" doc:"What the body looks like: our own JSON, a Slack message, a card for a Teams workflow, or alerts for Alertmanager (/api/v2/alerts)."`
	Headers map[string]string `yaml:"headers" secret:"true" doc:"Further headers, e.g. Authorization."`
	Timeout time.Duration     `yaml:"timeout" doc:"How long the answer may take."`
}

// SetDefaults is our own form.
func (w *Webhook) SetDefaults() { w.Form, w.Timeout = "json", 10*time.Second }

// Command runs a program.
type Command struct {
	Run     []string          `yaml:"run" required:"true" doc:"The program and its arguments; no shell is in between."`
	Env     map[string]string `yaml:"env" secret:"true" doc:"Variables of its environment, besides PATH, HOME, LANG and TZ. Others are not passed on, as they may be secrets."`
	Timeout time.Duration     `yaml:"timeout" doc:"After so long it is killed, with all its children."`
}

// SetDefaults is the time of the other channels.
func (c *Command) SetDefaults() { c.Timeout = 30 * time.Second }

// printNode hides the values of headers and of variables, which the printer knows as secret only as plain texts.
func (w Webhook) printNode(p *printer, path string) *yaml.Node {
	type plain Webhook
	n := p.value(reflect.ValueOf(plain(w)), path, false)
	return p.maskBelow(n, path, "headers")
}

func (c Command) printNode(p *printer, path string) *yaml.Node {
	type plain Command
	n := p.value(reflect.ValueOf(plain(c)), path, false)
	return p.maskBelow(n, path, "env")
}

// maskBelow hides the values of a mapping; those that came from elsewhere show where from.
func (p *printer) maskBelow(n *yaml.Node, path, key string) *yaml.Node {
	m := child(n, key)
	if m == nil {
		return n
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		shown := Masked
		if original, ok := p.originals[join(join(path, key), m.Content[i].Value)]; ok {
			shown = original
		}
		m.Content[i+1] = text(shown)
	}
	return n
}

package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// usage prints the list of commands.
func (p *program) usage(w io.Writer) {
	var b strings.Builder
	b.WriteString("Shelfstream keeps a webshop equal to the ERP behind it.\n\nUsage: shelfstream <command> [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-19s %s\n", c.name, c.summary)
	}
	b.WriteString("\n'shelfstream help <command>' says more. Exit codes: 0 ok, 1 runtime, 2 configuration, 3 environment.\n")
	_, _ = io.WriteString(w, b.String())
}

// help answers 'shelfstream help [command]'.
func (p *program) help(args []string) error {
	if len(args) == 0 {
		p.usage(p.stdout)
		return nil
	}
	c, _, err := find(args)
	if err != nil {
		return err
	}
	p.commandHelp(p.stdout, c)
	return nil
}

// commandHelp prints what one command does, and its flags.
func (p *program) commandHelp(w io.Writer, c command) {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: shelfstream %s\n\n%s.\n", strings.TrimSpace(c.name+" [flags] "+c.args), strings.ToUpper(c.summary[:1])+c.summary[1:])
	if c.help != "" {
		b.WriteString("\n" + strings.TrimSpace(c.help) + "\n")
	}
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	c.setup(p, fs)
	var flags strings.Builder
	fs.SetOutput(&flags)
	fs.PrintDefaults()
	if flags.Len() > 0 {
		b.WriteString("\nFlags:\n" + flags.String())
	}
	_, _ = io.WriteString(w, b.String())
}

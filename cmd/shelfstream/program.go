package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"shelfstream/internal/config"
	"shelfstream/internal/fault"
)

// program is everything but the process: tests run it with their own arguments and writers.
type program struct {
	stdout  io.Writer // results
	stdin   io.Reader // nil = the process's
	screen  *screen   // stderr: messages, logs and progress
	env     func(string) (string, bool)
	version string
}

func (p *program) input() io.Reader {
	if p.stdin != nil {
		return p.stdin
	}
	return os.Stdin
}

// command is one subcommand.
type command struct {
	// name is one word, or two ("config schema").
	name string
	// args shows the arguments in the usage line.
	args string
	// summary is one line, for the list of commands.
	summary string
	// help is what 'shelfstream help name' says below the usage line.
	help string
	// setup declares the command's flags and returns what runs it with its arguments.
	setup func(p *program, fs *flag.FlagSet) func(ctx context.Context, args []string) error
}

// run runs one command line and gives the exit code: 0 ok, 1 runtime, 2 configuration, 3 environment.
func (p *program) run(ctx context.Context, args []string) int {
	return p.ended(p.dispatch(ctx, args))
}

// ended says why a command line ended, and gives the exit code.
func (p *program) ended(err error) int {
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		return 0
	}
	p.complain(err)
	if faults, _ := allFaults(err); len(faults) > 0 {
		return fault.ExitCode(faults)
	}
	return 1
}

func (p *program) dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		p.usage(p.screen)
		return usage("name a command", "write one of those above; shelfstream help <command> says more")
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		return p.help(args[1:])
	case "-v", "-version", "--version":
		args = []string{"version"}
	}
	c, rest, err := find(args)
	if err != nil {
		return err
	}
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // faults are ours to print
	run := c.setup(p, fs)
	positional, err := parseFlags(fs, rest)
	switch {
	case errors.Is(err, flag.ErrHelp):
		p.commandHelp(p.stdout, c)
		return err
	case err != nil:
		return flagFault(c, fs, err)
	}
	return run(ctx, positional)
}

// find looks a command up by its first one or two words.
func find(args []string) (command, []string, error) {
	all := commands()
	for words := min(2, len(args)); words > 0; words-- {
		name := strings.Join(args[:words], " ")
		for _, c := range all {
			if c.name == name {
				return c, args[words:], nil
			}
		}
	}
	names := []string{"help"}
	for _, c := range all {
		names = append(names, c.name)
		// "config" alone, or with a misspelt second word, is answered with what there is.
		if first, second, two := strings.Cut(c.name, " "); two && first == args[0] {
			return command{}, nil, usage(fmt.Sprintf("%q wants a second word", first), "shelfstream "+first+" "+second)
		}
	}
	what, fix := fmt.Sprintf("there is no command %q", args[0]), "shelfstream help lists the commands"
	if near := config.Nearest(args[0], names); near != "" {
		what += fmt.Sprintf(", did you mean %q?", near)
		fix = "shelfstream " + near
	}
	return command{}, nil, usage(what, fix)
}

// parseFlags takes flags before, between and behind the arguments.
func parseFlags(fs *flag.FlagSet, args []string) (positional []string, err error) {
	for len(args) > 0 {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		rest := fs.Args()
		if len(rest) == 0 {
			break
		}
		if consumed := len(args) - len(rest); consumed > 0 && args[consumed-1] == "--" {
			return append(positional, rest...), nil
		}
		positional, args = append(positional, rest[0]), rest[1:]
	}
	return positional, nil
}

// flagFault adds the nearest flag to what the flag package says.
func flagFault(c command, fs *flag.FlagSet, err error) error {
	what, fix := err.Error(), "shelfstream "+c.name+" -h lists the flags"
	if name, ok := strings.CutPrefix(what, "flag provided but not defined: -"); ok {
		var known []string
		fs.VisitAll(func(f *flag.Flag) { known = append(known, f.Name) })
		what = fmt.Sprintf("%s has no flag -%s", c.name, name)
		if near := config.Nearest(name, known); near != "" {
			what += fmt.Sprintf(", did you mean -%s?", near)
		}
	}
	return usage(what, fix)
}

// usage is a fault of the command line.
func usage(what, fix string) *fault.Fault {
	return &fault.Fault{Class: fault.Config, Where: "command line", What: what, Fix: fix}
}

// complain prints an error for people: each fault with its remedy on a line of its own.
func (p *program) complain(err error) {
	faults, others := allFaults(err)
	var b strings.Builder
	for _, f := range faults {
		b.WriteString(faultText(f))
	}
	for _, err := range others {
		fmt.Fprintf(&b, "error: %v\n", err)
	}
	if len(faults) > 1 {
		fmt.Fprintf(&b, "%d faults\n", len(faults))
	}
	_, _ = io.WriteString(p.screen, b.String())
}

// oneLine joins the lines of a driver's message.
var oneLine = strings.NewReplacer(":\n\t", ": ", "\n\t", "; ", "\n", "; ")

// faultText is "where: what\n    fix: …\n".
func faultText(f *fault.Fault) string {
	text := f.What
	if f.Where != "" {
		text = f.Where + ": " + text
	}
	if f.Err != nil {
		text += ": " + oneLine.Replace(f.Err.Error())
	}
	text += "\n"
	if f.Fix != "" {
		text += "    fix: " + f.Fix + "\n"
	}
	return text
}

// common are the flags that every command with a configuration has.
type common struct {
	file, logForm, logLevel string
}

func (c *common) flags(p *program, fs *flag.FlagSet) {
	file := "shelfstream.yaml"
	if f, ok := p.env("SHELFSTREAM_CONFIG"); ok && f != "" {
		file = f
	}
	fs.StringVar(&c.file, "config", file, "the pipeline's `file`; $SHELFSTREAM_CONFIG names another default")
	fs.StringVar(&c.logForm, "log", "text", "`form` of the log on stderr: text or json")
	fs.StringVar(&c.logLevel, "log-level", "info", "least `level` that is logged: debug, info, warn or error")
}

// logger makes the log on stderr.
func (c *common) logger(p *program) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.logLevel)); err != nil {
		return nil, usage(fmt.Sprintf("-log-level %q is not possible", c.logLevel), "write debug, info, warn or error")
	}
	opts := &slog.HandlerOptions{Level: level}
	switch c.logForm {
	case "text":
		return slog.New(slog.NewTextHandler(p.screen, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(p.screen, opts)), nil
	}
	return nil, usage(fmt.Sprintf("-log %q is not possible", c.logForm), "write text or json")
}

// load reads the configuration with the connectors' sections, and hides its secrets on the screen from then on.
func (c *common) load(p *program) (*pipeline, *slog.Logger, error) {
	log, err := c.logger(p)
	if err != nil {
		return nil, nil, err
	}
	pl, err := loadPipeline(c.file, p.env)
	if pl != nil {
		p.screen.redact(pl.Redact)
	}
	return pl, log, err
}

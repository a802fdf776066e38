package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"shelfstream/status/login"
)

func passwordCommand() command {
	return command{
		name: "password", args: "[name]", summary: "make the hash of a password, for admin.users",
		help: `
Asks for the password twice, without showing it; from a pipe it reads one line. Prints the lines to put into the configuration;
the hash is argon2id's.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var role string
			fs.StringVar(&role, "role", string(login.Operate), "`role` of the user: view or operate")
			return func(_ context.Context, args []string) error {
				if len(args) > 1 {
					return usage("password takes one name at most", "shelfstream password anna")
				}
				if role != string(login.View) && role != string(login.Operate) {
					return usage(fmt.Sprintf("-role %q is not possible", role), "write view or operate")
				}
				name := "NAME"
				if len(args) == 1 {
					name = args[0]
				}
				password, err := readPassword(p)
				if err != nil {
					return err
				}
				return printPassword(p.stdout, name, role, password)
			}
		},
	}
}

func printPassword(out io.Writer, name, role, password string) error {
	hash, err := login.Hash(password)
	if err != nil {
		return usage(err.Error(), "choose a longer one: some words that belong together only for you")
	}
	_, err = fmt.Fprintf(out, "admin:\n  users:\n    %s: { role: %s, password_hash: '%s' }\n", name, role, hash)
	return err
}

// readPassword asks on a terminal, and reads a line of anything else.
func readPassword(p *program) (string, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		line, err := bufio.NewReader(io.LimitReader(p.input(), 2*login.MaxPassword)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(p.screen, prompt)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(p.screen)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return string(b), nil
	}
	first, err := ask("password: ")
	if err != nil {
		return "", err
	}
	second, err := ask("once more: ")
	if err == nil && first != second {
		err = usage("the two are not the same", "type it again")
	}
	return first, err
}

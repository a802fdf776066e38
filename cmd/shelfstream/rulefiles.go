package main

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"shelfstream/transform/standard"
)

func rulesCommand() command {
	return command{
		name: "rules print", args: "[name]", summary: "print a rule file that is shipped with the product, or the names of all",
		help: `
A view takes it as a layer by its name (rules: [standard:visma_business, mine.rules.yaml]). In a file behind it a rule of the same name replaces the
standard's, 'disable' takes one out, and 'before' and 'after' put new ones between.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var pipeline, tables bool
			fs.BoolVar(&pipeline, "pipeline", false, "print the configuration's example that the rules are written for")
			fs.BoolVar(&tables, "tables", false, "print the columns of the ERP's tables, as case files write them")
			return func(_ context.Context, args []string) error {
				if len(args) > 1 || pipeline && tables {
					return usage("rules print wants one name, and one thing to print", "shelfstream rules print standard:visma_business")
				}
				if len(args) == 0 {
					for _, name := range standard.List() {
						if _, err := fmt.Fprintln(p.stdout, standard.Prefix+name); err != nil {
							return err
						}
					}
					return nil
				}
				name := strings.TrimPrefix(args[0], standard.Prefix)
				if f := noLayer(name); f != nil {
					f.Where = "command line"
					return f
				}
				source, err := standard.Layer(name)
				data := source.Data
				erp, _, _ := strings.Cut(name, "/") // a small layer on top of an ERP's is for the same tables
				switch {
				case pipeline:
					data, err = standard.Pipeline(erp)
				case tables:
					data, err = standard.Tables(erp)
				}
				if err != nil {
					return err
				}
				_, err = p.stdout.Write(data)
				return err
			}
		},
	}
}

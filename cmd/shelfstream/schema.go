package main

import (
	"context"
	"flag"

	"shelfstream/internal/config"
	"shelfstream/transform/rules"
)

func schemaCommand() command {
	return command{
		name: "config schema", summary: "print the JSON Schema of the configuration, or of rule files, for editors",
		help: `
Written to a file beside it (shelfstream config schema > shelfstream.schema.json), editors with a YAML language server complete and check a
configuration that begins with
    # yaml-language-server: $schema=shelfstream.schema.json
The same for rule files with -rules (shelfstream config schema -rules > shelfstream.rules.schema.json).`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var ofRules bool
			fs.BoolVar(&ofRules, "rules", false, "print the schema of rule files")
			return func(_ context.Context, args []string) error {
				if err := noArguments("config schema", args); err != nil {
					return err
				}
				if ofRules {
					_, err := p.stdout.Write(rules.Schema())
					return err
				}
				schema, err := configSchema()
				if err != nil {
					return err
				}
				_, err = p.stdout.Write(schema)
				return err
			}
		},
	}
}

// configSchema describes a configuration with every connector there is.
func configSchema() ([]byte, error) {
	sources, sinks := map[string]any{}, map[string]any{}
	for name, kind := range sourceKinds() {
		sources[name] = kind.config()
	}
	for name, kind := range sinkKinds() {
		sinks[name] = kind.config()
	}
	return config.JSONSchema(sources, sinks)
}

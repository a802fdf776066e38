// Package config reads the one YAML file that describes a pipeline.
//
// In: the file, and the environment and files for secrets. Anywhere in a value "${NAME}" is the variable of that name, which must not be empty;
// "${NAME:-default}" has a default for when it is not set or empty, "${NAME:?message}" says what is missing then; neither text may hold $ or },
// and "$$" is a plain $. "file:/path" as a whole value is the file's content without the line breaks at its end.
// Out: a *Pipeline with defaults filled in, and every fault of the file at once, each with file:line:column and a remedy:
// broken YAML, unknown and doubled keys, wrong types, missing secrets, and names that do not fit together.
//
// What belongs to one connector (a DSN, a slot) stays a yaml.Node in a Section; the connector's own struct is filled from
// it by DecodeStrict, so that this package knows no connector. The JSON Schema for editors comes from the same structs
// (see JSONSchema).
//
// Struct tags: `yaml:"name"` is the key, `doc:"…"` its description in the schema, `required:"true"` makes it needed,
// `enum:"a,b"` lists the values allowed, `secret:"true"` keeps it from being printed. A type with a SetDefaults method is
// given its defaults before it is read.
package config

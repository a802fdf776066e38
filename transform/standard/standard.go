// Package standard holds the rule files that are shipped with the product, one for each ERP and one for orders on their way back (order), with an example of
// the configuration that they are written for and the shapes of the tables.
//
// A view names a layer in its `rules` as "standard:visma_business"; the customer's file comes behind it and overrides rules by
// name, disables them, or adds its own before or after them. "standard:visma_business/most_specific" is a small layer on top that changes one
// decision. List tells them all.
//
// To add an ERP: layers/<name>.yaml, pipelines/<name>.yaml, tables/<name>.yaml, and cases/<name>*.yaml, which go test runs. The mutation test
// turns every rule of the new layer, and each turned rule must fail a case.
package standard

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/transform/rules"
)

// Prefix stands before the name of a standard file wherever a path may stand.
const Prefix = "standard:"

//go:embed layers pipelines tables
var files embed.FS

// Layer gives a standard rule file by its name without Prefix: "visma_business", or "visma_business/most_specific". Its Source is named as a
// configuration names it, so that messages and explain do.
func Layer(name string) (rules.Source, error) {
	data, err := read("layers", name)
	if err != nil {
		return rules.Source{}, err
	}
	return rules.Source{Name: Prefix + name, Layer: "standard", Data: data}, nil
}

// Pipeline gives the documented example of a configuration for an ERP's layer: which tables are captured and how, and the view.
func Pipeline(name string) ([]byte, error) { return read("pipelines", name) }

// Tables gives the shapes of an ERP's tables as case files write them.
func Tables(name string) ([]byte, error) { return read("tables", name) }

// List names the layers that Layer gives, sorted.
func List() []string { return list("layers") }

func list(folder string) []string {
	var out []string
	// The files are part of the program: walking them cannot fail.
	_ = fs.WalkDir(files, folder, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, strings.TrimSuffix(strings.TrimPrefix(p, folder+"/"), ".yaml"))
		}
		return err
	})
	slices.Sort(out)
	return out
}

func read(folder, name string) ([]byte, error) {
	names := list(folder)
	if !slices.Contains(names, name) {
		return nil, &fault.Fault{
			Class: fault.Config, What: fmt.Sprintf("there is no standard file %s%s", Prefix, name),
			Fix: "write one of " + Prefix + strings.Join(names, ", "+Prefix),
		}
	}
	return files.ReadFile(path.Join(folder, name+".yaml"))
}

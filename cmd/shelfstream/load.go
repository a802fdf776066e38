package main

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shelfstream/internal/config"
	"shelfstream/internal/fault"
	"shelfstream/transform/rules"
	"shelfstream/transform/standard"
)

// pipeline is a configuration with its connectors' sections read.
type pipeline struct {
	*config.Pipeline
	sources map[string]any // the connector's struct, by the source's name
	sinks   map[string]any
}

// loadPipeline reads a configuration and its connectors' sections; the error is every fault of both at once.
func loadPipeline(file string, env func(string) (string, bool)) (*pipeline, error) {
	cfg, err := config.Load(file, env)
	if cfg == nil {
		return nil, err
	}
	p := &pipeline{Pipeline: cfg, sources: map[string]any{}, sinks: map[string]any{}}
	faults := fault.All(err)
	for i := range cfg.Sources {
		s := &cfg.Sources[i].Value.Section
		kind, ok := sourceKinds()[s.Kind]
		faults = append(faults, p.section(s, ok, kind.config, p.sources, cfg.Sources[i].Name, faults, slices.Sorted(maps.Keys(sourceKinds())), "source")...)
	}
	for i := range cfg.Sinks {
		s := &cfg.Sinks[i].Value.Section
		kind, ok := sinkKinds()[s.Kind]
		faults = append(faults, p.section(s, ok, kind.config, p.sinks, cfg.Sinks[i].Name, faults, slices.Sorted(maps.Keys(sinkKinds())), "sink")...)
	}
	for i := range cfg.Sources {
		faults = append(faults, p.trySource(cfg.Sources[i].Name, faults)...)
	}
	faults = append(faults, p.standardRules()...)
	faults = append(faults, p.unanswered()...)
	for _, f := range faults {
		f.What, f.Fix = cfg.Redact(f.What), cfg.Redact(f.Fix)
	}
	config.SortFaults(faults)
	return p, faults.Err()
}

// section reads one connector's section into its struct, which is put into by the name. found are the faults found before.
func (p *pipeline) section(s *config.Section, known bool, fresh func() any, into map[string]any, name string, found fault.List, kinds []string, what string) fault.List {
	if s.Kind == "" || s.Node == nil {
		return nil // reported by config
	}
	if !known {
		text := fmt.Sprintf("%s: there is no %s connector %q", s.Path, what, s.Kind)
		if near := config.Nearest(s.Kind, kinds); near != "" {
			text += fmt.Sprintf(", did you mean %q?", near)
		}
		return fault.List{{Class: fault.Config, Where: s.Place(), What: text, Fix: "write one of " + strings.Join(kinds, ", ")}}
	}
	section := fresh()
	into[name] = section
	faults := fault.All(s.Decode(section))
	if len(faults) > 0 {
		for _, f := range faults {
			f.What = s.Path + ": " + f.What
		}
		return faults
	}
	if v, ok := section.(interface{ Validate() fault.List }); ok {
		for _, f := range v.Validate() {
			// A connector names the place by the path in its section: "mysql.tables.product.from".
			placed := inSection(s, f, strings.TrimPrefix(strings.TrimPrefix(f.Where, s.Kind), "."))
			if !slices.ContainsFunc(found, func(known *fault.Fault) bool { return known.Where == placed.Where }) {
				faults.Add(placed) // else it follows from what is known: a secret that is not there
			}
		}
	}
	return faults
}

// trySource makes a source's connector, which connects nowhere yet, for what it finds wrong with its settings. found are the faults found before.
func (p *pipeline) trySource(name string, found fault.List) fault.List {
	s, _ := p.Sources.Get(name)
	section := p.sources[name]
	if section == nil || slices.ContainsFunc(found, func(f *fault.Fault) bool { return strings.HasPrefix(f.What, s.Section.Path) }) {
		return nil
	}
	_, err := sourceKinds()[s.Section.Kind].open(section, sourceParts{pipeline: p.Name, source: name, tables: p.tables(name), log: slog.New(slog.DiscardHandler)})
	var l fault.List
	for _, f := range fault.All(err) {
		placed := *f
		placed.Where, placed.What = s.Section.Place(), s.Section.Path+": "+f.What
		for word := range strings.FieldsSeq(f.What) { // "slot X is no name": the setting that it speaks of
			if at := s.Section.PlaceOf(word); at != placed.Where {
				placed.Where = at
				break
			}
		}
		l.Add(&placed)
	}
	return l
}

// standardRules finds names of rule files that are not shipped with the product.
func (p *pipeline) standardRules() fault.List {
	var l fault.List
	for i := range p.Views {
		for _, name := range p.Views[i].Value.Rules {
			layer, ok := strings.CutPrefix(name, standard.Prefix)
			if !ok {
				continue
			}
			if f := noLayer(layer); f != nil {
				path := []string{"views", p.Views[i].Name, "rules"}
				f.Where, _ = p.Place(path, name)
				f.What = strings.Join(path, ".") + ": " + f.What
				l.Add(f)
			}
		}
	}
	return l
}

// noLayer is the fault of a standard layer that does not exist, nil if it does.
func noLayer(name string) *fault.Fault {
	_, err := standard.Layer(name)
	if err == nil {
		return nil
	}
	f := *fault.All(err)[0]
	if near := config.Nearest(name, standard.List()); near != "" {
		f.What += fmt.Sprintf(", did you mean %q?", standard.Prefix+near)
	}
	return &f
}

// readRules reads a view's rule files, each a layer with its file's name; messages name the files as the configuration does. What is wrong with
// them whatever the tables are is found here, before anything is started or made in a source.
func (p *pipeline) readRules(view *config.View) ([]rules.Source, error) {
	var out []rules.Source
	var faults fault.List
	for _, name := range view.Rules {
		if layer, ok := strings.CutPrefix(name, standard.Prefix); ok {
			source, err := standard.Layer(layer)
			if err != nil {
				faults = append(faults, fault.All(err)...)
				continue
			}
			out = append(out, source)
			continue
		}
		data, err := os.ReadFile(p.Path(name))
		if err != nil {
			faults.Add(&fault.Fault{Class: fault.Config, Where: name, What: "the rule file cannot be read", Fix: "name a file that shelfstream's user can read", Err: err})
			continue
		}
		out = append(out, rules.Source{Name: name, Layer: layerName(name), Data: data})
	}
	if len(faults) == 0 {
		faults = fault.All(rules.Check(out))
	}
	return out, faults.Err()
}

// layerName is the name of a layer: a file's base name without its endings.
func layerName(file string) string {
	base, _, _ := strings.Cut(filepath.Base(file), ".")
	return base
}

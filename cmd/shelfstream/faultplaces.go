package main

import (
	"regexp"
	"slices"
	"strings"

	"shelfstream/internal/config"
	"shelfstream/internal/fault"
)

// The stages know a view, a child, a table by name and nothing of the file that names them. Here a fault of theirs gets the place in the file:
// "view product: child prices" becomes "pipeline.yaml:31:29: view product: child prices".

// placed gives copies of the faults with the places of what they speak of. sinkName is the sink that they come from, or "".
func (p *pipeline) placed(sinkName string, l fault.List) fault.List {
	if len(l) == 0 {
		return nil
	}
	out := make(fault.List, len(l))
	for i, f := range l {
		out[i] = p.placedOne(sinkName, f)
	}
	return out
}

func (p *pipeline) placedOne(sinkName string, f *fault.Fault) *fault.Fault {
	if s, ok := p.Sinks.Get(sinkName); ok {
		if path, own := strings.CutPrefix(f.Where, s.Section.Kind+"."); own {
			return inSection(&s.Section, f, path)
		}
	}
	if at := p.guardPlace(f); at != "" {
		placed := *f
		placed.Where = at + ": " + f.Where
		return &placed
	}
	path, words := p.spokenOf(f.Where)
	if path == nil {
		return f
	}
	at, ok := p.Place(path, append(namesIn(f.What), words...)...)
	if !ok {
		return f
	}
	placed := *f
	placed.Where = at + ": " + f.Where
	return &placed
}

// placedError is placed for what a stage ended with; an error that is no fault stays as it is.
func (p *pipeline) placedError(sinkName string, err error) error {
	faults, others := allFaults(err)
	if len(faults) == 0 || len(others) > 0 {
		return err
	}
	return p.placed(sinkName, faults)
}

// inSection places a fault by its path in a connector's section: "tables.product.from".
func inSection(s *config.Section, f *fault.Fault, path string) *fault.Fault {
	placed := *f
	placed.Where, placed.What = s.PlaceOf(path), strings.TrimSuffix(s.Path+"."+path, ".")+": "+f.What
	return &placed
}

// spokenOf finds the part of the configuration that a place names, and words that name a part of that; nil if there is none.
func (p *pipeline) spokenOf(where string) (path, words []string) {
	if rest, ok := strings.CutPrefix(where, "view "); ok {
		view, part, _ := strings.Cut(rest, ": ")
		path = []string{"views", view}
		kind, name, _ := strings.Cut(part, " ")
		switch kind {
		case "child":
			path = append(path, "children", name)
		case "lookup":
			path = append(path, "lookups", name)
		}
		return path, nil
	}
	if rest, ok := strings.CutPrefix(where, "sink "); ok {
		name, rest, _ := strings.Cut(rest, ": ")
		_, table, ok := strings.Cut(rest, "table ")
		table, column, _ := strings.Cut(table, ": column ")
		s, known := p.Sinks.Get(name)
		if !ok || !known {
			return nil, nil
		}
		if column != "" {
			words = []string{column}
		}
		return []string{"sinks", name, s.Section.Kind, "tables", table}, words
	}
	if name, table, ok := strings.Cut(where, ": table "); ok {
		source, entry, _ := strings.Cut(name, ".")
		if s, known := p.Sources.Get(source); known {
			return []string{"sources", source, s.Section.Kind, "tables", entry}, []string{table}
		}
	}
	if strings.ContainsAny(where, " /") || !strings.Contains(where, ".") {
		return nil, nil
	}
	return strings.Split(where, "."), nil // "log.tls.ca"
}

var (
	quotedName = regexp.MustCompile("\"([^\"]+)\"|column ([^\\s:]+)|`([a-z_]+)`|^([a-z_]+) ")
	// settings are keys that a fault's sentence may begin with.
	settings = []string{"key", "on", "order_by", "columns", "partition_by", "from"}
)

// namesIn lists what a sentence puts in quotes, the columns it names, and the setting that it begins with.
func namesIn(what string) []string {
	var names []string
	for _, m := range quotedName.FindAllStringSubmatch(what, -1) {
		for i, name := range m[1:] {
			if name != "" && (i < 2 || slices.Contains(settings, name)) {
				names = append(names, strings.Trim(name, "\""))
			}
		}
	}
	return names
}

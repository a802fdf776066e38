package registry

import (
	"fmt"
	"slices"
)

// promotions are the primitives that a reader's primitive can be read from, beside itself (Avro's Schema Resolution).
var promotions = map[string][]string{
	"long":   {"int"},
	"float":  {"int", "long"},
	"double": {"int", "long", "float"},
	"bytes":  {"string"},
	"string": {"bytes"},
}

// differences lists why reader cannot read what writer wrote; none if it can.
func differences(reader, writer *node) []string {
	steps := maxSteps
	c := comparison{seen: map[[2]*node]bool{}, steps: &steps}
	c.compare(reader, writer, "")
	if steps < 0 {
		return []string{"/: the schemas are too complex to compare"}
	}
	return c.messages
}

// maxSteps bounds a comparison: records that refer to each other can make a short schema an endless one.
const maxSteps = 100_000

type comparison struct {
	messages []string
	seen     map[[2]*node]bool // pairs of records being compared: schemas may contain themselves
	steps    *int
}

func (c *comparison) say(path, format string, args ...any) {
	if path == "" {
		path = "/"
	}
	c.messages = append(c.messages, path+": "+fmt.Sprintf(format, args...))
}

func (c *comparison) compare(reader, writer *node, path string) {
	if *c.steps--; *c.steps < 0 {
		return
	}
	if writer.kind == "union" {
		for _, branch := range writer.branches {
			c.compare(reader, branch, path)
		}
		return
	}
	if reader.kind == "union" {
		for _, branch := range reader.branches {
			attempt := comparison{seen: c.seen, steps: c.steps}
			if attempt.compare(branch, writer, path); len(attempt.messages) == 0 {
				return
			}
		}
		c.say(path, "no branch of the reader's union reads %s", writer.kind)
		return
	}
	if reader.kind != writer.kind {
		if !slices.Contains(promotions[reader.kind], writer.kind) {
			c.say(path, "%s cannot be read as %s", writer.kind, reader.kind)
		}
		return
	}
	if reader.name != writer.name {
		c.say(path, "the %s is named %s for the writer and %s for the reader", reader.kind, writer.name, reader.name)
		return
	}
	switch reader.kind {
	case "array", "map":
		c.compare(reader.inner, writer.inner, path+"/*")
	case "fixed":
		if reader.size != writer.size {
			c.say(path, "fixed of %d bytes cannot be read as one of %d", writer.size, reader.size)
		}
	case "enum":
		for _, s := range writer.symbols {
			if !reader.fallback && !slices.Contains(reader.symbols, s) {
				c.say(path, "the reader lacks the symbol %s and has no default", s)
			}
		}
	case "record":
		c.compareRecords(reader, writer, path)
	}
}

func (c *comparison) compareRecords(reader, writer *node, path string) {
	pair := [2]*node{reader, writer}
	if c.seen[pair] {
		return
	}
	c.seen[pair] = true
	// Forgotten afterwards: a pair that failed inside a union's branch must fail again elsewhere.
	defer delete(c.seen, pair)
	for _, f := range reader.fields {
		at := slices.IndexFunc(writer.fields, func(w nodeField) bool {
			return w.name == f.name || slices.Contains(f.aliases, w.name)
		})
		if at >= 0 {
			c.compare(f.node, writer.fields[at].node, path+"/"+f.name)
		} else if !f.hasDefault {
			c.say(path+"/"+f.name, "the writer has no such field and the reader no default for it")
		}
	}
}

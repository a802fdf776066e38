package rules

import (
	"bytes"
	"regexp"

	"shelfstream/schemas"
)

// regex is an argument that must be a regular expression known before anything runs; nil after a fault.
func (c *compiler) regex(n *node) *regexp.Regexp {
	word, ok := c.constantText(n, "the regular expression")
	if !ok {
		return nil
	}
	re, err := regexp.Compile(word)
	if err != nil {
		c.bad(n, "this is no regular expression: "+err.Error(), "write it in RE2's syntax")
		return nil
	}
	return re
}

func compileRegexExtract(c *compiler, n *node) *code {
	x, re := c.text(n.kids[0]), c.regex(n.kids[1])
	if x.bad || re == nil {
		return badCode
	}
	group := min(re.NumSubexp(), 1)
	return c.made(n, textType, func(m *machine) schemas.Value {
		v := x.eval(m)
		if v.Kind == schemas.KindNull {
			return v
		}
		at := re.FindSubmatchIndex(v.Bytes)
		if at == nil || at[2*group] < 0 {
			return schemas.Null
		}
		return textOf(v.Bytes[at[2*group]:at[2*group+1]])
	})
}

func compileRegexReplace(c *compiler, n *node) *code {
	x, re, with := c.text(n.kids[0]), c.regex(n.kids[1]), c.text(n.kids[2])
	if x.bad || re == nil || with.bad {
		return badCode
	}
	return c.made(n, textType, func(m *machine) schemas.Value {
		v, w := x.eval(m), with.eval(m)
		if v.Kind == schemas.KindNull || w.Kind == schemas.KindNull {
			return schemas.Null
		}
		if !re.Match(v.Bytes) {
			return textOf(v.Bytes)
		}
		start := len(m.bytes)
		m.bytes = append(m.bytes, re.ReplaceAll(v.Bytes, w.Bytes)...)
		return m.made(start)
	})
}

// compileSplit makes a list of texts; blank parts are left out, as ",," says nothing.
func compileSplit(c *compiler, n *node) *code {
	x := c.text(n.kids[0])
	sep, ok := c.constantText(n.kids[1], "the separator")
	if x.bad || !ok {
		return badCode
	}
	if sep == "" {
		return c.bad(n.kids[1], "the separator is empty", "write ',' or ';'")
	}
	between, elem := []byte(sep), textType
	return c.made(n, schemas.Type{Kind: schemas.KindArray, Elem: &elem}, func(m *machine) schemas.Value {
		v := x.eval(m)
		if v.Kind == schemas.KindNull {
			return v
		}
		start := len(m.values)
		for part := range bytes.SplitSeq(v.Bytes, between) {
			if part = trimSpace(part); len(part) > 0 {
				m.values = append(m.values, textOf(part))
			}
		}
		return schemas.Value{Kind: schemas.KindArray, List: m.values[start:len(m.values):len(m.values)]}
	})
}

package rules

import (
	"bytes"
	"fmt"

	"golang.org/x/text/unicode/norm"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

func compileIf(c *compiler, n *node) *code { return c.choice(n, n.kids) }

func compileCoalesce(c *compiler, n *node) *code {
	kids := make([]*code, len(n.kids))
	t, ok := nullType, true
	for i, kid := range n.kids {
		if kids[i] = c.compile(kid); kids[i].bad {
			ok = false
		} else if u, fits := c.unified(t, kids[i].typ, kid); fits {
			t = u
		} else {
			ok = false
		}
	}
	if !ok {
		return badCode
	}
	return c.made(n, t, func(m *machine) schemas.Value {
		for _, k := range kids {
			if v := k.eval(m); v.Kind != schemas.KindNull {
				return v
			}
		}
		return schemas.Null
	})
}

func compileNullif(c *compiler, n *node) *code {
	a, b := c.compile(n.kids[0]), c.compile(n.kids[1])
	if !c.comparable(n, a, b, n.kids[0], n.kids[1]) {
		return badCode
	}
	compare := comparer(a.typ, b.typ)
	return c.made(n, a.typ, func(m *machine) schemas.Value {
		v := a.eval(m)
		if v.Kind == schemas.KindNull {
			return v
		}
		if w := b.eval(m); w.Kind != schemas.KindNull && compare(v, w) == 0 {
			return schemas.Null
		}
		return v
	})
}

// compileMap compiles a value map. Keys are found by their canonical text, so that 1 and 1.00 are one key.
func compileMap(c *compiler, n *node) *code {
	x := c.compile(n.kids[0])
	if n.kids[1].kind != nodeMap {
		return c.bad(n.kids[1], "the second argument of map must be a map", "write map(x, {'a': 'b', 'c': 'd'})")
	}
	ok := !x.bad
	t := nullType
	values := map[string]schemas.Value{}
	pairs := n.kids[1].kids
	for i := 0; i < len(pairs); i += 2 {
		key, value := c.compile(pairs[i]), c.compile(pairs[i+1])
		if key.bad || value.bad || x.bad {
			ok = false
			continue
		}
		if key.constant == nil || value.constant == nil {
			c.bad(pairs[i], "a map holds constants only", "write 'a': 'b'; for computed values use case when … then … end")
			ok = false
			continue
		}
		if !c.comparable(n, x, key, n.kids[0], pairs[i]) {
			ok = false
			continue
		}
		if never := unreachable(n.kids[0], key.constant); never != "" {
			c.bad(pairs[i], fmt.Sprintf("%s never gives %s", c.snip(n.kids[0]), c.snip(pairs[i])), fmt.Sprintf("write '%s'", never))
			ok = false
			continue
		}
		id := string(schemas.AppendCanonical(nil, *key.constant))
		if _, twice := values[id]; twice {
			c.bad(pairs[i], fmt.Sprintf("%s stands twice in the map", c.snip(pairs[i])), "remove one of the two")
			ok = false
		}
		values[id] = *value.constant
		if u, fits := c.unified(t, value.typ, pairs[i+1]); fits {
			t = u
		} else {
			ok = false
		}
	}
	var otherwise *code
	if len(n.kids) == 3 {
		if otherwise = c.compile(n.kids[2]); otherwise.bad {
			ok = false
		} else if u, fits := c.unified(t, otherwise.typ, n.kids[2]); fits {
			t = u
		} else {
			ok = false
		}
	}
	if !ok {
		return badCode
	}
	at, what := c.site(n), c.snip(n.kids[0])
	return c.made(n, t, func(m *machine) schemas.Value {
		v := x.eval(m)
		if v.Kind == schemas.KindNull {
			return v
		}
		start := len(m.bytes)
		m.bytes = schemas.AppendCanonical(m.bytes, v)
		out, found := values[string(m.bytes[start:])]
		m.bytes = m.bytes[:start]
		switch {
		case found:
			return out
		case otherwise != nil:
			return otherwise.eval(m)
		}
		return m.failAs(fault.RulesNotInMap, at, fmt.Sprintf("%s is %s, which the map does not have", what, display(v)), "add it to the map, or give map(…) a default as its third argument")
	})
}

func compileFault(c *compiler, n *node) *code {
	t := c.text(n.kids[0])
	if t.bad {
		return t
	}
	at := c.site(n)
	return c.made(n, nullType, func(m *machine) schemas.Value {
		return m.failAs(fault.RulesParked, at, string(t.eval(m).Bytes), "correct the product in the source")
	})
}

// compileTry gives another value where the first stops the product. Only the fault of its own argument is taken back.
func compileTry(c *compiler, n *node) *code {
	x, other := c.compile(n.kids[0]), c.compile(n.kids[1])
	if x.bad || other.bad {
		return badCode
	}
	t, ok := c.unified(x.typ, other.typ, n.kids[1])
	if !ok {
		return badCode
	}
	return c.made(n, t, func(m *machine) schemas.Value {
		if m.fault != nil {
			return schemas.Null
		}
		v := x.eval(m)
		if m.fault != nil {
			m.fault = nil
			return other.eval(m)
		}
		return v
	})
}

// unreachable says what a key of map(lower(x), …) would have to be if it is nothing that lower, or what else stands there, can give.
func unreachable(x *node, key *schemas.Value) string {
	want := key.Bytes
	for ; key.Kind == schemas.KindText && x.kind == nodeCall && normalizers[x.name] != nil; x = x.kids[0] {
		want = normalizers[x.name](want)
	}
	if bytes.Equal(want, key.Bytes) {
		return ""
	}
	return string(want)
}

// normalizers are the functions that people put around the value of a map.
var normalizers = map[string]func(b []byte) []byte{
	"lower": bytes.ToLower,
	"upper": bytes.ToUpper,
	"trim":  trimSpace,
	"nfc":   norm.NFC.Bytes,
	"clean": func(b []byte) []byte { return new(machine).cleaned(b, false).Bytes },
	"fold":  func(b []byte) []byte { return new(machine).cleaned(b, true).Bytes },
}

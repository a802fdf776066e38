package rules

import "fmt"

// word parses what begins with a name: a keyword, a literal such as date '2026-01-01', a call, or a reference.
func (p *parser) word() *node {
	t := p.tok
	switch t.text {
	case "true", "false":
		p.advance()
		return &node{kind: nodeLiteral, pos: t.pos, end: t.end, value: boolValue(t.text == "true")}
	case "null":
		p.advance()
		return &node{kind: nodeLiteral, pos: t.pos, end: t.end}
	case "not":
		p.advance()
		kid := p.expr(bindNot)
		return &node{kind: nodeUnary, op: "not", pos: t.pos, end: p.prev, kids: []*node{kid}}
	case "case":
		return p.caseOf()
	}
	if keywords[t.text] {
		p.fail(t.pos, fmt.Sprintf("a value is missing before `%s`", t.text), fmt.Sprintf("write a value here; if %s is a column, write it in backticks", t.text))
		return &node{kind: nodeLiteral, pos: t.pos, end: t.end}
	}
	if parse, ok := literalWords[t.text]; ok {
		if n := p.typedLiteral(t, parse); n != nil {
			return n
		}
	}
	return p.reference()
}

// typedLiteral parses date '…' and its like, or gives nil if no text follows the word.
func (p *parser) typedLiteral(t token, parse literalParser) *node {
	ahead := p.lex
	next, err := ahead.next()
	if err != nil || next.kind != tokText {
		return nil
	}
	p.advance()
	p.advance()
	v, ok := parse(next.text)
	if !ok {
		p.fail(next.pos, fmt.Sprintf("'%s' is no %s", next.text, t.text), "write "+literalForms[t.text])
	}
	return &node{kind: nodeLiteral, pos: t.pos, end: next.end, value: v}
}

// reference parses a name, scope.name, or a call.
func (p *parser) reference() *node {
	t := p.tok
	p.advance()
	n := &node{kind: nodeName, pos: t.pos, end: t.end, name: t.text}
	if t.kind == tokName && p.isOp("(") {
		return p.call(t)
	}
	if !p.accept(".") {
		return n
	}
	if p.tok.kind != tokQuoted && (p.tok.kind != tokName || keywords[p.tok.text]) {
		p.fail(p.tok.pos, fmt.Sprintf("a column's name is missing after %s.", t.text), "write a column of it, in backticks if it is no word")
		return n
	}
	n.scope, n.name, n.end = t.text, p.tok.text, p.tok.end
	p.advance()
	if p.isOp(".") {
		p.fail(p.tok.pos, "a name has at most two parts", "write <lookup>.<column>")
	}
	return n
}

// call parses the arguments, then where and order, each with or without a comma before and a colon after it.
func (p *parser) call(name token) *node {
	n := &node{kind: nodeCall, pos: name.pos, name: name.text}
	p.advance()
	for first := true; p.err == nil && !p.isOp(")"); first = false {
		comma := !first && p.accept(",")
		switch {
		case p.isWord("where") && !first && n.where == nil && n.valid == nil && n.order == nil:
			p.advance()
			p.accept(":")
			n.where = p.expr(bindNone)
		case p.isWord("valid") && !first && !comma && n.valid == nil && n.order == nil:
			p.advance()
			n.valid = p.span()
		case p.isWord("order") && !first && n.order == nil:
			p.advance()
			p.accept(":")
			n.order = p.orderKeys()
		case first || comma && n.where == nil && n.valid == nil && n.order == nil:
			n.kids = append(n.kids, p.expr(bindNone))
		default:
			p.unclosed(name)
		}
	}
	p.expect(")", "at the end of "+name.text+"(…)")
	n.end = p.prev
	return n
}

func (p *parser) unclosed(name token) {
	switch {
	case p.tok.kind == tokEnd:
		p.fail(p.tok.pos, fmt.Sprintf(") is missing at the end of %s(…)", name.text), "write ) here")
	case p.isWord("where") || p.isWord("valid") || p.isWord("order"):
		p.fail(p.tok.pos, fmt.Sprintf("`%s` is at the wrong place", p.tok.text), "write where before valid before order, each once: first(prices, price where … valid [from, to] order …)")
	default:
		p.fail(p.tok.pos, fmt.Sprintf("a comma or ) is missing before %s", p.lex.src[p.tok.pos:p.tok.end]), "separate arguments with commas")
	}
}

// span parses "[from, to]".
func (p *parser) span() []*node {
	p.expect("[", "after valid")
	from := p.expr(bindNone)
	p.expect(",", "between the ends of valid")
	to := p.expr(bindNone)
	p.expect("]", "at the end of valid")
	return []*node{from, to}
}

// orderKeys parses "a desc, b" or "[a desc, b]".
func (p *parser) orderKeys() []orderKey {
	bracket := p.accept("[")
	var keys []orderKey
	for p.err == nil {
		keys = append(keys, p.orderKey())
		if !p.accept(",") {
			break
		}
	}
	if bracket {
		p.expect("]", "at the end of the order")
	}
	return keys
}

func (p *parser) orderKey() orderKey {
	k := orderKey{expr: p.expr(bindNone)}
	if p.accept("desc") {
		k.desc = true
	} else {
		p.accept("asc")
	}
	k.nullsLast = k.desc
	if p.accept("nulls") {
		switch {
		case p.isWord("first"):
			k.nullsLast = false
			p.advance()
		case p.isWord("last"):
			k.nullsLast = true
			p.advance()
		default:
			p.fail(p.tok.pos, "`nulls` wants first or last", "write nulls first or nulls last")
		}
	}
	return k
}

func (p *parser) caseOf() *node {
	n := &node{kind: nodeCase, pos: p.tok.pos}
	p.advance()
	if !p.isWord("when") && p.err == nil {
		p.fail(p.tok.pos, "`case` is followed by when", "write case when condition then value else value end, or map(x, {'a': 'b'})")
		return n
	}
	for p.err == nil && p.accept("when") {
		n.kids = append(n.kids, p.expr(bindNone))
		p.expect("then", "after the condition of when")
		n.kids = append(n.kids, p.expr(bindNone))
	}
	if p.accept("else") {
		n.kids = append(n.kids, p.expr(bindNone))
	}
	p.expect("end", "at the end of case")
	n.end = p.prev
	return n
}

// mapping parses {key: value, …} as map(…) takes it.
func (p *parser) mapping() *node {
	n := &node{kind: nodeMap, pos: p.tok.pos}
	p.advance()
	for p.err == nil && !p.isOp("}") {
		n.kids = append(n.kids, p.expr(bindNone))
		p.expect(":", "between key and value")
		n.kids = append(n.kids, p.expr(bindNone))
		if !p.accept(",") {
			break
		}
	}
	p.expect("}", "at the end of the map")
	n.end = p.prev
	return n
}

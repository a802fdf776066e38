package rules

import (
	"fmt"
	"strconv"
	"strings"

	"shelfstream/schemas"
)

// maxDepth bounds how deep an expression may nest, and maxOperators how long it may be, so that no input can exhaust the stack.
const (
	maxDepth     = 100
	maxOperators = 1000
)

// keywords cannot be names without backticks.
var keywords = map[string]bool{
	"and": true, "or": true, "not": true, "in": true, "between": true, "is": true, "null": true, "true": true, "false": true,
	"case": true, "when": true, "then": true, "else": true, "end": true, "where": true, "order": true, "asc": true, "desc": true, "nulls": true,
}

// binding powers, from loose to tight.
const (
	bindNone = iota
	bindOr
	bindAnd
	bindNot
	bindCompare
	bindConcat
	bindAdd
	bindMul
	bindNeg
)

var infix = map[string]int{
	"or": bindOr, "and": bindAnd,
	"=": bindCompare, "<>": bindCompare, "!=": bindCompare, "<": bindCompare, "<=": bindCompare, ">": bindCompare, ">=": bindCompare,
	"in": bindCompare, "between": bindCompare, "is": bindCompare, "not": bindCompare,
	"||": bindConcat, "+": bindAdd, "-": bindAdd, "*": bindMul, "/": bindMul, "%": bindMul,
}

// parser is a Pratt parser with one token of look-ahead. The first problem ends it, as what follows would only be guesses.
type parser struct {
	lex   lexer
	tok   token
	prev  int // end of the token before tok
	depth int
	ops   int
	err   *problem
}

// parseExpr parses one whole expression.
func parseExpr(src string) (*node, *problem) {
	p := &parser{lex: lexer{src: src}}
	p.advance()
	if p.err == nil && p.tok.kind == tokEnd {
		return nil, &problem{what: "the expression is empty", fix: "write an expression, or null"}
	}
	n := p.expr(bindNone)
	p.finish()
	if p.err != nil {
		return nil, p.err
	}
	return n, nil
}

// parseOrderKey parses "expression [asc|desc] [nulls first|last]".
func parseOrderKey(src string) (orderKey, *problem) {
	p := &parser{lex: lexer{src: src}}
	p.advance()
	if p.err == nil && p.tok.kind == tokEnd {
		return orderKey{}, &problem{what: "the key is empty", fix: "write an expression, then asc or desc"}
	}
	k := p.orderKey()
	p.finish()
	if p.err != nil {
		return orderKey{}, p.err
	}
	return k, nil
}

// finish asks for the end.
func (p *parser) finish() {
	if p.err != nil || p.tok.kind == tokEnd {
		return
	}
	switch {
	case p.tok.kind == tokName && keywords[strings.ToLower(p.tok.text)] && !keywords[p.tok.text]:
		p.fail(p.tok.pos, fmt.Sprintf("unexpected %s", p.tok.text), "keywords are lower-case: "+strings.ToLower(p.tok.text))
	case p.tok.text == ")" || p.tok.text == "]" || p.tok.text == "}":
		p.fail(p.tok.pos, fmt.Sprintf("this %s closes nothing", p.tok.text), "remove it, or open it before")
	case p.tok.kind == tokName || p.tok.kind == tokQuoted || p.tok.kind == tokText || p.tok.kind == tokNumber:
		fix := "join values with an operator such as +, || or and"
		before := p.lex.src[strings.LastIndexAny(p.lex.src[:p.prev], " (,")+1 : p.prev]
		if l := strings.ToLower(before); keywords[l] && !keywords[before] {
			fix = "keywords are lower-case: " + l
		}
		p.fail(p.tok.pos, fmt.Sprintf("an operator is missing before %s", p.lex.src[p.tok.pos:p.tok.end]), fix)
	default:
		p.fail(p.tok.pos, fmt.Sprintf("unexpected %s", p.tok.text), "end the expression before it")
	}
}

func (p *parser) fail(pos int, what, fix string) {
	if p.err == nil {
		p.err = &problem{pos: pos, what: what, fix: fix}
	}
	p.tok = token{kind: tokEnd, pos: len(p.lex.src), end: len(p.lex.src)}
}

func (p *parser) advance() {
	p.prev = p.tok.end
	if p.err != nil {
		return
	}
	tok, err := p.lex.next()
	if err != nil {
		p.fail(err.pos, err.what, err.fix)
		return
	}
	p.tok = tok
}

func (p *parser) isOp(s string) bool   { return p.tok.kind == tokOp && p.tok.text == s }
func (p *parser) isWord(s string) bool { return p.tok.kind == tokName && p.tok.text == s }

func (p *parser) accept(s string) bool {
	if p.isOp(s) || p.isWord(s) {
		p.advance()
		return true
	}
	return false
}

func (p *parser) expect(s, where string) {
	if !p.accept(s) {
		p.fail(p.tok.pos, fmt.Sprintf("%s is missing %s", s, where), fmt.Sprintf("write %s here", s))
	}
}

// expr parses whatever binds tighter than bind.
func (p *parser) expr(bind int) *node {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.tok.pos, "the expression is nested too deeply", "split it: set a field in an earlier rule and use that")
	}
	defer func() { p.depth-- }()
	left := p.operand()
	for p.err == nil {
		power := 0
		if p.tok.kind == tokOp || p.tok.kind == tokName {
			power = infix[p.tok.text]
		}
		if power <= bind {
			return left
		}
		if power == bindCompare && isComparison(left) && !left.bracket {
			p.fail(p.tok.pos, "a comparison of a comparison", "write a < b and b < c, or use brackets")
			return left
		}
		left = p.infix(left, power)
	}
	return left
}

func isComparison(n *node) bool {
	switch n.kind {
	case nodeIn, nodeBetween, nodeIsNull:
		return true
	case nodeBinary:
		return infix[n.op] == bindCompare
	default:
		return false
	}
}

func (p *parser) infix(left *node, power int) *node {
	op := p.tok
	if p.ops++; p.ops > maxOperators {
		p.fail(op.pos, "the expression is too long", "split it: set a field in an earlier rule and use that")
		return left
	}
	p.advance()
	not := false
	if op.text == "not" {
		if not = true; !p.isWord("in") && !p.isWord("between") {
			p.fail(op.pos, "`not` stands between two values", "write `not in`, `not between`, or put not in front of the condition")
			return left
		}
		op = p.tok
		p.advance()
	}
	n := &node{pos: left.pos, op: op.text, not: not, kids: []*node{left}}
	switch {
	case op.kind == tokName && op.text == "is":
		n.kind = nodeIsNull
		n.not = p.accept("not")
		if !p.accept("null") {
			p.fail(p.tok.pos, "`is` asks for null only", "write `is null`, `is not null`, or = for a comparison")
		}
	case op.kind == tokName && op.text == "in":
		n.kind = nodeIn
		n.kids = append(n.kids, p.list()...)
	case op.kind == tokName && op.text == "between":
		n.kind = nodeBetween
		low := p.expr(bindCompare)
		p.expect("and", "between the bounds of between")
		n.kids = append(n.kids, low, p.expr(bindCompare))
	default:
		n.kind = nodeBinary
		if n.op == "!=" {
			n.op = "<>"
		}
		n.kids = append(n.kids, p.expr(power))
	}
	n.end = p.prev
	return n
}

// list parses "[a, b]" or "(a, b)".
func (p *parser) list() []*node {
	closing := "]"
	if p.isOp("(") {
		closing = ")"
	} else if !p.isOp("[") {
		p.fail(p.tok.pos, "`in` wants a list", "write in ['a', 'b']")
		return nil
	}
	p.advance()
	var out []*node
	for p.err == nil {
		out = append(out, p.expr(bindNone))
		if !p.accept(",") {
			break
		}
	}
	p.expect(closing, "at the end of the list")
	return out
}

// operand parses a value with its prefix operators.
func (p *parser) operand() *node {
	t := p.tok
	switch {
	case t.kind == tokNumber:
		p.advance()
		return p.number(t)
	case t.kind == tokText:
		p.advance()
		return &node{kind: nodeLiteral, pos: t.pos, end: t.end, value: schemas.Text(t.text)}
	case t.kind == tokOp && t.text == "(":
		p.advance()
		n := p.expr(bindNone)
		p.expect(")", "at the end of the bracket")
		n.bracket = true
		return n
	case t.kind == tokOp && t.text == "-":
		p.advance()
		return p.negative(t)
	case t.kind == tokOp && t.text == "{":
		return p.mapping()
	case t.kind == tokQuoted:
		return p.reference()
	case t.kind == tokName:
		return p.word()
	case t.kind == tokOp && t.text == "[":
		p.fail(t.pos, "a list stands only after in", "write x in ['a', 'b']")
	case t.kind == tokEnd:
		p.fail(t.pos, "the expression ends too early", "write a value here")
	default:
		p.fail(t.pos, fmt.Sprintf("a value is missing before %s", t.text), "write a column, a number, a 'text' or a function here")
	}
	return &node{kind: nodeLiteral, pos: t.pos, end: t.end}
}

func (p *parser) negative(minus token) *node {
	kid := p.expr(bindNeg)
	if kid.kind == nodeLiteral && (kid.value.Kind == schemas.KindInt || kid.value.Kind == schemas.KindDecimal) {
		if v, err := schemas.NegDec(kid.value); err == nil {
			return &node{kind: nodeLiteral, pos: minus.pos, end: p.prev, value: v}
		}
	}
	return &node{kind: nodeUnary, op: "-", pos: minus.pos, end: p.prev, kids: []*node{kid}}
}

func (p *parser) number(t token) *node {
	n := &node{kind: nodeLiteral, pos: t.pos, end: t.end}
	if i, err := strconv.ParseInt(t.text, 10, 64); err == nil {
		n.value = schemas.Int(i)
		return n
	}
	v, err := schemas.ParseDecimal(t.text)
	if err != nil || v.Scale > maxScale || len(t.text) > 2*maxPrecision {
		p.fail(t.pos, "this number has too many digits", fmt.Sprintf("at most %d digits can be stored", maxPrecision))
	}
	n.value = v
	return n
}

package rules

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokName
	tokQuoted // a name in backticks
	tokNumber
	tokText
	tokOp
)

// token is one word of an expression. pos and end are byte offsets into the expression.
type token struct {
	kind     tokenKind
	pos, end int
	// text is the name, the number as written, the text's content, or the operator.
	text string
}

// problem is a fault of an expression before it has a place in a file.
type problem struct {
	pos       int
	what, fix string
}

func (p *problem) Error() string { return p.what }

// lexer cuts an expression into tokens.
type lexer struct {
	src string
	at  int
}

var operators = []string{"||", "<=", ">=", "<>", "!=", "+", "-", "*", "/", "%", "(", ")", "[", "]", "{", "}", ",", ".", ":", "=", "<", ">"}

// strangers are what people from other languages write, with what to write here.
var strangers = []struct{ text, what, fix string }{
	{"==", "`==` is no operator", "write ="},
	{"&&", "`&&` is no operator", "write and"},
	{"!", "`!` is no operator", "write not"},
	{"\"", "a text stands in single quotes", "write 'text'; a quote inside is doubled: 'it''s'"},
	{"?", "`?` is no operator", "write if(condition, then, else)"},
	{";", "`;` has no meaning here", "write one expression for each field"},
	{"~", "`~` is no operator", "write matches(text, 'expression')"},
	{"#", "`#` has no meaning here", "put comments after the expression, outside its quotes"},
	{"|", "`|` is no operator", "write || to join texts, or `or`"},
	{"&", "`&` is no operator", "write || to join texts, or `and`"},
	{"@", "`@` has no meaning here", "a name that is no word is written in backticks: `No@`"},
	{"$", "`$` has no meaning here", "a name that is no word is written in backticks: `CRONUS$Item`"},
	{"^", "`^` is no operator", "multiply: x * x"},
}

func nameStart(r rune) bool { return r == '_' || unicode.IsLetter(r) }
func nameRune(r rune) bool  { return nameStart(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) }

func (l *lexer) next() (token, *problem) {
	for l.at < len(l.src) {
		r, n := utf8.DecodeRuneInString(l.src[l.at:])
		if !unicode.IsSpace(r) {
			break
		}
		l.at += n
	}
	pos := l.at
	if pos == len(l.src) {
		return token{kind: tokEnd, pos: pos, end: pos}, nil
	}
	rest := l.src[pos:]
	r, _ := utf8.DecodeRuneInString(rest)
	switch {
	case nameStart(r):
		return l.name(pos), nil
	case r >= '0' && r <= '9':
		return l.number(pos)
	case r == '\'':
		return l.text(pos)
	case r == '`':
		return l.quoted(pos)
	}
	for _, s := range strangers {
		if strings.HasPrefix(rest, s.text) && !strings.HasPrefix(rest, "!=") && !strings.HasPrefix(rest, "||") {
			return token{}, &problem{pos: pos, what: s.what, fix: s.fix}
		}
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			l.at += len(op)
			return token{kind: tokOp, pos: pos, end: l.at, text: op}, nil
		}
	}
	return token{}, &problem{pos: pos, what: fmt.Sprintf("%q has no meaning here", r), fix: "a text stands in single quotes, a name that is no word in backticks"}
}

func (l *lexer) name(pos int) token {
	for l.at < len(l.src) {
		r, n := utf8.DecodeRuneInString(l.src[l.at:])
		if !nameRune(r) {
			break
		}
		l.at += n
	}
	return token{kind: tokName, pos: pos, end: l.at, text: l.src[pos:l.at]}
}

func (l *lexer) number(pos int) (token, *problem) {
	digits := func() {
		for l.at < len(l.src) && l.src[l.at] >= '0' && l.src[l.at] <= '9' {
			l.at++
		}
	}
	digits()
	if l.at+1 < len(l.src) && l.src[l.at] == '.' && l.src[l.at+1] >= '0' && l.src[l.at+1] <= '9' {
		l.at++
		digits()
	}
	if l.at < len(l.src) {
		if r, _ := utf8.DecodeRuneInString(l.src[l.at:]); nameStart(r) {
			return token{}, &problem{pos: pos, what: fmt.Sprintf("%q is neither a number nor a name", l.src[pos:l.at]+string(r)), fix: "a name that begins with a digit is written in backticks; numbers have no exponent"}
		}
	}
	return token{kind: tokNumber, pos: pos, end: l.at, text: l.src[pos:l.at]}, nil
}

func (l *lexer) text(pos int) (token, *problem) {
	var b strings.Builder
	for i := pos + 1; i < len(l.src); i++ {
		if l.src[i] != '\'' {
			b.WriteByte(l.src[i])
			continue
		}
		if i+1 < len(l.src) && l.src[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		l.at = i + 1
		return token{kind: tokText, pos: pos, end: l.at, text: b.String()}, nil
	}
	return token{}, &problem{pos: pos, what: "this text has no closing quote", fix: "close it with '; a quote inside is doubled: 'it''s'; in YAML, ` #` begins a comment unless the whole expression stands in quotes"}
}

func (l *lexer) quoted(pos int) (token, *problem) {
	end := strings.IndexByte(l.src[pos+1:], '`')
	if end < 0 {
		return token{}, &problem{pos: pos, what: "this name has no closing backtick", fix: "write `name`"}
	}
	l.at = pos + 1 + end + 1
	if end == 0 {
		return token{}, &problem{pos: pos, what: "a name in backticks is empty", fix: "write the column's name between the backticks"}
	}
	return token{kind: tokQuoted, pos: pos, end: l.at, text: l.src[pos+1 : l.at-1]}, nil
}

package mysql

import (
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// effect is what a statement of the log does to the transaction it stands in and to tables.
type effect struct {
	kind   effectKind
	tables []tableName // those it names; a schema that it leaves out is ""
	xid    string      // of an XA statement
}

// tableName is a table as a statement or an event names it.
type tableName struct{ schema, name string }

type effectKind byte

const (
	noEffect    effectKind = iota
	begins                 // BEGIN
	commits                // COMMIT
	rollsBack              // ROLLBACK
	rollsPart              // ROLLBACK TO a savepoint
	begunXA                // XA START: the rows that follow are prepared, and count from XA COMMIT on
	endsXA                 // XA END: the rows of xid were those up to here
	commitsXA              // XA COMMIT of what was prepared before, or in the same breath
	rollsBackXA            // XA ROLLBACK
	truncates              // all rows of the tables are gone
	alters                 // rows of the tables may be others now
	adjusts                // the tables' definitions may be others; rows that nobody writes stay as they are, a new column is null in them
	creates                // the tables exist from here on
	replaces               // the tables exist from here on, and others of the name may have gone
	drops                  // the tables are gone
	dropsSchema            // every table of the schemas, which stand in tables, is gone
	writes                 // a change of rows that is logged as a statement, whose rows are therefore not known
)

// statementOf reads the text of a QUERY event. It knows the statements that servers log; where one could touch a table in a way that it does not know, it says so
// rather than not, since reading a table anew costs time and missing a change costs the truth.
func statementOf(query []byte) effect {
	if len(query) <= 8 { // the most frequent two need no reading
		switch string(query) {
		case "BEGIN":
			return effect{kind: begins}
		case "COMMIT":
			return effect{kind: commits}
		}
	}
	p := &phrase{words: tokens(query)}
	switch verb := p.take(); verb {
	case "BEGIN", "START":
		return effect{kind: begins}
	case "COMMIT":
		return effect{kind: commits}
	case "ROLLBACK":
		if p.has("TO") {
			return effect{kind: rollsPart}
		}
		return effect{kind: rollsBack}
	case "XA":
		e := effect{kind: map[string]effectKind{"START": begunXA, "BEGIN": begunXA, "END": endsXA, "COMMIT": commitsXA, "ROLLBACK": rollsBackXA}[p.take()]}
		if f := strings.SplitN(string(query), " ", 3); len(f) == 3 {
			e.xid, _, _ = strings.Cut(f[2], " ONE PHASE")
		}
		return e
	case "TRUNCATE":
		p.skip("TABLE")
		return effect{kind: truncates, tables: p.names()}
	case "RENAME":
		if !p.has("TABLE", "TABLES") {
			return effect{}
		}
		return effect{kind: alters, tables: p.all()}
	case "DROP":
		return p.drop()
	case "CREATE":
		return p.create()
	case "ALTER":
		return p.alter()
	case "INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH", "CALL", "HANDLER":
		return effect{kind: writes, tables: p.all()}
	}
	return effect{}
}

func (p *phrase) drop() effect {
	temporary := p.skip("TEMPORARY")
	switch {
	case p.has("DATABASE", "SCHEMA"):
		p.take()
		p.skip("IF", "EXISTS")
		return effect{kind: dropsSchema, tables: []tableName{{schema: p.takeName()}}}
	case temporary || !p.has("TABLE", "TABLES"):
		return effect{}
	}
	p.take()
	p.skip("IF", "EXISTS")
	return effect{kind: drops, tables: p.names()}
}

func (p *phrase) create() effect {
	kind := creates
	if p.skip("OR", "REPLACE") {
		kind = replaces
	}
	if !p.skip("TABLE") { // also TEMPORARY TABLE
		return effect{}
	}
	p.skip("IF", "NOT", "EXISTS")
	return effect{kind: kind, tables: p.names()[:1]}
}

func (p *phrase) alter() effect {
	p.skip("ONLINE")
	p.skip("OFFLINE")
	p.skip("IGNORE")
	if !p.skip("TABLE") {
		return effect{}
	}
	p.skip("IF", "EXISTS")
	e := effect{kind: adjusts, tables: []tableName{p.name()}}
	for spec := range p.specs() {
		if !adjusting(spec) {
			p.words = p.whole
			return effect{kind: alters, tables: append(e.tables, p.all()...)}
		}
	}
	return e
}

// harmless are the first words of what ALTER TABLE can do without changing a row.
var harmless = []string{
	"COMMENT", "ENGINE", "AUTO_INCREMENT", "ROW_FORMAT", "KEY_BLOCK_SIZE", "ALGORITHM", "LOCK", "FORCE", "ENABLE", "DISABLE", "STATS_PERSISTENT",
	"STATS_AUTO_RECALC", "STATS_SAMPLE_PAGES", "AVG_ROW_LENGTH", "MAX_ROWS", "MIN_ROWS", "CHECKSUM", "NOWAIT", "WAIT", "ALTER", "DEFAULT", "CHARACTER", "CHARSET",
	"COLLATE", "PARTITION", "REORGANIZE", "COALESCE", "REMOVE", "ANALYZE", "OPTIMIZE", "REBUILD", "CHECK", "ORDER",
}

// adjusting says whether one of the things that an ALTER TABLE does leaves all rows as they are, apart from new columns that are null.
func adjusting(spec []token) bool {
	p := &phrase{words: spec}
	switch {
	case len(spec) == 0:
		return true
	case p.skip("RENAME"):
		return p.has("INDEX", "KEY")
	case p.skip("DROP"):
		return p.has("INDEX", "KEY", "FOREIGN", "CONSTRAINT", "CHECK")
	case p.skip("ADD"):
		if p.has("INDEX", "KEY", "UNIQUE", "FULLTEXT", "SPATIAL", "FOREIGN", "CHECK", "PARTITION") {
			return true
		}
		if p.has("CONSTRAINT") {
			return !p.hasLater("PRIMARY")
		}
		if p.has("PRIMARY") {
			return false
		}
		for i := range p.words {
			// What else could give old rows a value. TIMESTAMP has a default of its own on some servers; a list in parentheses is not looked into.
			switch p.words[i].keyword() {
			case "NOT", "GENERATED", "AS", "AUTO_INCREMENT", "SERIAL", "TIMESTAMP", "PRIMARY":
				return false
			case "DEFAULT":
				if i+1 >= len(p.words) || p.words[i+1].keyword() != "NULL" {
					return false
				}
			case "(":
				if i < 2 {
					return false
				}
			}
		}
		return true
	}
	return slices.Contains(harmless, p.words[0].keyword())
}

// phrase is a statement being read.
type phrase struct{ words, whole []token }

func (p *phrase) peek() token {
	if len(p.words) == 0 {
		return token{}
	}
	return p.words[0]
}

// take gives the next word, in capitals, "" at the end or for a quoted name.
func (p *phrase) take() string {
	t := p.peek()
	if p.whole == nil {
		p.whole = p.words
	}
	p.words = p.words[min(1, len(p.words)):]
	return t.keyword()
}

// has says whether the next word is one of these.
func (p *phrase) has(words ...string) bool { return slices.Contains(words, p.peek().keyword()) }

// hasLater says whether the word stands anywhere in the rest.
func (p *phrase) hasLater(word string) bool {
	return slices.ContainsFunc(p.words, func(t token) bool { return t.keyword() == word })
}

// skip goes past these words if they are next.
func (p *phrase) skip(words ...string) bool {
	if len(p.words) < len(words) {
		return false
	}
	for i, w := range words {
		if p.words[i].keyword() != w {
			return false
		}
	}
	p.words = p.words[len(words):]
	return true
}

func (p *phrase) takeName() string {
	t := p.peek()
	p.words = p.words[min(1, len(p.words)):]
	return t.text
}

// name reads a name that may have a schema before it.
func (p *phrase) name() tableName {
	n := tableName{name: p.takeName()}
	if p.has(".") {
		p.words = p.words[1:]
		n.schema, n.name = n.name, p.takeName()
	}
	return n
}

// names reads a list of names; there is at least one.
func (p *phrase) names() []tableName {
	l := []tableName{p.name()}
	for p.skip(",") {
		l = append(l, p.name())
	}
	return l
}

// all gives whatever in the statement could be a table's name.
func (p *phrase) all() (l []tableName) {
	for len(p.words) > 0 {
		if !p.words[0].isName() {
			p.words = p.words[1:]
			continue
		}
		l = append(l, p.name())
	}
	return l
}

// specs are the parts between the commas outside of parentheses.
func (p *phrase) specs() iter.Seq[[]token] {
	return func(yield func([]token) bool) {
		depth, from := 0, 0
		for i, t := range p.words {
			switch t.keyword() {
			case "(":
				depth++
			case ")":
				depth--
			case ",":
				if depth == 0 {
					if !yield(p.words[from:i]) {
						return
					}
					from = i + 1
				}
			}
		}
		yield(p.words[from:])
	}
}

// token is a word, a name in quotes, or a sign. Texts and numbers are left out of statements.
type token struct {
	text   string
	quoted bool
}

// keyword is the token in capitals, "" for a name in quotes.
func (t token) keyword() string {
	if t.quoted {
		return ""
	}
	return strings.ToUpper(t.text)
}

func (t token) isName() bool { return t.quoted || t.text != "" && isWord(rune(t.text[0])) }

func isWord(r rune) bool {
	return r == '_' || r == '$' || r >= 0x80 || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

// tokens cuts a statement up. What stands in /*! … */ and /*M! … */ is part of it.
func tokens(query []byte) (l []token) {
	s := string(query)
	if !utf8.ValidString(s) { // a client of another character set
		r := make([]rune, len(query))
		for i, b := range query {
			r[i] = rune(b)
		}
		s = string(r)
	}
	for s != "" {
		c := s[0]
		switch {
		case strings.HasPrefix(s, "/*!") || strings.HasPrefix(s, "/*M!"):
			s = strings.TrimLeft(s[strings.IndexByte(s, '!')+1:], "0123456789")
		case strings.HasPrefix(s, "*/"):
			s = s[2:]
		case strings.HasPrefix(s, "/*"):
			s = after(s[2:], "*/")
		case c == '#' || strings.HasPrefix(s, "-- ") || strings.HasPrefix(s, "--\n") || strings.HasPrefix(s, "--\t"):
			s = after(s, "\n")
		case c == '`' || c == '"':
			var text string
			text, s = quotedText(s)
			l = append(l, token{text, true})
		case c == '\'':
			_, s = quotedText(s)
			l = append(l, token{text: "'"})
		case isWord(rune(c)):
			n := strings.IndexFunc(s, func(r rune) bool { return !isWord(r) })
			if n < 0 {
				n = len(s)
			}
			l = append(l, token{text: s[:n]})
			s = s[n:]
		default:
			if c > ' ' {
				l = append(l, token{text: s[:1]})
			}
			s = s[1:]
		}
	}
	return l
}

// quotedText reads a text that begins with a quote, and gives it and the rest. A doubled quote stands for itself; a backslash takes the next character with
// it, except in a name.
func quotedText(s string) (text, rest string) {
	q := s[0]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && q != '`' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case c == q && i+1 < len(s) && s[i+1] == q:
			i++
			b.WriteByte(q)
		case c == q:
			return b.String(), s[i+1:]
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

func after(s, mark string) string {
	if _, rest, ok := strings.Cut(s, mark); ok {
		return rest
	}
	return ""
}

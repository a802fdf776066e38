package rules

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"shelfstream/schemas"
)

// compileNFC composes letters and their accents: macOS and some scanners write å as a and a ring, and such texts equal no other.
func compileNFC(c *compiler, n *node) *code {
	return c.onText(n, textType, func(m *machine, b []byte) schemas.Value {
		if norm.NFC.IsNormal(b) {
			return textOf(b)
		}
		start := len(m.bytes)
		m.bytes = append(m.bytes, m.composed(b)...)
		return m.made(start)
	})
}

// composed is b in NFC, valid until the next call. It has a buffer of its own: norm's Append would join a leading accent to the text before it.
func (m *machine) composed(b []byte) []byte {
	if norm.NFC.IsNormal(b) {
		return b
	}
	m.scratch = norm.NFC.Append(m.scratch[:0], b...)
	return m.scratch
}

func compileClean(c *compiler, n *node) *code {
	return c.onText(n, textType, func(m *machine, b []byte) schemas.Value { return m.cleaned(b, false) })
}

// compileFold makes what differs only in case, white space or accents' encoding equal.
func compileFold(c *compiler, n *node) *code {
	return c.onText(n, textType, func(m *machine, b []byte) schemas.Value { return m.cleaned(b, true) })
}

// AppendFold is the function fold outside of rules: a lookup may be found by texts that only mean the same word.
func AppendFold(dst, text []byte) []byte {
	var m machine
	return append(dst, m.cleaned(text, true).Bytes...)
}

// cleaned composes last: what is left out may have stood between a letter and its accent.
func (m *machine) cleaned(b []byte, fold bool) schemas.Value {
	start := len(m.bytes)
	m.bytes = appendClean(m.bytes, b)
	m.bytes = append(m.bytes[:start], m.composed(m.bytes[start:])...)
	if fold {
		end := len(m.bytes)
		for at := start; at < end; {
			r, size := utf8.DecodeRune(m.bytes[at:end])
			m.bytes = utf8.AppendRune(m.bytes, foldRune(r))
			at += size
		}
		m.bytes = append(m.bytes[:start], m.composed(m.bytes[end:])...)
	}
	return m.made(start)
}

// foldRune goes by way of the capital, so that letters with two small forms (σ and ς, s and ſ) meet.
func foldRune(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }

// appendClean leaves out control and invisible characters and broken bytes, and makes every run of white space one space, none at the ends.
func appendClean(dst, b []byte) []byte {
	start, space := len(dst), false
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		b = b[size:]
		switch {
		case unicode.IsSpace(r):
			space = true
			continue
		case r == utf8.RuneError && size == 1, unicode.In(r, unicode.Cc, unicode.Cf):
			continue
		}
		if space && len(dst) > start {
			dst = append(dst, ' ')
		}
		space = false
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// compileTruncate cuts between words, or if the first word is too long already, between letters with their accents.
func compileTruncate(c *compiler, n *node) *code {
	t := c.text(n.kids[0])
	limit, ok := c.constantInt(n.kids[1], 1, 1<<31, "the number of characters")
	suffix := "…"
	if len(n.kids) == 3 {
		word, fine := c.constantText(n.kids[2], "what stands for the rest")
		suffix, ok = word, ok && fine
	}
	if t.bad || !ok {
		return badCode
	}
	room := limit - utf8.RuneCountInString(suffix)
	if room < 1 {
		return c.bad(n.kids[1], "what stands for the rest leaves no room for the text", "write a larger number, or '' as the third argument")
	}
	return c.made(n, textType, func(m *machine) schemas.Value {
		v := t.eval(m)
		if v.Kind == schemas.KindNull {
			return v
		}
		if len(v.Bytes) <= limit || utf8.RuneCount(v.Bytes) <= limit {
			return textOf(v.Bytes)
		}
		start := len(m.bytes)
		m.bytes = append(append(m.bytes, cutWords(v.Bytes, int64(room))...), suffix...)
		return m.made(start)
	})
}

// cutWords is the longest beginning of b that ends with a whole word and has at most n characters.
func cutWords(b []byte, n int64) []byte {
	head, rest := firstRunes(b, n), skipRunes(b, n)
	isLetter := func(r rune) bool { return unicode.In(r, unicode.L, unicode.N, unicode.M) }
	cut := head
	if next, _ := utf8.DecodeRune(rest); isLetter(next) {
		for len(cut) > 0 {
			r, size := utf8.DecodeLastRune(cut)
			if !isLetter(r) {
				break
			}
			cut = cut[:len(cut)-size]
		}
		if len(cut) == 0 {
			cut = head
			if unicode.Is(unicode.M, next) { // the last letter would lose its accent
				for len(cut) > 0 {
					r, size := utf8.DecodeLastRune(cut)
					cut = cut[:len(cut)-size]
					if !unicode.Is(unicode.M, r) {
						break
					}
				}
			}
			return cut
		}
	}
	for len(cut) > 0 {
		r, size := utf8.DecodeLastRune(cut)
		if isLetter(r) || r == ')' || r == '%' || r == '"' || r == '»' || r == '”' {
			break
		}
		cut = cut[:len(cut)-size]
	}
	return cut
}

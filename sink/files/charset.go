package files

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// charmaps are the charsets of one byte a character.
var charmaps = map[string]*charmap.Charmap{
	"windows-1252": charmap.Windows1252, "iso-8859-1": charmap.ISO8859_1, "iso-8859-15": charmap.ISO8859_15, "cp850": charmap.CodePage850, "cp865": charmap.CodePage865,
}

// encode writes text in a charset and with its line ends. A character that the charset does not have is an error that names it and its line; nothing is replaced.
func encode(text []byte, charset, lineEnd string) ([]byte, error) {
	if lineEnd == crlf {
		text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	}
	cm := charmaps[charset]
	ascii := charset == "us-ascii"
	if cm == nil && !ascii {
		return text, nil
	}
	out := make([]byte, 0, len(text))
	line := 1
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		b, ok := byte(r), r < utf8.RuneSelf
		if !ok && cm != nil && (r != utf8.RuneError || n > 1) {
			b, ok = cm.EncodeRune(r)
		}
		if !ok {
			return nil, fmt.Errorf("%s has no %q (U+%04X), which stands in line %d", charset, r, r, line)
		}
		if r == '\n' {
			line++
		}
		out = append(out, b)
		i += n
	}
	return out, nil
}

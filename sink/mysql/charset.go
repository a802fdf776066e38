package mysql

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"shelfstream/internal/fault"
	"shelfstream/sink/table"
)

// narrowSets are the character sets of old shops. What they do not have is looked for before it is sent: in a condition (of a key) it would be an error of the whole
// statement, and in a row it would cost a bisection.
var narrowSets = map[string]func(rune) bool{
	"ascii":   func(r rune) bool { return r < 0x80 },
	"latin1":  inLatin1,
	"utf8":    func(r rune) bool { return r <= 0xFFFF },
	"utf8mb3": func(r rune) bool { return r <= 0xFFFF },
}

// inLatin1 knows what MySQL calls latin1: Windows' code page 1252.
func inLatin1(r rune) bool {
	return r < 0x80 || r >= 0xA0 && r <= 0xFF || strings.ContainsRune("€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ", r)
}

// checkSet says which character the column's character set does not have.
func (w *writer) checkSet(b []byte) *table.Unfit {
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r != utf8.RuneError && !w.col.Narrow(r) {
			set, _, _ := strings.Cut(w.col.Collation, "_")
			return &table.Unfit{
				Cause: fault.ProductCharset,
				What:  fmt.Sprintf("has the character %q (%U), which the column's character set %s does not have", r, r, set),
				Fix:   fmt.Sprintf("ALTER TABLE %s CONVERT TO CHARACTER SET utf8mb4; or let a rule replace it", quoteName(w.col.Table)),
			}
		}
		i += n
	}
	return nil
}

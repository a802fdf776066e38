package postgres

import (
	"fmt"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/sink/table"
)

// narrowSets are encodings of old databases. What they do not have is looked for before it is sent: in a row it would cost a bisection, and the key of a row that is gone
// would be refused, though there is nothing to remove. What the others do not have, the server says.
var narrowSets = map[string]func(rune) bool{
	"LATIN1": func(r rune) bool { return r <= 0xFF },
	"LATIN9": func(r rune) bool {
		return r <= 0xFF && !strings.ContainsRune("¤¦¨´¸¼½¾", r) || strings.ContainsRune("€ŠšŽžŒœŸ", r)
	},
	"WIN1252": func(r rune) bool {
		return r < 0x80 || r >= 0xA0 && r <= 0xFF || strings.ContainsRune("€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ", r)
	},
}

// checkSet says which character of a valid text the database's encoding does not have.
func (w *writer) checkSet(b []byte) *table.Unfit {
	if w.col.Narrow == nil {
		return nil
	}
	for _, r := range string(b) {
		if !w.col.Narrow(r) {
			return &table.Unfit{
				Cause: fault.ProductCharset,
				What:  fmt.Sprintf("has the character %q (%U), which the database's encoding does not have", r, r),
				Fix:   "let a rule replace it, or move to a database in UTF-8",
			}
		}
	}
	return nil
}

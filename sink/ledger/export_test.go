package ledger

import "time"

// Tests look at what is written at the end, however long that takes.
func init() { closeWithin, lastWordWithin = time.Minute, time.Minute }

package transform

import (
	"slices"
	"strings"
	"testing"

	"shelfstream/schemas"
)

// TestNothingIsSentBeforeEveryTableIsThere: the snapshot of one table is not finished, so the checkpoints do not name it yet, and no product may be
// evaluated without its rows.
func TestNothingIsSentBeforeEveryTableIsThere(t *testing.T) {
	for _, missing := range []string{"product", "price", "image", "rate"} {
		t.Run(missing, func(t *testing.T) {
			l := newLab(t)
			l.put("rate", num(1), dec(2500))
			for no := range int64(6) {
				l.product(no, 1)
				l.put("image", num(no), num(no), num(1), txt("a.jpg"))
			}
			l.flush()
			whole := l.vector()
			l.announce(slices.DeleteFunc(slices.Clone(whole), func(c schemas.CheckpointTopic) bool { return c.Table == missing }))
			w := l.start(l.config(labRules))
			l.eventually("both tasks wait for "+missing, func() bool {
				s := w.Status()
				return s.State == "waiting" && strings.Contains(s.Detail, "t.erp."+missing) && len(s.Positions) == labPartitions && w.bound.frontier.newest() != nil
			})
			if l.recordsIn("t.shop")+l.recordsIn("t.shop.parked") != 0 {
				t.Fatal("something was sent")
			}
			l.announce(whole)
			l.settled(w)
			if got, n := l.products(); n != 6 || !strings.Contains(got["3"], "gross=1.26 images=[{a.jpg}]") {
				t.Errorf("%d records: %v", n, got)
			}
		})
	}
}

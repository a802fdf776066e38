package incident

import (
	"testing"

	"shelfstream/internal/fault"
)

// TestHeading: what is told of an outside system names it and what it is there for; what is our own, or all stages share, says so by itself.
func TestHeading(t *testing.T) {
	r := Rules{Lookup: func(c fault.Cause) (fault.Entry, bool) {
		if c == "mysqlsource.unreachable" {
			return fault.Entry{System: "MySQL source"}, true
		}
		return fault.Lookup(c)
	}}
	for _, c := range []struct {
		cause            fault.Cause
		link, what, want string
	}{
		{fault.PostgresUnreachable, "source erp", "does not answer: dial tcp", "PostgreSQL of source erp does not answer: dial tcp"},
		{fault.MySQLUnreachable, "sink shop", "does not answer", "MySQL of sink shop does not answer"},
		{fault.PostgresLogin, "source erp", "the login is refused", "PostgreSQL of source erp: the login is refused"},
		{"mysqlsource.unreachable", "source erp", "does not answer", "MySQL of source erp does not answer"},
		{fault.KafkaTooLarge, "source erp", "a row is too large", "a row is too large"},
		{fault.RulesVATUnknown, "view product", "unknown VAT code", "unknown VAT code"},
		{fault.Unexpected, "sink shop", "i/o timeout", "i/o timeout"},
		{"", "sink shop", "i/o timeout", "i/o timeout"},
	} {
		if got := heading(r.systemOf(c.cause), c.link, c.what); got != c.want {
			t.Errorf("%s: %q, want %q", c.cause, got, c.want)
		}
	}
}

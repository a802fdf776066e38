package fault

import "slices"

// Entry is what is known of a cause before it ever came up: how grave it is, whether it passes, and what cures it in general. The fault itself names
// the place and the very statement.
type Entry struct {
	Cause Cause
	// System is who has the trouble: PostgreSQL, MySQL, MySQL source, REST, Kafka, Registry, Topics, Rules, Guards, Shelfstream, Channels, Status.
	System string
	// Title is one line for the head of a message.
	Title string
	Kind  Kind
	// Severity is what an incident of this cause starts with.
	Severity string
	// Cure says what to do in general; faults say it with the names of their place.
	Cure string
	// Command is the shelfstream command that is part of the cure, with words in < > to be filled in; "" if the cure is in another system.
	Command string
	// Itself says that the stage goes on without a hand once the cure is done; otherwise the process is started again, or Command run.
	Itself bool
}

// The severities. An incident begins with its cause's, and policies choose by it.
const (
	Critical = "critical" // nothing of a source, a view or a shop moves
	Error    = "error"    // some products are held back, or something waits that only a person can decide
	Warning  = "warning"  // it goes on, and should be looked at
)

// Unexpected is the cause of what nobody has foreseen: an error that is in no words of ours. It has no entry, for nothing is known of it.
const Unexpected Cause = "shelfstream.unexpected"

// Bug is a broken promise between our own parts. It has no entry: its cure is to report it.
const Bug Cause = "shelfstream.bug"

// Catalogue lists every cause that is proven: a dialogue in cmd/shelfstream/testdata/faults has produced its fault in the real system, and followed its text to
// the cure. By system and name.
func Catalogue() []Entry {
	return slices.DeleteFunc(known(), func(e Entry) bool { return slices.Contains(unplayed, e.Cause) })
}

// Lookup finds what is known of a cause, proven or not.
func Lookup(c Cause) (Entry, bool) {
	for _, e := range known() {
		if e.Cause == c {
			return e, true
		}
	}
	return Entry{}, false
}

func known() []Entry {
	return slices.Concat(postgresEntries(), mysqlEntries(), pgsinkEntries(), filesEntries(), binlogEntries(), kafkaEntries(), registryEntries(), topicEntries(), rulesEntries(), hostEntries(), statusEntries(), restEntries())
}

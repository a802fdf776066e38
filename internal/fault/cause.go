package fault

// Cause names a kind of trouble in the catalogue, as "system.trouble": "postgres.unreachable". Faults of one cause at one place are one incident, and
// the catalogue says how it is retried and what cures it. Faults that nobody has given a cause have the empty one.
type Cause string

// Kind says what sort of trouble a cause is; it decides what is done about it.
type Kind string

// The kinds. The first four pass by themselves, so they are tried again; the others wait for a change of the record, the rules or the system.
const (
	Connection Kind = "connection" // nobody answers, or the line broke
	Timeout    Kind = "timeout"    // no answer in time
	Throttled  Kind = "throttled"  // asked to come back later
	Busy       Kind = "busy"       // locks, a start, a take-over
	Refused    Kind = "refused"    // a privilege, a password, a setting
	Invalid    Kind = "invalid"    // what was sent, or read, does not fit
	Conflict   Kind = "conflict"   // it fits, but something else has its place
	Lost       Kind = "lost"       // a position, a file, data that was there before
	Full       Kind = "full"       // a disk, a quota
	Silent     Kind = "silent"     // nothing comes where something should
	Held       Kind = "held"       // a guard waits for a person
)

// Passes says whether trouble of this kind goes away by itself, so that trying again is worth it.
func (k Kind) Passes() bool {
	switch k {
	case Connection, Timeout, Throttled, Busy, Full:
		return true
	case Refused, Invalid, Conflict, Lost, Silent, Held:
	}
	return false
}

package fault

// The causes at an HTTP interface that records are delivered to.
const (
	RestUnreachable Cause = "rest.unreachable"
	RestTimeout     Cause = "rest.timeout"
	RestThrottled   Cause = "rest.throttled"
	RestBusy        Cause = "rest.busy"
	RestLogin       Cause = "rest.login"
	RestAddress     Cause = "rest.address"

	RestRefused    Cause = "rest.record_refused"
	RestConflict   Cause = "rest.record_conflict"
	RestTooLarge   Cause = "rest.record_too_large"
	RestFails      Cause = "rest.record_fails"
	RestUnrendered Cause = "rest.record_unrendered"
	RestAnswer     Cause = "rest.answer_unread"
)

func restEntries() []Entry {
	const system = "REST"
	return []Entry{
		{RestUnreachable, system, "The server that records are sent to does not answer", Connection, Critical, "start it, mend the way to it, or correct url; records wait in the log and are sent when it is back", "shelfstream check -connect", true},
		{RestTimeout, system, "The server that records are sent to answers too late", Timeout, Critical, "look for what slows it down, or raise timeout", "shelfstream check -connect", true},
		{RestThrottled, system, "The server asks for fewer calls", Throttled, Warning, "set rate below what it allows; it goes on by itself", "", true},
		{RestBusy, system, "The server that records are sent to fails", Busy, Critical, "look into its log; it goes on by itself when the server is well", "", true},
		{RestLogin, system, "The server does not let the sink in", Refused, Critical, "correct auth or headers of the sink, or what this client may do at the server", "shelfstream check -connect", true},
		{RestAddress, system, "The server has nothing at the sink's address", Refused, Critical, "correct url, path and method of the sink", "shelfstream check -connect", true},
		{RestRefused, system, "The server refuses a record", Invalid, Error, "correct the value in the source, in a rule or in the sink's template; it is tried again within a minute", "", true},
		{RestConflict, system, "The server has something else under a record's key", Conflict, Error, "look at what it has, and decide which of the two is right; it is tried again within a minute", "", true},
		{RestTooLarge, system, "A record is larger than the server takes", Invalid, Error, "raise the server's limit, or leave large fields out of the body; it is tried again within a minute", "", true},
		{RestFails, system, "The server fails over a record", Invalid, Error, "look into its log for what it cannot do with it; it is tried again within a minute", "", true},
		{RestUnrendered, system, "A call cannot be made of a record", Invalid, Error, "correct the value in the source or in a rule, or the sink's template; it is tried again within a minute", "", true},
		{RestAnswer, system, "The server's answer is not understood", Invalid, Error, "look whether the server has the record; correct answer, error or batch of the sink, and replay", "shelfstream replay <sink> -view <view> -to 1h", true},
	}
}

package fault

// The causes in what tells people of trouble: the channels, and the topics that hold what is known of the pipeline.
const (
	ChannelUnreachable Cause = "channel.unreachable"
	ChannelTimeout     Cause = "channel.timeout"
	ChannelThrottled   Cause = "channel.throttled"
	ChannelBusy        Cause = "channel.busy"
	ChannelLogin       Cause = "channel.login"
	ChannelRecipient   Cause = "channel.recipient"
	ChannelRefused     Cause = "channel.refused"
	ChannelCommand     Cause = "channel.command"

	LinkKeyUnusable  Cause = "disk.link_key"
	StatusUnwritable Cause = "status.unwritable"
	StatusUnreadable Cause = "status.unreadable"
)

const tryChannel = "shelfstream alerts test -to <name>"

func statusEntries() []Entry {
	const channels, status = "Channels", "Status"
	return []Entry{
		{ChannelUnreachable, channels, "A channel's server does not answer", Connection, Error, "start it, or correct its address under alerts.channels; the next channel is taken meanwhile", tryChannel, true},
		{ChannelTimeout, channels, "A channel's server or program takes too long", Timeout, Error, "look for what slows it down, or give it more time with 'timeout'", tryChannel, true},
		{ChannelThrottled, channels, "A channel's server asks to be left alone for a while", Throttled, Warning, "nothing, or send it fewer messages with alerts.throttle", "", true},
		{ChannelBusy, channels, "A channel's server cannot take messages now", Busy, Error, "nothing if it passes; else ask who runs it", tryChannel, true},
		{ChannelLogin, channels, "A channel's server refuses the login", Refused, Error, "correct user and password, or headers, of the channel", tryChannel, false},
		{ChannelRecipient, channels, "A mail server refuses a recipient", Refused, Error, "correct the address in alerts.people, or allow the sender to write to it", tryChannel, false},
		{ChannelRefused, channels, "A channel's server refuses a message", Refused, Error, "correct the channel as the fault says", tryChannel, false},
		{ChannelCommand, channels, "A channel's program fails", Refused, Error, "run it by hand with a message on its standard input; it has to end with exit code 0", tryChannel, true},
		{LinkKeyUnusable, "Shelfstream", "The key of the links in messages cannot be read or made", Refused, Critical, "make state.dir writable, remove a broken link.key, or set alerts.link_key", tryChannel, false},
		{StatusUnwritable, status, "A process cannot write down how it does", Refused, Warning, "see that its user may write the topic; the data goes on", "", true},
		{StatusUnreadable, status, "A process cannot read how the pipeline does", Refused, Warning, "see that its user may read the topic; the data goes on", "", true},
	}
}

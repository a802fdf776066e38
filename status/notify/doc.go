// Package notify delivers messages about incidents: by mail, to a webhook, or through a command.
//
// In: an escalate.Message, which says whom to tell over which channels, and a Content, which says of what. Out: the channel that took it. Where a channel
// fails the next one is tried at once, and each attempt is recorded as an exchange ("channel mail"). Nothing is kept but how long a channel asked to be
// left alone; trying again later is the business of package escalate.
//
// A channel is an outside system: its errors are faults that say what is wrong and what to do, without the secrets of its address. One more is made by
// implementing Channel.
package notify

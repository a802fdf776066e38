// Package incident makes incidents of what the stages report, keeps them, and has people told of them.
//
// # What comes in, what goes out
//
// Stages report levels, not events: what is wrong now, and how many records it holds back. Every worker publishes its stages' reports (package roster).
// One of the workers is the keeper: the member of the consumer group "<pipeline>.keeper" that has the one partition of the topic "<pipeline>.incidents".
// Once a second it looks at all reports and goes from them and from the incidents that there are to the incidents that there are now (Rules.Look, which is pure):
//
//	worker → report ─┐
//	worker → report ─┼─► conditions ─► incidents ─► <pipeline>.incidents ─► every process: Incidents
//	newest records  ─┘        (one for each cause and place)     │
//	                                                             └─► escalate.Policies ─► messages ─► people
//
// So the number of incidents, of messages and the memory depend on how many causes there are at how many places, never on how many records fail. What
// there are too many of at one link is put together (maxOfLink).
//
// An incident is opened when its condition has shown for long enough (at once, or after the tries of a link), and resolved when the condition is gone while
// those who would see it are at work. What comes back within Rules.Flap is the same incident; each time it must then be gone for twice as long. What follows from
// other trouble (silence, lag, records parked because a link is down) is held back behind the incident that it follows from: it is shown, and nobody is told.
//
// # Order of events, and what a crash leaves
//
// The record of an incident in the topic holds all there is to know: the incident, the state of its escalation, and the messages that are decided and not yet
// known to be delivered. Each step below is one record, which is acknowledged by the log before the next step begins.
//
//  1. intend    the incident is written, with whom escalate.Policies.Plan says to tell of it
//  2. send      the notifier delivers the messages
//  3. tell      who was told over which channel (Policies.Told) is written; the message waits no more
//
// A keeper that is killed
//
//   - before 1 leaves nothing; the next one sees the same condition in the reports and opens an incident of its own. Nobody knew of the first.
//   - between 1 and 2 leaves messages that wait (escalate.State.Waiting). The next one delivers them: once.
//   - between 2 and 3, or within 2, leaves a message that may have been delivered. The next one delivers it again, with the same Message.ID (a mail's Message-ID), by which
//     mail programs, and the receivers of webhooks, tell that it is the same. So a message goes out twice if its keeper is killed in this moment, once more for each such kill,
//     and never not at all.
//
// A process that ends by itself waits leaveWithin for what it is delivering and writes down how that ended, so that nothing is sent twice by a restart.
//
// # A keeper that has lost its place
//
// A keeper that was paused, or cut off from the log, may be followed by another while it sends. The new one fences it (kafka.Producer.Fence) before it reads the
// incidents: whatever the old one writes afterwards is refused, so it cannot take a message for told that the new one sends, nor undo an acknowledgement. What it can still do is
// to finish what it has under way, at most sendAtOnce messages. That is the same as a kill between 2 and 3.
//
// # Requests
//
// An acknowledgement from any process is a record of "<pipeline>.requests". The keeper applies it (it is written with the incident), and then notes the offset up to which requests
// are done, in a record of its own. A kill between the two has the request applied again, which changes nothing: an acknowledgement has an ID, and the incident remembers the newest one.
//
// # Time
//
// Within a process times are compared by the monotonic clock. Times that were written down are compared with the wall clock, which may have been set back meanwhile, or be another
// machine's that goes ahead: a time in the future is taken for now, so that a timer starts anew at worst, and never waits for the clock to catch up. Whether a worker is silent is told by
// when the keeper last saw a new report of it, not by the time in the report.
//
// # What this does not tell
//
// While the log itself does not answer nobody is elected, nothing can be written down, and so nobody is told: that needs a watch from outside (deploy has Prometheus rules for it).
//
// # Never in the way
//
// Nothing here is waited for by a stage. What does not work is told by Keeper.Fault, and tried again.
package incident

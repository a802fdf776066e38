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
// The record of an incident in the topic holds all there is to know: the incident, the state of its escalation, and its letters (messages that are decided and not yet
// known to be delivered). Each step below is one record, which is acknowledged by the log before the next step begins.
//
//  1. open      the incident is written
//  2. intend    escalate.Policies.Next says who is to be told; its new state and the letters are written in one record
//  3. send      the notifier delivers a letter
//  4. tell      the letter is taken out, and who was told over which channel (Policies.Told) is written, in one record
//
// A keeper that is killed
//
//   - before 1 leaves nothing; the next one sees the same condition in the reports and opens an incident of its own. Nobody knew of the first.
//   - between 1 and 2 leaves an incident that nobody was told of. The next one asks Next, which answers the same.
//   - between 2 and 3 leaves letters. The next one delivers them: once.
//   - between 3 and 4, or within 3, leaves a letter that may have been delivered. The next one delivers it again, with the same Message.ID (a mail's Message-ID), by which
//     mail programs, and the receivers of webhooks, tell that it is the same. So a message goes out twice if its keeper is killed in this moment, once more for each such kill,
//     and never not at all.
//
// Letters of one incident go out one after the other in the order of their decision, so that "first x, then after y z" holds over kills. A letter that nobody could deliver over any
// channel stays, and is tried again with a growing pause. An acknowledgement takes out the letters that are not on their way yet: nobody is told of what
// somebody has taken on. So does a resolution, for those who were told nothing.
//
// # A keeper that has lost its place
//
// A keeper that was paused, or cut off from the log, may be followed by another while it sends. The new one fences it (kafka.Producer.Fence) before it reads the
// incidents: whatever the old one writes afterwards is refused, so it cannot take a letter out that the new one has, nor undo an acknowledgement. What it can still do is
// to finish the one delivery that it has under way: between its last acknowledged record and its next write lies at most one letter of each of a few incidents
// (sendAtOnce). That is the same as a kill between 3 and 4.
//
// # Requests
//
// An acknowledgement from any process is a record of "<pipeline>.requests". The keeper applies it (it is written with the incident), and then notes the offset up to which requests
// are done, in a record of its own. A kill between the two has the request applied again, which changes nothing: an acknowledgement is applied only to an incident that is not
// acknowledged and was opened before it was asked for.
//
// # Time
//
// Within a process times are compared by the monotonic clock. Times that were written down are compared with the wall clock, which may have been set back meanwhile, or be another
// machine's that goes ahead: a time in the future is taken for now, so that a timer starts anew at worst, and never waits for the clock to catch up. Whether a worker is silent is told by
// when the keeper last saw a new report of it, not by the time in the report.
//
// # When the log itself is down
//
// Then nobody can be elected, and nothing can be written. The process that was keeper last goes on with one incident, "the log is down", in its memory: it is the only one for which
// messages are sent without being written down before, so a kill in that time may send them again. It is written down, with who was told, when the log is back.
//
// # Never in the way
//
// Nothing here is waited for by a stage. What does not work is told by Keeper.Fault, and tried again.
package incident

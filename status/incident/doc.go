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
// # While the log does not answer
//
// Nobody is elected then, and nothing can be written down. So each process that has had no answer for Rules.Alone (it writes every few seconds; or it keeps, and what it writes is not taken)
// goes on with what it knows itself: its own stages' reports, the same Rules.Look, the same policies and notifier, and its state in memory and in a file of state.dir (Alone). The order of events is
// the keeper's: intend, send, tell, with the file for the topic. So a process that is started again tells nobody twice, but for what it was just sending. A file that cannot be written
// keeps nothing from being told.
//
//   - It tells of one incident only: the log does not answer. All else that its stages report waits behind that one: it is shown on the process's page, and is the keeper's when the log is back.
//   - Each process may tell. They know nothing of each other, so a person may hear of an outage once from each process. The incident's ID is made of the pipeline and the ten minutes in which the log fell silent,
//     so the copies have the same incident and the same Message.ID, unless processes lost the log on both sides of such a border.
//   - It is taken on in the process whose page or link is used, in memory and file, at once. The others go on. What is done on a page meanwhile is in the process's own log, and not in the audit topic.
//   - When the log has answered for Rules.Calm, those who were told by this process get the all-clear from it. A process that was started while the log was away waits for the log's first answer
//     before it takes an outage for over.
//   - The keeper goes on with its own state, which has no such incident. What may be left of the outage in the stages' reports (a stage that waits between two tries, silence, lag) must outlast it by
//     Rules.After before the keeper makes an incident of it. A keeper in a process that was started after the outage does not know of it.
//   - Processes of one role on one machine with one state.dir share a file: the one that wrote last is remembered.
//
// If the process itself is gone with the log, nobody is left to tell: that needs a watch from outside (deploy has Prometheus rules for it).
//
// # Never in the way
//
// Nothing here is waited for by a stage. What does not work is told by Keeper.Fault, and tried again.
package incident

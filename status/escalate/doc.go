// Package escalate decides who is told of an incident, when, and over which channels. It sends nothing itself and has no clock: everything follows from the
// policies, the incident, what was done so far (State), and the time that is passed in.
//
// In: incidents as Subjects with their States. Out: Messages to deliver, new States to keep, and when to ask again.
//
// The keeper of the incidents does for each round, and at the time that Plan gives as wake or when something changes:
//
//	batches, states, wake := policies.Plan(cases, now)
//	store the states that changed, and wait until they are stored
//	for each batch: channel, err := deliver(batch.Message)
//	                for each incident the batch is about: state = policies.Told(state, batch.Message, channel, err, now); store
//
// Deliveries may run beside further rounds: what was handed out is not handed out again for as long as a delivery may take. What was decided is in the
// state before anything is sent, so a crash loses no message; one that was handed out, and whose outcome was not stored, is handed out again by the next
// process with the same ID, so it arrives at most twice.
//
// Guarantees, each with a test:
//
//   - A step fires once, after the step before it, and not before it is due and its hours are open. After a time without a keeper the steps that are overdue
//     fire at once, in order; loops that were missed as a whole are not made up for.
//   - After an acknowledgement nothing goes out, until "again" is over and the incident is still there; then the steps begin anew.
//   - The all-clear goes to exactly those who were told, over the channel they were told by, in the hours in which they may be told. Who may have been told, as the process ended in between, counts as told.
//   - Where nobody of a step can be reached the next step is due at once. What could not be delivered is tried again with growing pauses,
//     until the same person has a newer message waiting, or the incident is acknowledged or resolved.
//   - A person gets at most so many messages in so many minutes, over all incidents: what is more is summed up in one.
package escalate

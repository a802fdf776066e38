// Package audit keeps what people did: who, when, from where, what to, why, and how it ended. It is a topic of its own, <pipeline>.audit, one partition, records of
// JSON kept for 400 days, so that every process's page shows what was done on any of them, and any Kafka client can archive it.
//
// What is refused is kept too. An action is done first and noted then: where the note fails although the action did not, the person is told and the
// process's log has it.
package audit

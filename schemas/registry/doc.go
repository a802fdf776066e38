// Package registry keeps the schemas of topics where every Kafka client looks for them: behind Confluent's HTTP interface.
//
// Client talks to any registry that speaks it. Server is one of our own for a machine that has none: it keeps its state in a Log
// (a compacted topic), in records shaped like those of Confluent's _schemas topic, and is rebuilt from it at every start. One
// process at a time may write to a Log.
//
// Subjects are named "<topic>-key" and "<topic>-value" (Confluent's TopicNameStrategy). A record says its schema's id in the
// four bytes after the leading zero; see schemas.ParseFrame.
package registry

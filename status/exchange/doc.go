// Package exchange keeps the record of the last communications with each outside system: what went over a link, when, how long it took, and how it ended.
//
// # What it costs
//
// A stage tells a Recorder of each exchange, which never waits: Add puts it into a bounded channel, and what there is no room for is counted and dropped. One goroutine merges what is alike within
// a second, so that the records written do not grow with the load; another writes them. BenchmarkExchanges in package sink measures what that takes of the processor, broker and all, on a
// target that costs next to nothing: less than its own scatter, which is below one per cent.
//
//	go test ./sink -run '^$' -bench Exchanges -benchtime 10x
//
// It runs the same records with and without a recorder, in turns, and prints cost-% from the medians.
package exchange

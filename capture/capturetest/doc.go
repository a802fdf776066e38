// Package capturetest is what every capture.Source must pass, and what the runner is tested with.
//
// In: a System, that is, a database with the two tables of Tables that the suite may write to, and a constructor of sources on it.
//
// Out: Run's subtests. They drive the source against a Recorder: a capture.Log in memory that checks every call against the
// contract of capture.Log and keeps the rows as of each commit.
//
// Database is a source kept in memory, with history, transactions of any size and places to break; the runner's own tests use it,
// and it passes the suite.
package capturetest

// Package status says what happens in a pipeline and shows it: the words in which stages report (Stage), and the one
// admin server with the status page, the same as JSON, metrics, health and readiness, and profiling on loopback.
//
// It is a leaf: it imports internal/fault only, so that every stage may speak its words.
package status

// Package archtest holds the layout of the repository: which folder may import which, who may use a database driver, and what no
// file may be called or contain. Its tests read the files themselves; a test that asked `go list` would be answered from
// the test cache and pass with a forbidden import present.
package archtest

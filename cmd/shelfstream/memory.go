package main

import (
	"os"
	"runtime/debug"
)

// workingMB is what a process needs beside the state's cache: batches of records on their way in and out, memtables, the rest.
const workingMB = 160

// boundMemory keeps the resident set small, unless the environment says otherwise (GOGC, GOMEMLIMIT). Most of the heap is blocks of the
// state's cache and of records, without pointers, so that collecting more often costs little; the limit is soft.
func boundMemory(cacheMB int) {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(50)
	}
	if _, set := os.LookupEnv("GOMEMLIMIT"); !set {
		debug.SetMemoryLimit(int64(workingMB+cacheMB) << 20)
	}
}

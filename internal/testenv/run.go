package testenv

import (
	"os"
	"os/exec"
	"runtime"
)

// runLocked runs a short-lived program to its end, with its goroutine bound to its thread so that the parent-death signal means our death and
// not a thread's. It gives what the program printed.
func runLocked(cmd *exec.Cmd) ([]byte, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return cmd.CombinedOutput()
}

// writeFile writes a file that the server's account may read too.
func writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o644) }

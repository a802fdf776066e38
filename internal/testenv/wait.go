package testenv

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// DefaultWait is the deadline of WaitFor when the context has none.
const DefaultWait = 60 * time.Second

// WaitFor polls cond until it is true. It returns cond's error at once, and an error that names what was waited for when ctx ends;
// a ctx without a deadline gets DefaultWait. Tests use it in the place of sleeping.
func WaitFor(ctx context.Context, what string, cond func() (bool, error)) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, DefaultWait)
		defer cancel()
	}
	began := time.Now()
	pause := time.Millisecond
	for {
		ok, err := cond()
		if err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		if ok {
			return nil
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("waited %v for %s: %w", time.Since(began).Round(time.Millisecond), what, ctx.Err())
		case <-t.C:
		}
		if pause < 50*time.Millisecond {
			pause *= 2
		}
	}
}

// tail is the last n lines of a file, at most 16 KiB of it; an unreadable file gives its error's text.
func tail(path string, n int) string {
	b, err := readTail(path, 16<<10)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(bytes.TrimRight(b, "\n")), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func readTail(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, st.Size()-limit)
	b := make([]byte, st.Size()-from)
	n, err := f.ReadAt(b, from)
	if n == len(b) {
		err = nil // the file may have grown meanwhile, or end exactly here
	}
	return b[:n], err
}

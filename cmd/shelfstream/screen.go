package main

import (
	"io"
	"strings"
	"sync"
)

// screen is stderr. It hides secrets, and keeps one line of progress below everything else when stderr is a terminal.
type screen struct {
	terminal bool
	// width is the terminal's width in columns; nil or 0 = unknown.
	width func() int

	mu     sync.Mutex
	w      io.Writer
	hide   func(string) string
	status string // the line shown now
}

func newScreen(w io.Writer, terminal bool) *screen {
	return &screen{w: w, terminal: terminal, hide: func(s string) string { return s }}
}

// redact sets what hides secrets.
func (s *screen) redact(hide func(string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hide = hide
}

// Write prints whole lines above the line of progress.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := io.WriteString(s.w, s.cleared()+s.hide(string(b))+s.status)
	return len(b), err
}

// progress replaces the line of progress; "" takes it away. It does nothing when stderr is no terminal.
func (s *screen) progress(line string) {
	if !s.terminal {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.cleared()
	s.status = s.fit(strings.ReplaceAll(line, "\n", " "))
	_, _ = io.WriteString(s.w, before+s.status) // a terminal that is gone has nobody to tell
}

// fit cuts a line to the terminal's width: a line that wraps could not be taken back.
func (s *screen) fit(line string) string {
	columns := 80
	if s.width != nil {
		if n := s.width(); n > 0 {
			columns = n
		}
	}
	if r := []rune(line); len(r) >= columns {
		return string(r[:columns-1])
	}
	return line
}

// cleared is what takes the present line of progress off a terminal.
func (s *screen) cleared() string {
	if s.status == "" {
		return ""
	}
	return "\r\x1b[K"
}

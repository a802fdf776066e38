package incident

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// file keeps a process's own incidents. It is written whole, under another name first, so that a crash leaves the one before or the new one.
type file struct {
	path    string
	log     *slog.Logger
	written []byte
	at      time.Time
	broken  bool // said so
}

// load gives what is kept; nothing if it cannot be read: to tell people again is better than to tell nobody.
func (f *file) load() *State {
	s := &State{Incidents: map[string]*Incident{}}
	if f.path == "" {
		return s
	}
	data, err := os.ReadFile(f.path)
	if err == nil {
		err = json.Unmarshal(data, &s.Incidents)
	}
	for id, i := range s.Incidents {
		if i == nil || i.ID != id {
			delete(s.Incidents, id)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.log.Warn("what was told while the log did not answer is not known; people may be told again", "file", f.path, "error", err)
		s.Incidents = nil
	}
	if s.Incidents == nil {
		s.Incidents = map[string]*Incident{}
	}
	return s
}

// save writes a state if something happened; true if anything differs. What has changed in numbers and words only may wait, unless it is urgent.
func (f *file) save(before, next *State, urgent bool, now time.Time) bool {
	data, err := json.Marshal(next.Incidents)
	if err == nil && bytes.Equal(data, f.written) {
		return false
	}
	if err == nil && !urgent && f.written != nil && now.Sub(f.at) < calmly && same(before, next) {
		return true
	}
	if err == nil && f.path != "" {
		err = f.replace(data)
	}
	if err != nil && !f.broken {
		f.log.Warn("what is told while the log does not answer cannot be kept; people are told again after a restart", "file", f.path, "error", err)
	}
	f.written, f.at, f.broken = data, now, err != nil
	if f.broken {
		f.written = nil // it is tried again
	}
	return true
}

func same(before, next *State) bool {
	for id, i := range next.Incidents {
		if !onlyNumbers(before.Incidents[id], i) {
			return false
		}
	}
	return len(before.Incidents) == len(next.Incidents)
}

func (f *file) replace(data []byte) (err error) {
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, filepath.Base(f.path)+".*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", tmp.Name(), err)
	}
	return os.Rename(tmp.Name(), f.path)
}

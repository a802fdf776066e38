package files

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/ledger"
)

// mostLooked bounds one look at a folder: each file asked for is a few calls, which take their time over a network. The others are looked at the next time.
const mostLooked = 1000

// watch looks for answers until the session is closed.
func (s *session) watch(ctx context.Context) {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.ended = make(chan struct{})
	go func() {
		defer close(s.ended)
		tick := time.NewTicker(s.doc.cfg.Acknowledge.Poll)
		defer tick.Stop()
		for at := 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			var err error
			if at, err = s.look(ctx, at); errors.Is(err, sink.ErrLost) {
				return // Apply finds out too, and closes the session
			} else if err != nil && ctx.Err() == nil {
				s.t.opts.Logger.Warn("files: look for acknowledgements", "sink", s.t.opts.Sink, "partition", s.p.String(), "error", err)
			}
		}
	}()
}

// mostHandled is how many parked records are asked for whether people have dealt with them; the others are tried again in time.
const mostHandled = 100

// handled wakes records that are parked until people did something in the folder, and did.
func (s *session) handled() error {
	var offsets []int64
	for _, p := range s.l.Parked(-1, mostHandled) {
		e, ok := s.l.Get(p.ID)
		if !ok || p.Fault == nil {
			continue
		}
		done := false
		var err error
		if c := p.Fault.Cause; c == fault.FilesChanged || c == fault.FilesRemoved {
			done, err = exists(filepath.Join(s.dir, e.Name+handledSuffix))
		} else if c == fault.FilesRefused {
			var mark string
			mark, err = firstThere(s.marks(e.Name).refused)
			done = mark == "" && e.State == ledger.Refused
		}
		if err != nil {
			return s.t.folderFault(s.doc, err)
		}
		if done {
			offsets = append(offsets, p.Offset)
		}
	}
	s.wakeUp(offsets)
	return nil
}

// look takes up the answers to some of the files that wait, from the at-th on, and says where to go on.
func (s *session) look(ctx context.Context, at int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tidy()
	waiting := s.l.Waiting()
	if at >= len(waiting) {
		at = 0
	}
	next := at + mostLooked
	begun := s.t.opts.Now()
	var c ledger.Change
	var taken, refused []string
	var woken []int64
	var failed error
	for _, e := range waiting[at:min(next, len(waiting))] {
		state, answer, mark, err := s.answer(e.Name)
		if err != nil {
			failed = s.t.folderFault(s.doc, err)
			break
		}
		if state == 0 {
			continue
		}
		e.State, e.Answer, e.At = state, answer, begun
		c.Entries = append(c.Entries, e)
		if state == ledger.Acknowledged {
			taken = append(taken, e.Name)
			continue
		}
		refused = append(refused, e.Name)
		f := s.refusal(e.Name, answer, mark)
		f.Where = s.t.where(s.doc.table)
		c.Park = append(c.Park, sink.Parked{Topic: s.p.View.Topic, Partition: s.p.ID, Offset: e.Offset, ID: e.Key, Key: e.Name, Fault: f})
		woken = append(woken, e.Offset)
	}
	s.t.step("acknowledge")
	err := s.l.Write(ctx, c)
	if err == nil {
		s.t.heard(exchangeAcknowledge, taken, begun, nil)
		if len(c.Park) > 0 {
			s.t.heard(exchangeRefuse, refused, begun, c.Park[0].Fault)
		}
		s.wakeUp(woken) // the runner shows what is parked when it has tried it
	}
	s.t.note(s.p, s.overdue(failed))
	return next, errors.Join(err, failed, s.handled())
}

// answer looks for the reader's answer to a file; state is 0 while there is none.
func (s *session) answer(name string) (state ledger.State, text, mark string, err error) {
	m := s.marks(name)
	if mark, err = firstThere(m.refused); err != nil || mark != "" {
		if mark != filepath.Join(s.t.path(s.doc.cfg.Acknowledge.FailedDir), name) {
			text = textOf(mark)
		}
		return ledger.Refused, text, mark, err
	}
	if s.doc.cfg.Acknowledge.By == byRemoved {
		there, err := exists(filepath.Join(s.dir, name))
		if err == nil && !there {
			err = hasDir(s.dir) // in a folder that is not there nothing was taken
			state = ledger.Acknowledged
		}
		return state, "", "", err
	}
	if mark, err = firstThere(m.taken); err != nil || mark == "" {
		return 0, "", "", err
	}
	if s.doc.cfg.Acknowledge.By == byStatus {
		text = textOf(mark)
	}
	return ledger.Acknowledged, text, mark, nil
}

// notice is what is wrong with one partition's acknowledgements; the zero value is nothing.
type notice struct {
	table  string
	dir    string
	within time.Duration
	count  int
	oldest ledger.Entry
	failed error // the folder cannot be looked at
}

func (n *notice) what() string {
	since := n.oldest.At.UTC().Format("2006-01-02 15:04:05Z")
	if n.count == 1 {
		return fmt.Sprintf("%s of %s was not taken from %s within %v", n.oldest.Name, since, n.dir, n.within)
	}
	return fmt.Sprintf("%d files in %s were not taken within %v, the oldest is %s of %s", n.count, n.dir, n.within, n.oldest.Name, since)
}

// overdue counts what nobody has taken in time.
func (s *session) overdue(failed error) notice {
	n := notice{table: s.doc.table, dir: s.dir, within: s.doc.cfg.Acknowledge.Within, failed: failed}
	limit := s.t.opts.Now().Add(-n.within)
	for _, e := range s.l.Waiting() {
		if e.At.After(limit) {
			continue
		}
		if n.count++; n.count == 1 || e.At.Before(n.oldest.At) {
			n.oldest = e
		}
	}
	return n
}

func (t *Target) note(p sink.Partition, n notice) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.notices, p.String())
	if n.count > 0 || n.failed != nil {
		t.notices[p.String()] = n
	}
}

// Notices implements sink.Noticer: for each kind of file at most one fault of those that nobody took in time, and one of the folder.
func (t *Target) Notices() fault.List {
	t.mu.Lock()
	defer t.mu.Unlock()
	sums := map[string]notice{}
	for _, p := range slices.Sorted(maps.Keys(t.notices)) {
		n := t.notices[p]
		sum, ok := sums[n.table]
		if !ok {
			sum = notice{table: n.table, dir: n.dir, within: n.within}
		}
		if n.count > 0 && (sum.count == 0 || n.oldest.At.Before(sum.oldest.At)) {
			sum.oldest = n.oldest
		}
		sum.count += n.count
		if sum.failed == nil {
			sum.failed = n.failed
		}
		sums[n.table] = sum
	}
	var l fault.List
	for _, table := range slices.Sorted(maps.Keys(sums)) {
		n := sums[table]
		if n.count > 0 {
			l.Add(&fault.Fault{
				Class: fault.Environment, Cause: fault.FilesNotTaken, Where: t.where(table),
				What: n.what(),
				Fix:  "see that the import of the other system runs and reads that folder; nothing is written twice meanwhile",
			})
		}
		l = append(l, fault.All(n.failed)...)
	}
	return l
}

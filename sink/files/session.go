package files

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"shelfstream/sink"
	"shelfstream/sink/ledger"
)

// stretch is how many records go through the four steps together: the ledger is written twice for each, and the folder made durable twice.
const stretch = 100

// session writes one partition.
type session struct {
	t   *Target
	p   sink.Partition
	doc *document
	l   *ledger.Ledger
	dir string
	// A temporary file is called <name><tail><token>.tmp; serial keeps a second try from the name of the first, whose intent may still come.
	tail, token string
	serial      int
	// begun are temporary files that nobody intends and that could not be removed yet: the folder went away with them.
	begun []string

	// mu keeps Apply and the watch from each other: both write entries.
	mu sync.Mutex

	waking sync.Mutex
	wake   func()
	woken  []int64

	stop  context.CancelFunc
	ended chan struct{}
}

// tokenLength is the length of a session's token and its serial number.
const tokenLength = 8 + 6

func newToken() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// tempName is a name that no session has used and none will.
func (s *session) tempName(name string) string {
	s.serial++
	return fmt.Sprintf("%s%s%s%06d%s", name, s.tail, s.token, s.serial%1_000_000, tempEnd)
}

// Place implements sink.Session.
func (s *session) Place() sink.Place { return s.l.Place() }

// Close implements sink.Session.
func (s *session) Close() error {
	s.stop()
	<-s.ended
	s.t.note(s.p, notice{})
	return s.l.Close()
}

// Parked implements sink.Retrier.
func (s *session) Parked(_ context.Context, after int64, limit int) ([]sink.Parked, error) {
	return s.l.Parked(after, limit), nil
}

// Held implements sink.Retrier.
func (s *session) Held() int { return s.l.Held() }

// OnWake implements sink.Retrier.
func (s *session) OnWake(wake func()) {
	s.waking.Lock()
	defer s.waking.Unlock()
	s.wake = wake
}

// TakeWoken implements sink.Retrier.
func (s *session) TakeWoken() []int64 {
	s.waking.Lock()
	defer s.waking.Unlock()
	w := s.woken
	s.woken = nil
	return w
}

// wakeUp has records tried again at once.
func (s *session) wakeUp(offsets []int64) {
	s.waking.Lock()
	s.woken = append(s.woken, offsets...)
	wake := s.wake
	s.waking.Unlock()
	if wake != nil && len(offsets) > 0 {
		wake()
	}
}

// Apply implements sink.Session. Files become visible one by one, not the batch at once; whatever was done when it breaks off is known, and not done again.
func (s *session) Apply(ctx context.Context, b *sink.Batch) ([]sink.Parked, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.finish(ctx); err != nil {
		return nil, err
	}
	s.tidy()
	parked := append([]sink.Parked(nil), b.Parked...)
	c := ledger.Change{Park: b.Parked, Free: b.Gone}
	for from := 0; ; from += stretch {
		to := min(from+stretch, len(b.Records))
		held, err := s.deliver(ctx, b.Records[from:to], &c)
		if err != nil {
			return nil, err
		}
		parked = append(parked, held...)
		if to == len(b.Records) {
			break
		}
		if err := s.l.Write(ctx, c); err != nil {
			return nil, err
		}
		c = ledger.Change{}
	}
	place := s.l.Place()
	if b.Next > place.Next {
		place.Next, place.ReplayUntil = b.Next, 0
	}
	c.Place = &place
	s.t.step("deliver")
	if err := s.l.Write(ctx, c); err != nil {
		return nil, err
	}
	s.t.step("moved")
	return parked, nil
}

// job is one file on its way.
type job struct {
	entry   ledger.Entry
	content []byte
}

// deliver takes a stretch of records through the first three steps, and adds to c what has to be written then.
func (s *session) deliver(ctx context.Context, records []sink.Record, c *ledger.Change) ([]sink.Parked, error) {
	var jobs []job
	var parked []sink.Parked
	names := map[string]bool{}
	for i := range records {
		r := &records[i]
		d, err := s.decide(r, names)
		if err != nil {
			return nil, s.t.folderFault(s.doc, err)
		}
		switch {
		case d.fault != nil:
			d.fault.Where = s.t.where(s.doc.table)
			p := sink.Parked{Topic: s.p.View.Topic, Partition: s.p.ID, Offset: r.Offset, ID: r.Key, Key: sink.KeyText(r.KeyValues), SourceTSMS: r.SourceTSMS, Fault: d.fault}
			c.Park = append(c.Park, p)
			parked = append(parked, p)
			continue
		case d.job != nil:
			jobs = append(jobs, *d.job)
		case d.settled != nil:
			c.Entries = append(c.Entries, *d.settled)
		}
		c.Free = append(c.Free, r.Key)
	}
	if len(jobs) == 0 {
		return parked, nil
	}
	begun := s.t.opts.Now()
	err := s.write(ctx, jobs)
	var entries []ledger.Entry
	if err == nil {
		entries, err = s.finishAll()
	}
	if !errors.Is(err, sink.ErrLost) && ctx.Err() == nil {
		s.t.wrote(jobs, begun, err)
	}
	if err != nil {
		return nil, err
	}
	c.Entries = append(c.Entries, entries...)
	return parked, nil
}

// write is steps 1 and 2: the files under temporary names, durable, and then the intent. After an error the files stay: an intent that nobody acknowledged may still
// be written, and without its temporary file it would be taken for done.
func (s *session) write(ctx context.Context, jobs []job) error {
	intents := make([]ledger.Entry, len(jobs))
	var err error
	for i := range jobs {
		s.t.step("write")
		if err = writeTemp(filepath.Join(s.dir, jobs[i].entry.Temp), jobs[i].content); err != nil {
			break
		}
		intents[i] = jobs[i].entry
	}
	if err == nil {
		s.t.step("sync")
		err = syncDir(s.dir)
	}
	if err != nil {
		for i := range jobs { // nobody intends them
			s.begun = append(s.begun, jobs[i].entry.Temp)
		}
		s.tidy()
		return s.t.folderFault(s.doc, err)
	}
	s.t.step("intend")
	if err := s.l.Put(ctx, intents...); err != nil {
		return err
	}
	s.t.step("intended")
	return nil
}

// tidy removes what was begun and is not intended. In a folder that is away, all that was begun may be there when it comes back.
func (s *session) tidy() {
	if len(s.begun) == 0 || hasDir(s.dir) != nil {
		return
	}
	s.begun = slices.DeleteFunc(s.begun, func(name string) bool {
		err := os.Remove(filepath.Join(s.dir, name))
		return err == nil || errors.Is(err, fs.ErrNotExist) && hasDir(s.dir) == nil
	})
}

// finishAll is step 3 for all that is intended, and gives the entries of step 4.
func (s *session) finishAll() ([]ledger.Entry, error) {
	pending := s.l.Pending()
	if len(pending) == 0 {
		return nil, nil
	}
	for i := range pending {
		s.t.step("rename")
		if err := rename(s.dir, pending[i].Temp, pending[i].Name); err != nil {
			return nil, s.t.folderFault(s.doc, fmt.Errorf("%s: %w", pending[i].Name, err))
		}
	}
	s.t.step("renamed")
	if err := syncDir(s.dir); err != nil {
		return nil, s.t.folderFault(s.doc, err)
	}
	for i := range pending {
		pending[i].State, pending[i].Temp, pending[i].At = ledger.Delivered, "", s.t.opts.Now()
	}
	return pending, nil
}

// finish does steps 3 and 4 for what a crash, or a failure before, left intended.
func (s *session) finish(ctx context.Context) error {
	entries, err := s.finishAll()
	if err != nil || len(entries) == 0 {
		return err
	}
	c := ledger.Change{Entries: entries}
	for i := range entries {
		c.Free = append(c.Free, entries[i].Key)
	}
	return s.l.Write(ctx, c)
}

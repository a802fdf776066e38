package exchange

import (
	"slices"
	"time"
)

// entry is one exchange that is kept.
type entry struct {
	key string
	at  time.Time
	// exchange is what a Book shows, value what a Recorder writes.
	exchange Exchange
	value    []byte
	// sent says that the topic has it, or will before anything that is written later; offset is a place at or behind it, once acknowledged.
	sent   bool
	offset int64
}

// shelf holds the newest of one kind of exchanges of a link, oldest first.
type shelf struct {
	limit int
	list  []*entry
}

// put adds an entry in its place, and returns the one that had to go for it: the oldest, which may be the new one itself.
func (s *shelf) put(e *entry) (gone *entry) {
	at := len(s.list)
	for at > 0 && s.list[at-1].at.After(e.at) { // nearly always at the end
		at--
	}
	s.list = slices.Insert(s.list, at, e)
	if len(s.list) <= s.limit {
		return nil
	}
	gone = s.list[0]
	s.list = slices.Delete(s.list, 0, 1)
	return gone
}

// take removes an entry.
func (s *shelf) take(e *entry) {
	if i := slices.Index(s.list, e); i >= 0 {
		s.list = slices.Delete(s.list, i, i+1)
	}
}

// last is the newest, nil if there is none.
func (s *shelf) last() *entry {
	if len(s.list) == 0 {
		return nil
	}
	return s.list[len(s.list)-1]
}

// link is what is kept of one link.
type link struct {
	ok, bad shelf
}

// links keeps what went well apart from the rest, so that no number of successes pushes a failure out.
type links struct {
	keep, keepFailed int
	all              map[string]*link
}

func newLinks(keep, keepFailed int) links {
	if keep <= 0 {
		keep = Keep
	}
	if keepFailed <= 0 {
		keepFailed = KeepFailed
	}
	return links{keep: keep, keepFailed: keepFailed, all: map[string]*link{}}
}

// shelf is where an exchange belongs.
func (l *links) shelf(name, outcome string) *shelf {
	k := l.all[name]
	if k == nil {
		k = &link{ok: shelf{limit: l.keep}, bad: shelf{limit: l.keepFailed}}
		l.all[name] = k
	}
	if outcome == OK {
		return &k.ok
	}
	return &k.bad
}

// each calls fn for everything that is kept.
func (l *links) each(fn func(*entry)) {
	for _, k := range l.all {
		for _, e := range k.ok.list {
			fn(e)
		}
		for _, e := range k.bad.list {
			fn(e)
		}
	}
}

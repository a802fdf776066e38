package files

import (
	"fmt"
	"os"
	"path/filepath"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/ledger"
)

// decision is what becomes of a record; nothing at all if it was delivered already.
type decision struct {
	job     *job          // a file is to be written
	settled *ledger.Entry // nothing is written, but this is known now
	fault   *fault.Fault  // it is parked
}

// handledSuffix is of a file by which people say that they have seen a change, or a removal, after the export.
const handledSuffix = ".handled"

// decide says what becomes of a record. names are those of the files that the stretch writes; the error is one of the file system.
func (s *session) decide(r *sink.Record, names map[string]bool) (decision, error) {
	was, known := s.l.Get(r.Key)
	if known && (was.Offset > r.Offset || was.Offset == r.Offset && was.State != ledger.Refused) {
		return decision{}, nil // a replay, or the same batch again
	}
	if r.Row == nil {
		if !known || s.doc.cfg.Removed != removedFault {
			return decision{}, nil
		}
		return s.toldAfter(r, was, was.Hash, &fault.Fault{
			Cause: fault.FilesRemoved, What: fmt.Sprintf("it was removed after its file %s was handed over", was.Name),
			Fix: "remove it in the other system too",
		})
	}
	// The file as it was written the last time: what differs is the record's doing.
	same, f := s.doc.make(r.Row, max(1, was.Attempt), s.tempTail())
	if f != nil {
		return decision{fault: f}, nil
	}
	next := ledger.Entry{Key: r.Key, State: ledger.Intended, Offset: r.Offset, Hash: same.hash, Name: same.name, Attempt: 1, At: s.t.opts.Now()}
	switch {
	case !known:
	case was.State == ledger.Refused:
		mark, err := firstThere(s.marks(was.Name).refused)
		if err != nil {
			return decision{}, err
		}
		if mark != "" {
			return decision{fault: s.refusal(was.Name, was.Answer, mark)}, nil
		}
	case was.Hash == same.hash || s.doc.cfg.Update == updateIgnore:
		return decision{}, nil
	case s.doc.cfg.Update != updateFile:
		return s.toldAfter(r, was, same.hash, &fault.Fault{
			Cause: fault.FilesChanged, What: fmt.Sprintf("it changed after its file %s was handed over", was.Name), Fix: "make the change in the other system too",
		})
	}
	if known {
		next.Attempt = was.Attempt + 1
		again, f := s.doc.make(r.Row, next.Attempt, s.tempTail())
		if f != nil {
			return decision{fault: f}, nil
		}
		same, next.Name, next.Hash = again, again.name, again.hash
	}
	if taken, err := s.taken(next.Name, names); err != nil || taken != nil {
		return decision{fault: taken}, err
	}
	names[next.Name] = true
	next.Temp = s.tempName(next.Name)
	return decision{job: &job{next, same.content}}, nil
}

func (s *session) tempTail() int { return len(s.tail) + tokenLength + len(tempEnd) }

// taken says what has a file's name: another file, or the reader's answer to one, which would be taken for the answer to this one.
func (s *session) taken(name string, names map[string]bool) (*fault.Fault, error) {
	m := s.marks(name)
	mark, err := firstThere(append(append([]string{filepath.Join(s.dir, name)}, m.taken...), m.refused...))
	if err != nil {
		return nil, err
	}
	if mark == "" && !names[name] {
		return nil, nil
	}
	if mark == "" {
		mark = "another record's file"
	}
	return &fault.Fault{
		Cause: fault.FilesNameTaken, What: fmt.Sprintf("its file %s cannot be written: %s is there", name, mark),
		Fix: fmt.Sprintf("let the reader take it, or move it away; where two records have one name, let files.tables.%s.name tell them apart. It is tried again within a minute", s.doc.table),
	}, nil
}

// refusal is the fault of a file that the reader refused.
func (s *session) refusal(name, answer, mark string) *fault.Fault {
	if answer == "" {
		answer = "it does not say why"
	}
	return &fault.Fault{
		Cause: fault.FilesRefused, What: fmt.Sprintf("the reader refused %s: %s", name, answer),
		Fix: fmt.Sprintf("put right what it says, in the shop or in the other system, and remove %s; then the file is written anew", mark),
	}
}

// toldAfter parks a record that changed after its export, until somebody says that it was handled, with a file of the name and ".handled".
func (s *session) toldAfter(r *sink.Record, was ledger.Entry, hash uint64, f *fault.Fault) (decision, error) {
	path := filepath.Join(s.dir, was.Name+handledSuffix)
	handled, err := exists(path)
	if err != nil {
		return decision{}, err
	}
	if !handled {
		f.Fix += fmt.Sprintf(", and then say so: touch '%s'", path)
		return decision{fault: f}, nil
	}
	was.Offset, was.Hash = r.Offset, hash
	if err := os.Remove(path); err != nil {
		return decision{}, err
	}
	return decision{settled: &was}, nil
}

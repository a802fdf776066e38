package ledger

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"shelfstream/sink"
)

// TestMemoryOfEntries holds what doc.go says of memory. A hundred thousand are enough: what an entry takes does not grow with their number.
func TestMemoryOfEntries(t *testing.T) {
	const n, most = 100_000, 160 // bytes an entry
	l := &Ledger{done: map[sink.KeyHash]packed{}, open: map[sink.KeyHash]Entry{}, held: map[sink.KeyHash]sink.Parked{}}
	before := heap()
	begun := time.Now()
	for i := range n {
		e := Entry{State: Delivered, Offset: int64(i), Hash: uint64(i) << 40, Name: fmt.Sprintf("WEB-%d.edi", i), Answer: "10004711", Attempt: 1, At: begun}
		value, err := e.encode()
		if err != nil {
			t.Fatal(err)
		}
		if e, err = decodeEntry(fmt.Appendf(nil, "WEB-%d", i), value); err != nil {
			t.Fatal(err)
		}
		l.take(&Change{Entries: []Entry{e}})
	}
	took := time.Since(begun)
	per := (heap() - before) / n
	t.Logf("an entry takes %d bytes; %d were written as JSON and read in %v", per, n, took)
	if per > most {
		t.Errorf("an entry takes %d bytes, more than %d", per, most)
	}
	if e, ok := l.Get([]byte("WEB-12345")); !ok || e.Name != "WEB-12345.edi" || e.Answer != "10004711" || e.Offset != 12345 {
		t.Errorf("an entry came back as %+v", e)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

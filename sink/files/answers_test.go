package files_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/files"
	"shelfstream/sink/ledger"
	"shelfstream/sink/sinktest"
)

// state is what the ledger says of a record, read beside its owner, who loses the partition by it.
func (w *world) state(t *testing.T, r sink.Record) ledger.Entry {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{Client: w.Client, Topic: ledger.Topic("suite", "erp")}, partition())
	must(t, err)
	defer func() { must(t, l.Close()) }()
	e, _ := l.Get(r.Key)
	return e
}

// TestAcknowledgements: each way in which readers say that they have a file.
func TestAcknowledgements(t *testing.T) {
	for _, tc := range []struct {
		name   string
		ack    files.Acknowledge
		answer func(t *testing.T, dir string)
		state  ledger.State
		says   string
	}{
		{"not yet", files.Acknowledge{By: "removed"}, func(*testing.T, string) {}, ledger.Delivered, ""},
		{"removed", files.Acknowledge{By: "removed"}, func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "1.edi"))) }, ledger.Acknowledged, ""},
		{"the folder is away", files.Acknowledge{By: "removed"}, func(t *testing.T, dir string) { must(t, os.Rename(dir, dir+".away")) }, ledger.Delivered, ""},
		{"renamed", files.Acknowledge{By: "renamed"}, func(t *testing.T, dir string) {
			must(t, os.Rename(filepath.Join(dir, "1.edi"), filepath.Join(dir, "1.bak")))
		}, ledger.Acknowledged, ""},
		{"renamed behind the extension", files.Acknowledge{By: "renamed", Suffix: ".done"}, func(t *testing.T, dir string) {
			must(t, os.Rename(filepath.Join(dir, "1.edi"), filepath.Join(dir, "1.edi.done")))
		}, ledger.Acknowledged, ""},
		{"removed is not renamed", files.Acknowledge{By: "renamed"}, func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "1.edi"))) }, ledger.Delivered, ""},
		{"a status file", files.Acknowledge{By: "status"}, func(t *testing.T, dir string) { put(t, dir, "1.ok", " 10004711\n") }, ledger.Acknowledged, "10004711"},
		{"a status file that refuses", files.Acknowledge{By: "status"}, func(t *testing.T, dir string) { put(t, dir, "1.edi.err", "line 2:\nno such product\xff") }, ledger.Refused, "line 2: no such product?"},
		{"refused where taken files vanish", files.Acknowledge{By: "removed", FailedSuffix: ".fail"}, func(t *testing.T, dir string) {
			must(t, os.Rename(filepath.Join(dir, "1.edi"), filepath.Join(dir, "1.fail")))
		}, ledger.Refused, "BEGIN 1 one 1 END"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			r := sinktest.Record(0, 1, "one", 1)
			s := open(t, w.target(t, func(c *files.TableConfig) { tc.ack.Poll = time.Hour; c.Acknowledge = tc.ack }))
			apply(t, s, 1, r)
			tc.answer(t, w.dir)
			_ = files.Look(t.Context(), s)
			if e := w.state(t, r); e.State != tc.state || e.Answer != tc.says {
				t.Errorf("the ledger says %+v, want %v %q", e, tc.state, tc.says)
			}
		})
	}
}

func TestMovedFolders(t *testing.T) {
	w := newWorld(t)
	done, failed := t.TempDir(), t.TempDir()
	s := open(t, w.target(t, func(c *files.TableConfig) {
		c.Acknowledge = files.Acknowledge{By: "moved", Dir: done, FailedDir: failed, Poll: time.Hour}
	}))
	a, b := sinktest.Record(0, 1, "one", 1), sinktest.Record(1, 2, "two", 2)
	apply(t, s, 2, a, b)
	must(t, os.Rename(filepath.Join(w.dir, "1.edi"), filepath.Join(done, "1.edi")))
	must(t, os.Rename(filepath.Join(w.dir, "2.edi"), filepath.Join(failed, "2.edi")))
	must(t, files.Look(t.Context(), s))
	if p := s.(sink.Retrier).Held(); p != 1 {
		t.Errorf("%d are parked", p)
	}
	if got := w.said.kinds(); got != "file ok, acknowledgement ok, refusal failed" {
		t.Errorf("exchanges: %s", got)
	}
	if ea, eb := w.state(t, a), w.state(t, b); ea.State != ledger.Acknowledged || eb.State != ledger.Refused {
		t.Errorf("the ledger says %v and %v", ea.State, eb.State)
	}
}

// TestARefusedFileIsWrittenAnew follows the fault's words to the cure.
func TestARefusedFileIsWrittenAnew(t *testing.T) {
	w := newWorld(t)
	s := open(t, w.target(t, func(c *files.TableConfig) { c.Acknowledge = files.Acknowledge{By: "status", Poll: time.Hour} }))
	woken := 0
	s.(sink.Retrier).OnWake(func() { woken++ })
	r := sinktest.Record(0, 1, "one", 1)
	apply(t, s, 1, r)
	must(t, os.Rename(filepath.Join(w.dir, "1.edi"), filepath.Join(w.dir, "1.err")))
	must(t, files.Look(t.Context(), s))
	if got := s.(sink.Retrier).TakeWoken(); woken != 1 || len(got) != 1 || got[0] != 0 {
		t.Fatalf("woken %d times, for %v", woken, got)
	}
	for range 2 { // what the runner does then, and each minute
		parked := apply(t, s, 1, r)
		if len(parked) != 1 || parked[0].Fault.Cause != fault.FilesRefused || !strings.Contains(parked[0].Fault.What, "BEGIN 1 one") || !strings.Contains(parked[0].Fault.Fix, "remove "+filepath.Join(w.dir, "1.err")) || parked[0].Key != "1" {
			t.Fatalf("parked: %+v", parked)
		}
	}
	must(t, os.Remove(filepath.Join(w.dir, "1.err")))
	if parked := apply(t, s, 1, r); len(parked) > 0 || s.(sink.Retrier).Held() > 0 {
		t.Fatalf("still parked: %+v", parked)
	}
	if got := listed(t, w.dir); len(got) != 1 || got["1.edi"] != "BEGIN 1 one 1 END\n" {
		t.Errorf("the folder has %v", got)
	}
	if e := w.state(t, r); e.State != ledger.Delivered || e.Attempt != 2 {
		t.Errorf("the ledger says %+v", e)
	}
}

// TestNobodyTakesThem: what is not taken in time is told once for the folder, with the oldest, and no more when it is taken.
func TestNobodyTakesThem(t *testing.T) {
	w := newWorld(t)
	target := w.target(t, func(c *files.TableConfig) {
		c.Acknowledge = files.Acknowledge{By: "removed", Within: 10 * time.Minute, Poll: time.Hour}
	})
	s := open(t, target)
	apply(t, s, 2, sinktest.Record(0, 1, "one", 1), sinktest.Record(1, 2, "two", 2))
	told := func() string {
		must(t, files.Look(t.Context(), s))
		return target.Notices().Error()
	}
	w.at = w.at.Add(9 * time.Minute)
	if got := told(); got != "" {
		t.Errorf("told too early: %s", got)
	}
	w.at = w.at.Add(time.Minute)
	want := "sink erp: table order: 2 files in " + w.dir + " were not taken within 10m0s, the oldest is 1.edi of 2026-03-01 12:00:00Z"
	if got := told(); !strings.HasPrefix(got, want) || target.Notices()[0].Cause != fault.FilesNotTaken {
		t.Errorf("told %q, want %q", got, want)
	}
	must(t, os.Remove(filepath.Join(w.dir, "1.edi")))
	must(t, os.Remove(filepath.Join(w.dir, "2.edi")))
	if got := told(); got != "" {
		t.Errorf("still told: %s", got)
	}
	must(t, os.Remove(w.dir))
	apply(t, s, 2)
	if got := told(); got != "" {
		t.Errorf("told of a folder that nobody waits for: %s", got)
	}
}

// TestLaterStates: what becomes of an order that changes, or is removed, after its file was handed over.
func TestLaterStates(t *testing.T) {
	first, changed := sinktest.Record(0, 1, "one", 1), sinktest.Record(1, 1, "uno", 1)
	same := sinktest.Record(1, 1, "one", 1)
	gone := sink.Record{Key: first.Key, KeyValues: []schemas.Value{schemas.Int(1)}, Offset: 1}
	for _, tc := range []struct {
		name   string
		change func(*files.TableConfig)
		then   sink.Record
		cause  fault.Cause // "" none
		files  int
	}{
		{"the same file", func(*files.TableConfig) {}, same, "", 1},
		{"changed", func(*files.TableConfig) {}, changed, fault.FilesChanged, 1},
		{"changed, ignored", func(c *files.TableConfig) { c.Update = "ignore" }, changed, "", 1},
		{"changed, written again", func(c *files.TableConfig) { c.Update, c.Name = "file", "{{.no}}-{{._attempt}}.edi" }, changed, "", 2},
		{"the same, where changes are written again", func(c *files.TableConfig) { c.Update, c.Name = "file", "{{.no}}-{{._attempt}}.edi" }, same, "", 1},
		{"removed", func(*files.TableConfig) {}, gone, "", 1},
		{"removed, told", func(c *files.TableConfig) { c.Removed = "fault" }, gone, fault.FilesRemoved, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			s := open(t, w.target(t, tc.change))
			apply(t, s, 1, first)
			for range 2 {
				parked := apply(t, s, 2, tc.then)
				if len(listed(t, w.dir)) != tc.files {
					t.Errorf("the folder has %v", listed(t, w.dir))
				}
				if tc.cause == "" {
					if len(parked) > 0 {
						t.Errorf("parked: %+v", parked[0].Fault)
					}
					continue
				}
				if len(parked) != 1 || parked[0].Fault.Cause != tc.cause || !strings.Contains(parked[0].Fault.Fix, filepath.Join(w.dir, "1.edi.handled")) {
					t.Fatalf("parked: %+v", parked)
				}
			}
			if tc.cause != "" {
				put(t, w.dir, "1.edi.handled", "")
				if parked := apply(t, s, 2, tc.then); len(parked) > 0 || len(listed(t, w.dir)) != 1 || s.(sink.Retrier).Held() > 0 {
					t.Errorf("after it was handled: parked %+v, the folder has %v", parked, listed(t, w.dir))
				}
				if parked := apply(t, s, 2, tc.then); len(parked) > 0 {
					t.Errorf("told again: %+v", parked)
				}
			}
		})
	}
}

// TestNames: names that cannot be files, and those that are taken.
func TestNames(t *testing.T) {
	w := newWorld(t)
	s := open(t, w.target(t, func(c *files.TableConfig) {
		c.Name = "{{.name}}"
		c.Acknowledge = files.Acknowledge{By: "renamed", Poll: time.Hour}
	}))
	for i, name := range []string{"", "../x", `a\b`, "a:b", ".x", "x.", "a\x00", "x.tmp", " x", strings.Repeat("x", 240)} {
		parked := apply(t, s, int64(i+1), sinktest.Record(int64(i), int64(i), name, 1))
		if len(parked) != 1 || parked[0].Fault.Cause != fault.FilesName || parked[0].Fault.Fix == "" {
			t.Errorf("%q: %+v", name, parked)
		}
	}
	put(t, w.dir, "taken.edi", "somebody's")
	put(t, w.dir, "before.bak", "taken long ago")
	parked := apply(t, s, 30, sinktest.Record(20, 20, "taken.edi", 1), sinktest.Record(21, 21, "before.edi", 1), sinktest.Record(22, 22, "twin.edi", 1), sinktest.Record(23, 23, "twin.edi", 2))
	if len(parked) != 3 {
		t.Fatalf("parked: %+v", parked)
	}
	for _, p := range parked {
		if p.Fault.Cause != fault.FilesNameTaken {
			t.Errorf("%s: %+v", p.Key, p.Fault)
		}
	}
	if got := listed(t, w.dir); len(got) != 3 || got["taken.edi"] != "somebody's" || got["twin.edi"] != "BEGIN 22 twin.edi 1 END\n" {
		t.Errorf("the folder has %v", got)
	}
	must(t, os.Remove(filepath.Join(w.dir, "taken.edi")))
	if parked := apply(t, s, 30, sinktest.Record(20, 20, "taken.edi", 1)); len(parked) > 0 || listed(t, w.dir)["taken.edi"] != "BEGIN 20 taken.edi 1 END\n" {
		t.Errorf("the name is free: %+v", parked)
	}
}

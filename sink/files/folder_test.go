package files_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/files"
	"shelfstream/sink/sinktest"
	"shelfstream/status"
)

// TestTheFolderFails: each trouble of a folder is the environment's, with its own cause and remedy, and whether it passes.
func TestTheFolderFails(t *testing.T) {
	w := newWorld(t)
	target := w.target(t, func(*files.TableConfig) {})
	for errno, want := range map[error]fault.Cause{
		syscall.ENOENT: fault.FilesFolderMissing, syscall.ENOTDIR: fault.FilesFolderMissing, syscall.EACCES: fault.FilesFolderRefused, syscall.EPERM: fault.FilesFolderRefused, syscall.EROFS: fault.FilesFolderRefused,
		syscall.ENOSPC: fault.FilesFull, syscall.EDQUOT: fault.FilesFull, syscall.EIO: fault.FilesFolderFailed, syscall.ESTALE: fault.FilesFolderFailed,
	} {
		err := target.FolderFault("order", fmt.Errorf("x: %w", &fs.PathError{Op: "open", Path: filepath.Join(w.dir, "1.edi"), Err: errno}))
		var f *fault.Fault
		if !errors.As(err, &f) || f.Cause != want || f.Class != fault.Environment || f.Fix == "" || !strings.Contains(f.What+f.Fix, w.dir) {
			t.Errorf("%v: %v, want %s", errno, err, want)
		}
	}
}

// TestTheFolderComesBack: a runner waits for a folder that is away, says so, and goes on by itself; check -connect says it before.
func TestTheFolderComesBack(t *testing.T) {
	w := newWorld(t)
	config := w.config(t, func(c *files.TableConfig) { c.Dir = filepath.Join(w.dir, "away"); c.Name = "{{.no}}.edi" })
	target, err := files.New(config, w.opts)
	must(t, err)
	l, err := target.DryCheck(t.Context(), []sink.View{sinktest.View()})
	if err != nil || len(l) != 1 || l[0].Cause != fault.FilesFolderMissing {
		t.Fatalf("checked: %v, %v", l, err)
	}
	dir := filepath.Join(w.dir, "away")
	must(t, os.Mkdir(dir, 0o700))
	cfg := w.Config(target)
	run := w.Start(cfg)
	sinktest.Wait(t, "live", func() bool { return run.Status().State == status.StateLive })
	must(t, os.Rename(dir, dir+"2"))
	w.Put(sinktest.Row(1, "one", 1))
	sinktest.Wait(t, "told", func() bool {
		s := run.Status()
		return len(s.Faults) == 1 && s.Faults[0].Cause == fault.FilesFolderMissing && s.State == status.StateRetrying
	})
	must(t, os.Rename(dir+"2", dir))
	sinktest.Wait(t, "written", func() bool { return listed(t, dir)["1.edi"] == "BEGIN 1 one 1 END\n" })
	sinktest.Wait(t, "told no more", func() bool { s := run.Status(); return len(s.Faults) == 0 && s.State == status.StateLive })
	// A replay hands nothing over again; a comparison cannot be asked for.
	must(t, os.Remove(filepath.Join(dir, "1.edi")))
	rewind := sink.RewindConfig{Pipeline: "suite", Sink: "erp", Views: []string{"product"}, Client: w.Client, Target: target, By: "test"}
	if _, err := sink.Rewind(t.Context(), rewind); err != nil {
		t.Fatal(err)
	}
	w.Put(sinktest.Row(2, "two", 2))
	sinktest.Wait(t, "the next one", func() bool { return listed(t, dir)["2.edi"] != "" })
	if got := listed(t, dir); len(got) != 1 {
		t.Errorf("the folder has %v", got)
	}
}

// TestConfigurations: what is wrong with a section is said at once, at its place.
func TestConfigurations(t *testing.T) {
	good := files.TableConfig{From: "order", Dir: "in", Name: "{{.no}}", Template: "json"}
	if l := (&files.Config{Tables: map[string]files.TableConfig{"o": good}}).Validate(); len(l) > 0 {
		t.Errorf("a good section: %v", l)
	}
	for _, tc := range []struct {
		change func(*files.TableConfig)
		where  string
	}{
		{func(c *files.TableConfig) { c.From = "order.lines" }, ".from"},
		{func(c *files.TableConfig) { c.Template = "" }, ""},
		{func(c *files.TableConfig) { c.Template = "visma" }, ".template"},
		{func(c *files.TableConfig) { c.TemplateFile = "x" }, ".template_file"},
		{func(c *files.TableConfig) { c.Format = "xml" }, ".format"},
		{func(c *files.TableConfig) { c.Update = "file" }, ".name"},
		{func(c *files.TableConfig) { c.Name = "{{.no" }, ".name"},
		{func(c *files.TableConfig) { c.Acknowledge.By = "moved" }, ".acknowledge.dir"},
		{func(c *files.TableConfig) { c.Acknowledge.Dir = "x" }, ".acknowledge.dir"},
		{func(c *files.TableConfig) { c.Acknowledge.Suffix = "x" }, ".acknowledge.suffix"},
		{func(c *files.TableConfig) { c.Acknowledge.FailedSuffix = "x" }, ".acknowledge"},
	} {
		c := good
		tc.change(&c)
		l := (&files.Config{Tables: map[string]files.TableConfig{"o": c}}).Validate()
		if len(l) != 1 || l[0].Where != "files.tables.o"+tc.where || l[0].Fix == "" || l[0].Class != fault.Config {
			t.Errorf("%+v: %v, want one fault at %q", c, l, tc.where)
		}
	}
}

//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"

	"shelfstream/internal/testenv"
	"shelfstream/status"
)

// worker is one process of one stage.
type worker struct {
	w       *world
	name    string // "sink-2"
	stage   string
	admin   string
	state   string         // its own folder: two processes cannot share a store
	shop    *testenv.Proxy // between it and the shop; nil if there is none
	process *testenv.Process
}

// start starts a worker of a stage; it is stopped, and must end cleanly, when the test ends.
func (w *world) start(stage string) *worker {
	w.t.Helper()
	admin, err := testenv.FreeAddr()
	must(w.t, err)
	return w.startAt(stage, admin)
}

// startAt is start with an admin port that is known before.
func (w *world) startAt(stage, admin string) *worker {
	w.t.Helper()
	n := 1
	for _, k := range w.workers {
		if k.stage == stage {
			n++
		}
	}
	k := &worker{w: w, name: fmt.Sprintf("%s-%d", stage, n), stage: stage, admin: admin}
	k.state = filepath.Join(w.dir, "state-"+k.name)
	if stage == "sink" && !w.proxied {
		shop, err := testenv.NewProxy(mariadb.Addr())
		must(w.t, err)
		k.shop = shop
		w.t.Cleanup(k.shop.Close)
	}
	k.again()
	w.workers = append(w.workers, k)
	w.t.Cleanup(func() {
		if !k.process.Running() {
			return // reported by alive
		}
		if err := k.process.Stop(context.Background()); err != nil {
			w.t.Error(err)
		}
	})
	return k
}

// startAll starts n workers of each of the stages.
func (w *world) startAll(capture, transform, sink int) {
	w.t.Helper()
	for range capture {
		w.start("capture")
	}
	for range transform {
		w.start("transform")
	}
	for range sink {
		w.start("sink")
	}
}

// again starts the process once more after its end.
func (k *worker) again() {
	k.w.t.Helper()
	var err error
	k.process, err = program.Start(testenv.ProcessConfig{
		Name: k.name, Args: []string{k.stage, "-config", filepath.Join(k.w.dir, "pipeline.yaml"), "-admin", k.admin},
		Env: k.env(), Log: filepath.Join(k.w.dir, k.name+".log"), Admin: k.admin,
	})
	must(k.w.t, err)
}

func (k *worker) env() []string {
	env := k.w.env(k.state)
	if k.shop != nil {
		env = append(env, "SHOP_DSN="+mariadb.DSNThrough(k.shop, k.w.name)) // the last one counts
	}
	return env
}

// report asks a worker of one stage for its status.
func (k *worker) report() (*status.Stage, error) {
	all, err := k.stages()
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("%d stages in the report of %s", len(all), k.name)
	}
	if err != nil {
		return nil, err
	}
	return &all[0], nil
}

// one is the only stage of a kind of a worker that runs several.
func (k *worker) one(kind string) (*status.Stage, error) {
	all, err := k.stages()
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Kind == kind {
			return &all[i], nil
		}
	}
	return nil, fmt.Errorf("no stage of the kind %s in the report of %s", kind, k.name)
}

func (k *worker) stages() ([]status.Stage, error) {
	req, err := http.NewRequestWithContext(k.w.ctx, http.MethodGet, "http://"+k.admin+"/status.json", http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := browse.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var r status.Report
	err = json.NewDecoder(res.Body).Decode(&r)
	return r.Stages, err
}

func (k *worker) words() string {
	s, err := k.report()
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s %s, %d records, %v %v", s.State, s.Detail, s.Records, s.Positions, s.Faults)
}

// records is how many records the process has worked on; 0 if it cannot be asked.
func (k *worker) records() int64 {
	s, err := k.report()
	if err != nil {
		return 0
	}
	return s.Records
}

// worked waits until the process has done something.
func (k *worker) worked() {
	k.w.t.Helper()
	k.w.until("work by "+k.name, func() (bool, error) {
		if !k.process.Running() {
			return false, fmt.Errorf("%s has ended; its log ends:\n%s", k.name, k.process.LogTail(20))
		}
		return k.records() > 0, nil
	})
}

// alive fails the test if a worker has ended by itself.
func (w *world) alive() {
	w.t.Helper()
	for _, k := range w.workers {
		if !k.process.Running() {
			w.t.Errorf("%s has ended; its log ends:\n%s", k.name, k.process.LogTail(20))
		}
	}
}

// command runs another command of the program on the world's configuration.
func (w *world) command(args ...string) string {
	w.t.Helper()
	args = append(args, "-config", filepath.Join(w.dir, "pipeline.yaml"))
	cmd := exec.CommandContext(w.ctx, program.Path, args...)
	cmd.Env = append(cmd.Environ(), w.env(filepath.Join(w.dir, "state-transform-1"))...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

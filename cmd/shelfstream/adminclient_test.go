package main

import (
	"context"
	"strings"
	"testing"

	"shelfstream/status"
	"shelfstream/status/web"
)

// testApp has a configuration and nothing else.
func testApp(t *testing.T, config string) *app {
	t.Helper()
	cfg, err := loadPipeline(config, func(name string) (string, bool) { v, ok := goodEnv[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return &app{cfg: cfg}
}

// serveAdmin opens an admin port until the test ends.
func serveAdmin(t *testing.T, cfg web.Config) (addr string) {
	t.Helper()
	cfg.Listen = "127.0.0.1:0"
	s, err := web.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s.Addr()
}

// TestAskingAnotherProcess: a process that does not run the view is told from one that is away and from a product that is not there, and what it says is passed
// on: whom to ask, with the exit code of an environment that is not right.
func TestAskingAnotherProcess(t *testing.T) {
	config := writeConfig(t, goodConfig)
	a := testApp(t, config)
	captureOnly := serveAdmin(t, web.Config{})
	otherViews := serveAdmin(t, web.Config{
		Explain: func(ctx context.Context, view, key string) (*status.Explanation, error) {
			return a.explain(ctx, map[string]explainer{"variant": nil}, view, key)
		},
		Plan: func(ctx context.Context, request []byte, tell func(any)) (any, error) {
			return a.planAsked(ctx, map[string]planner{"variant": nil}, request, tell)
		},
	})
	for _, admin := range []string{captureOnly, otherViews} {
		for _, args := range [][]string{{"explain", "product", "4711"}, {"plan", "product"}} {
			args = append([]string{args[0], "-config", config, "-admin", admin}, args[1:]...)
			got := execute(t, goodEnv, args...)
			if got.code != 3 || got.stdout != "" || !strings.Contains(got.stderr, "http://"+admin+"/"+args[0]) || !strings.Contains(got.stderr, ": this process does not run transform") ||
				!strings.Contains(got.stderr, "fix: ask the process that runs transform") {
				t.Errorf("%v: %d %s%s", args, got.code, got.stdout, got.stderr)
			}
		}
	}
	for _, args := range [][]string{{"explain", "product", "4711"}, {"plan"}} {
		args = append([]string{args[0], "-config", config, "-admin", "127.0.0.1:1"}, args[1:]...)
		if got := execute(t, goodEnv, args...); got.code != 3 || !strings.Contains(got.stderr, "http://127.0.0.1:1: the pipeline does not answer on its admin port") || !strings.Contains(got.stderr, "connection refused") || !strings.Contains(got.stderr, "fix: start it") {
			t.Errorf("%v: %d %s", args, got.code, got.stderr)
		}
	}
}

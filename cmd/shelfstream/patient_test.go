package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"shelfstream/capture"
	"shelfstream/internal/fault"
	"shelfstream/internal/kafka/embedded"
	"shelfstream/internal/retry"
	"shelfstream/internal/testenv"
	"shelfstream/status"
)

// failing is a stage whose runs end with one error after the other, and then only when they are told to.
type failing struct {
	errs  []error
	state string
}

func (f *failing) Run(ctx context.Context) error {
	if len(f.errs) == 0 {
		f.state = status.StateLive
		<-ctx.Done()
		return nil
	}
	err := f.errs[0]
	f.errs = f.errs[1:]
	return err
}

func (f *failing) Status() status.Stage {
	return status.Stage{Kind: status.KindSink, Name: "shop", State: f.state}
}

func patientWith(t *testing.T, errs ...error) *patient {
	t.Helper()
	cfg, err := loadPipeline(writeConfig(t, goodConfig), func(name string) (string, bool) { v, ok := goodEnv[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	p := newPatient(&failing{errs: errs, state: status.StateStopped}, cfg, slog.New(slog.DiscardHandler))
	p.wait = retry.Backoff{Base: time.Nanosecond, Max: time.Nanosecond}
	return p
}

// TestWaitsForSystemsOnly: faults of systems are waited for; anything else ends the stage, with every fault and its place.
func TestWaitsForSystemsOnly(t *testing.T) {
	missing := fault.List{{Class: fault.Environment, Where: "sink shop: database it: table product", What: "does not exist"}}
	wrong := &fault.Fault{Class: fault.Config, Where: "mysql.tables.product.from", What: "there is no view"}
	for name, end := range map[string]error{"a mistake in the configuration": errors.Join(missing, wrong), "no fault": errors.New("broken"), "of the work itself": &fault.Fault{What: "bad"}} {
		p := patientWith(t, missing, missing, end)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := p.Run(ctx)
		cancel()
		if err == nil || len(p.stage.(*failing).errs) > 0 {
			t.Fatalf("%s: %v", name, err)
		}
		if errors.Is(err, end) {
			continue
		}
		if text := err.Error(); strings.Contains(text, "no view") && !strings.Contains(text, "pipeline.yaml:22:26: sinks.shop.mysql.tables.product.from: there is no view") {
			t.Errorf("%s: %s", name, text)
		}
	}

	p := patientWith(t, missing)
	p.block(missing)
	if st := p.Status(); st.State != capture.StateBlocked || len(st.Faults) != 1 || st.Detail == "" {
		t.Errorf("got %+v", st)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	p.stage.(*failing).state = status.StateLive
	if st := p.Status(); st.State != status.StateLive || len(st.Faults) != 0 {
		t.Errorf("what was put right is still shown: %+v", st)
	}
}

// TestBrokersAreAwaited: a stage that starts before Kafka says so on its page, and goes on when Kafka is there.
func TestBrokersAreAwaited(t *testing.T) {
	broker, err := testenv.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	admin, err := testenv.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	file := writeConfig(t, strings.NewReplacer(`log: { listen: "127.0.0.1:0", registry: { listen: "127.0.0.1:0" } }`, `log: { brokers: ["`+broker+`"], registry: { url: "http://127.0.0.1:1" } }`,
		`admin: { listen: "127.0.0.1:0" }`, `admin: { listen: "`+admin+`" }`).Replace(goodConfig))
	cfg, err := loadPipeline(file, func(name string) (string, bool) { v, ok := goodEnv[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	opened := make(chan error, 1)
	go func() {
		a, err := openApp(ctx, cfg, slog.New(slog.DiscardHandler), roleSink)
		if err == nil {
			err = a.Close()
		}
		opened <- err
	}()
	var r status.Report
	for askAdmin(ctx, "http://"+admin+"/status.json", &r) != nil || len(r.Stages) == 0 {
		select {
		case err := <-opened:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
	}
	if s := r.Stages[0]; len(r.Stages) != 1 || r.Ready || s.Kind != "sink" || s.Name != "shop" || s.State != status.StateRetrying || len(s.Faults) != 1 || s.Faults[0].Fix == "" {
		t.Errorf("got %+v", r)
	}
	b, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Listen: broker})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	if resp, err := http.Get("http://" + admin + "/healthz"); err == nil {
		_ = resp.Body.Close()
		t.Error("the page of waiting is still there")
	}
}

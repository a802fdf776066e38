package incident

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/internal/kafka/embedded"
	"shelfstream/internal/testenv"
	"shelfstream/status"
	"shelfstream/status/escalate"
	"shelfstream/status/notify"
	"shelfstream/status/roster"
)

// brokers are a log that can be stopped and started again where it was.
type brokers interface {
	Addr() string
	Stop() error
	Restart(ctx context.Context) error
}

// inProcess is the embedded log.
type inProcess struct {
	dir, addr string
	b         *embedded.Broker
}

func (p *inProcess) Addr() string { return p.addr }
func (p *inProcess) Stop() error  { return p.b.Close() }

func (p *inProcess) Restart(context.Context) (err error) {
	p.b, err = embedded.Start(embedded.Config{Dir: p.dir, Listen: p.addr})
	return err
}

func newBrokers(t *testing.T) brokers {
	t.Helper()
	addr, err := testenv.FreeAddr() // which nobody gets while it is down
	if err != nil {
		t.Fatal(err)
	}
	p := &inProcess{dir: t.TempDir(), addr: addr}
	if err := p.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.b.Close() })
	return p
}

// islands are processes of one pipeline, which tell people by themselves while the log does not answer.
type islands struct {
	t   *testing.T
	log brokers
	dir string

	mu     sync.Mutex
	ahead  time.Duration
	sent   []string // "process: person reason\tID"
	stages []status.Stage
	looks  map[string]int // "a alone", "a keeper"
}

func newIslands(t *testing.T, log brokers) *islands {
	w := &islands{t: t, log: log, dir: t.TempDir(), looks: map[string]int{}}
	// Far from the border between two spans of names, so that all processes give the same.
	now := time.Now()
	w.ahead = now.Truncate(nameSpan).Add(nameSpan + nameSpan/3).Sub(now)
	w.stages = []status.Stage{{Kind: status.KindSink, Name: "shop", State: status.StateLive}}
	return w
}

func (w *islands) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *islands) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

func (w *islands) report(by string) []status.Stage {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks[by]++
	return slices.Clone(w.stages)
}

// looked waits until somebody has looked twice from now on.
func (w *islands) looked(by string) {
	w.t.Helper()
	have := func() (n int) {
		w.set(func() { n = w.looks[by] })
		return n
	}
	from := have()
	eventually(w.t, by+" looks", func() bool { return have() >= from+2 })
}

// of are the messages that a process has sent so far, sorted, each as often as it was.
func (w *islands) of(process string) (out []string) {
	w.set(func() {
		for _, m := range w.sent {
			if rest, ok := strings.CutPrefix(m, process+": "); ok {
				out = append(out, rest[:strings.IndexByte(rest, '\t')])
			}
		}
	})
	slices.Sort(out)
	return out
}

// told waits for all that a process is to have sent so far.
func (w *islands) told(process string, want ...string) {
	w.t.Helper()
	var have []string
	defer func() {
		if w.t.Failed() {
			w.t.Logf("%s told %q, want %q", process, have, want)
		}
	}()
	eventually(w.t, process+" tells", func() bool {
		have = w.of(process)
		return len(have) >= len(want)
	})
	if !slices.Equal(have, want) {
		w.t.Fatalf("%s told %q, want %q", process, have, want)
	}
}

// island is one process.
type island struct {
	w      *islands
	name   string
	client *kafka.Client
	roster *roster.Roster
	keeper *Keeper
	alone  *Alone
	end    func()
}

// voice is what a process tells people with.
type voice struct {
	w    *islands
	name string
}

// Deliver implements Notifier.
func (v voice) Deliver(_ context.Context, m escalate.Message, c notify.Content) (string, error) {
	if c.Incident == "" || c.What == "" {
		v.w.t.Errorf("the message to %s says nothing: %+v", m.Person, c)
	}
	v.w.set(func() { v.w.sent = append(v.w.sent, v.name+": "+m.Person+" "+string(m.Reason)+"\t"+m.ID) })
	return m.Channels[0], nil
}

type counted struct{ i *island }

// Workers implements what a keeper wants of a roster.
func (c counted) Workers() []Worker {
	c.i.w.set(func() { c.i.w.looks["keeper"]++ })
	return c.i.roster.Workers()
}

func (w *islands) enter(name string) *island {
	w.t.Helper()
	client, err := kafka.Open(kafka.Config{Brokers: []string{w.log.Addr()}})
	if err != nil {
		w.t.Fatal(err)
	}
	i := &island{w: w, name: name, client: client}
	i.roster = roster.New(roster.Config{
		Client: client, Pipeline: "test", Self: roster.Worker{Name: name}, Every: 20 * time.Millisecond, Now: w.now,
		Stages: func() []status.Stage { return w.report(name + " roster") },
	})
	rules := Rules{Calm: 100 * time.Millisecond, Alone: 2 * time.Second, Settle: 400 * time.Millisecond, Patience: time.Hour}
	people := policies(w.t)
	i.alone = NewAlone(AloneConfig{
		Pipeline: "test", Worker: name, Rules: rules, Policies: people, Notifier: voice{w, name}, Every: 5 * time.Millisecond, Now: w.now,
		File: filepath.Join(w.dir, name, "alone.json"), Stages: func() []status.Stage { return w.report(name + " alone") },
		Log: func() (time.Duration, bool, *fault.Fault) {
			w.set(func() { w.looks[name+" log"]++ })
			written, ever := i.roster.Quiet()
			kept, also := i.keeper.Quiet()
			return max(written, kept), ever && also, i.roster.Fault()
		},
	})
	i.keeper, err = NewKeeper(KeeperConfig{
		Client: client, Pipeline: "test", Roster: counted{i}, Every: 5 * time.Millisecond, SessionTimeout: 6 * time.Second, Now: w.now, Rules: rules, Policies: people,
		Notifier: voice{w, "keeper"}, Alone: i.alone,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	for _, run := range []func(context.Context) error{i.roster.Run, i.keeper.Run, i.alone.Run} {
		wait.Go(func() {
			if err := run(ctx); err != nil {
				w.t.Errorf("Run: %v", err)
			}
		})
	}
	i.end = sync.OnceFunc(func() {
		cancel()
		wait.Wait()
		_ = client.Close()
	})
	w.t.Cleanup(i.end)
	return i
}

// joined waits until a process has the log, and somebody keeps.
func (i *island) joined() {
	i.w.t.Helper()
	eventually(i.w.t, i.name+" has the log", func() bool {
		_, ever := i.roster.Quiet()
		_, kept := i.keeper.Quiet()
		return ever && kept
	})
	i.w.looked("keeper")
}

// down is the incident of the log that a process shows.
func (i *island) down() (id string) {
	i.w.t.Helper()
	eventually(i.w.t, i.name+" shows it", func() bool {
		for _, n := range i.keeper.Incidents() {
			if n.Cause == CauseLogDown && n.Open() {
				id = n.ID
			}
		}
		return id != ""
	})
	return id
}

// outage is the story of a log that goes away from two processes, and comes back.
func outage(t *testing.T, log brokers) {
	w := newIslands(t, log)
	a, b := w.enter("a"), w.enter("b")
	a.joined()
	b.joined()
	if err := log.Stop(); err != nil {
		t.Fatal(err)
	}
	// Its sink fails by it, and so hard that it would be an incident at once.
	w.set(func() {
		w.stages = []status.Stage{
			{Kind: status.KindSink, Name: "shop", State: status.StateRetrying, Attempt: 9, Faults: fault.List{{Cause: fault.KafkaUnreachable, Where: "log.brokers", What: "refused"}}},
			{Kind: status.KindCapture, Name: "erp", State: status.StateRetrying, Attempt: 9, Faults: fault.List{{Cause: fault.PostgresUnreachable, Where: "erp", What: "refused"}}},
		}
	})
	w.told("a", "x opened")
	w.told("b", "x opened")
	id := a.down()
	if other := b.down(); other != id {
		t.Errorf("a calls it %s, b %s: people do not see that it is the same", id, other)
	}
	w.set(func() {
		if w.sent[0][len("a: "):] != w.sent[1][len("b: "):] {
			t.Errorf("the copies have different IDs: %q", w.sent)
		}
	})
	for _, i := range a.keeper.Incidents() {
		if i.ID != id && i.Behind != id {
			t.Errorf("it does not wait behind the log's: %+v", i)
		}
	}

	// a is started again, and knows whom it has told.
	a.end()
	a = w.enter("a")
	w.looked("a log")
	if a.down() != id {
		t.Errorf("it is another incident after a restart")
	}
	w.told("a", "x opened")

	// Somebody takes it on by a's link, and b goes on by itself.
	signer := notify.NewSigner([]byte("0123456789abcdef0123456789abcdef"), time.Hour)
	incident, person, err := signer.Verify(signer.Sign(id, "x", time.Now()), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.keeper.Ack(t.Context(), incident, person, "on my way"); err != nil {
		t.Fatal(err)
	}
	w.set(func() { w.ahead += 11 * time.Minute })
	w.told("b", "x opened", "y reminder", "z reminder")
	w.looked("a log")
	w.told("a", "x opened")
	if all := a.alone.Incidents(); all[0].By != "x" || all[0].Note != "on my way" {
		t.Errorf("%+v", all[0])
	}

	// The log is back: each tells those whom it has told, and the keeper nothing of what lingers.
	w.set(func() { w.stages[1] = status.Stage{Kind: status.KindCapture, Name: "erp", State: status.StateLive} })
	if err := log.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.told("a", "x all clear", "x opened")
	w.told("b", "x all clear", "x opened", "y all clear", "y reminder", "z all clear", "z reminder")
	w.looked("keeper")
	w.looked("keeper")
	w.told("keeper") // the sink still says that the log is refused
	w.set(func() { w.stages[0] = status.Stage{Kind: status.KindSink, Name: "shop", State: status.StateLive} })
	a.joined()
	w.looked("keeper")
	w.looked("a log")
	w.looked("b log")
	w.told("keeper")
	w.told("a", "x all clear", "x opened")
	if n := len(w.of("b")); n != 6 || a.alone.Down() || b.alone.Down() {
		t.Errorf("b told %q; down %v, %v", w.of("b"), a.alone.Down(), b.alone.Down())
	}
}

// TestAlone: a log that is killed under two processes. Each tells once, escalates, remembers over a restart, and gives the all-clear; the keeper adds nothing.
func TestAlone(t *testing.T) {
	t.Parallel()
	outage(t, newBrokers(t))
}

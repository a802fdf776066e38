package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/internal/kafka/embedded"
	"shelfstream/status"
	"shelfstream/status/escalate"
	"shelfstream/status/notify"
)

const limit = time.Minute

// town is a broker, the reports of a pipeline, a clock, and the post that takes messages to people. Keepers come and go in it.
type town struct {
	t      *testing.T
	broker *embedded.Broker

	mu      sync.Mutex
	ahead   time.Duration // of the clock
	stages  []status.Stage
	sent    []string       // "ID" of each message that arrived, in order
	kill    map[string]int // moment → how often a keeper is killed in it
	killed  int
	looks   int
	refused error // what the post says
}

func newTown(t *testing.T) *town {
	t.Helper()
	b, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return &town{t: t, broker: b, kill: map[string]int{}}
}

func (w *town) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

func (w *town) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *town) down() {
	w.set(func() {
		w.stages = []status.Stage{{Kind: status.KindSink, Name: "shop", State: status.StateRetrying, Attempt: 5, Faults: fault.List{
			{Cause: fault.MySQLUnreachable, Where: "sink shop", What: "connection refused", Fix: "start it"},
		}}}
	})
}

func (w *town) up() {
	w.set(func() { w.stages = []status.Stage{{Kind: status.KindSink, Name: "shop", State: status.StateLive}} })
}

func (w *town) arrived() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sent)
}

// resident is one process with a keeper.
type resident struct {
	w      *town
	client *kafka.Client
	keeper *Keeper
	cancel context.CancelFunc
	done   chan struct{}
	dead   chan struct{} // closed when it is killed
	once   sync.Once
}

// Workers implements what a keeper wants of a roster.
func (r *resident) Workers() []Worker {
	r.moment("look")
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	return []Worker{{Name: "a", At: time.Now().Add(r.w.ahead), Stages: slices.Clone(r.w.stages)}}
}

// Deliver implements Notifier. What is killed says nothing any more, and hears nothing.
func (r *resident) Deliver(ctx context.Context, m escalate.Message, c notify.Content) (string, error) {
	r.moment("before " + m.Person)
	select {
	case <-r.dead:
		return "", errors.New("killed")
	default:
	}
	r.w.mu.Lock()
	refused := r.w.refused
	if refused == nil {
		r.w.sent = append(r.w.sent, m.Person+" "+string(m.Reason)+"\t"+m.ID)
	}
	r.w.mu.Unlock()
	if c.Incident == "" || c.What == "" {
		r.w.t.Errorf("the message to %s says nothing: %+v", m.Person, c)
	}
	r.moment("after " + m.Person)
	return m.Channels[0], refused
}

// moment kills the process if it is its time: its connections are cut, so that nothing is written any more, and nobody is told that it ends.
func (r *resident) moment(name string) {
	r.w.mu.Lock()
	if name == "look" {
		r.w.looks++
	}
	due := r.w.kill[name] > 0
	if due {
		r.w.kill[name]--
		r.w.killed++
	}
	r.w.mu.Unlock()
	if due {
		r.once.Do(func() {
			close(r.dead)
			_ = r.client.Close()
			r.cancel()
		})
	}
}

// enter starts a process.
func (w *town) enter(change func(*KeeperConfig)) *resident {
	w.t.Helper()
	client, err := kafka.Open(kafka.Config{Brokers: []string{w.broker.Addr()}})
	if err != nil {
		w.t.Fatal(err)
	}
	r := &resident{w: w, client: client, done: make(chan struct{}), dead: make(chan struct{})}
	cfg := KeeperConfig{
		Client: client, Pipeline: "test", Roster: r, Every: 5 * time.Millisecond, AskEvery: 20 * time.Millisecond, Now: w.now, Notifier: r,
		Rules: Rules{Calm: 50 * time.Millisecond}, Policies: policies(w.t),
	}
	if change != nil {
		change(&cfg)
	}
	if r.keeper, err = NewKeeper(cfg); err != nil {
		w.t.Fatal(err)
	}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(r.done)
		if err := r.keeper.Run(ctx); err != nil {
			w.t.Errorf("Run: %v", err)
		}
	}()
	w.t.Cleanup(r.leave)
	return r
}

// leave ends a process cleanly.
func (r *resident) leave() {
	r.cancel()
	<-r.done
	_ = r.client.Close()
}

func policies(t *testing.T) *escalate.Policies {
	t.Helper()
	return policiesOf(t, "")
}

func policiesOf(t *testing.T, owner string) *escalate.Policies {
	t.Helper()
	p, err := escalate.New(escalate.Config{
		Owner:  owner,
		People: []escalate.Person{{Name: "x", Channels: []string{"mail"}}, {Name: "y", Channels: []string{"mail"}}, {Name: "z", Channels: []string{"mail"}}},
		Groups: map[string][]string{"yz": {"y", "z"}},
		Policies: []escalate.Policy{{Name: "all", Steps: []escalate.Step{
			{To: []string{"x"}}, {After: 10 * time.Minute, To: []string{"yz"}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !cond(); <-time.After(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

// told waits for messages to people, in order; what is sent twice because of a kill has the same ID and counts once.
func (w *town) told(want ...string) {
	w.t.Helper()
	var have []string
	eventually(w.t, fmt.Sprint("told ", want, ", but ", have), func() bool {
		have = nil
		seen := map[string]bool{}
		for _, m := range w.arrived() {
			if !seen[m] {
				seen[m] = true
				have = append(have, m[:strings.IndexByte(m, '\t')])
			}
		}
		return len(have) >= len(want)
	})
	first, rest := have[0], slices.Clone(have[1:])
	slices.Sort(rest)
	slices.Sort(want[1:])
	if first != want[0] || !slices.Equal(rest, want[1:]) {
		w.t.Fatalf("told %v, want %v", have, want)
	}
}

// turns counts the turns that keepers say they have begun.
type turns struct{ atomic.Int64 }

func (*turns) Enabled(context.Context, slog.Level) bool { return true }
func (n *turns) WithAttrs([]slog.Attr) slog.Handler     { return n }
func (n *turns) WithGroup(string) slog.Handler          { return n }

// Handle implements slog.Handler.
func (n *turns) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "keeps the pipeline's incidents" {
		n.Add(1)
	}
	return nil
}

// TestKilledBetweenTheSteps kills the keeper at each moment of the order of events, once and again and again: first x is told, then y and z, each once; what may have been on its way
// goes out again with the same ID.
func TestKilledBetweenTheSteps(t *testing.T) {
	for _, c := range []struct {
		name   string
		kill   map[string]int
		copies int // messages that go out twice
	}{
		{"never", nil, 0},
		{"before it is written", map[string]int{"look": 2}, 0},
		{"before the first is sent", map[string]int{"before x": 2}, 0},
		{"after the first is sent", map[string]int{"after x": 1}, 1},
		{"before the second step", map[string]int{"before y": 1, "before z": 1}, 0},
		{"after the second step", map[string]int{"after y": 1}, 2},                                              // z goes out beside it
		{"everywhere", map[string]int{"look": 1, "before x": 1, "after x": 1, "before y": 1, "after z": 1}, 10}, // each kill finds up to three under way
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var turns turns
			w := newTown(t)
			w.down()
			w.set(func() {
				maps.Copy(w.kill, c.kill)
			})
			ended := make(chan struct{})
			over := make(chan struct{})
			enters := 0
			go func() { // somebody starts it again each time
				defer close(over)
				for {
					enters++
					r := w.enter(func(cfg *KeeperConfig) {
						cfg.SessionTimeout = time.Second // one that was killed is missed soon
						cfg.Logger = slog.New(&turns)
					})
					select {
					case <-r.done:
						_ = r.client.Close()
					case <-ended:
						return
					}
				}
			}()
			end := sync.OnceFunc(func() {
				close(ended)
				<-over
			})
			defer end()
			w.told("x opened")
			w.set(func() { w.ahead += 11 * time.Minute })
			w.told("x opened", "y reminder", "z reminder")
			w.up()
			w.told("x opened", "y reminder", "z reminder", "x all clear", "y all clear", "z all clear")
			want := 0
			for _, n := range c.kill {
				want += n
			}
			end()
			// A machine that stands still for longer than the session costs a process its turn, and so do up to three messages under way.
			lost := 3 * (int(turns.Load()) - enters)
			if n := len(w.arrived()); w.killed != want || n > 6+c.copies+lost {
				t.Errorf("killed %d times, want %d; %d messages, %d for lost turns: %v", w.killed, want, n, lost, w.arrived())
			}
		})
	}
}

// TestTurnThatEndsBeforeItSends: what a process has decided in a turn, and was not to begin with any more, goes out in its next one. It is not waited for as if it were under way.
func TestTurnThatEndsBeforeItSends(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.down()
	w.set(func() { w.kill["before x"] = 1 })
	own := policiesOf(t, "me")
	first := w.enter(func(cfg *KeeperConfig) { cfg.Policies, cfg.SessionTimeout = own, time.Second })
	<-first.done
	w.enter(func(cfg *KeeperConfig) { cfg.Policies, cfg.SessionTimeout = own, time.Second })
	w.told("x opened")
}

// TestTakenOn: after an acknowledgement, from any process, nobody is told any more, also not by the next keeper; and a restart that is asked for sends nothing twice.
func TestTakenOn(t *testing.T) {
	w := newTown(t)
	w.down()
	a := w.enter(nil)
	w.told("x opened")
	b := w.enter(nil)
	var id string
	eventually(t, "b knows of it", func() bool {
		for _, i := range b.keeper.Incidents() {
			id = i.ID
		}
		return id != ""
	})
	if err := b.keeper.Ack(t.Context(), "nonsense", "anna", ""); !errors.Is(err, status.ErrNotFound) {
		t.Errorf("an incident that is none: %v", err)
	}
	if err := b.keeper.Ack(t.Context(), id, "anna", "on my way"); err != nil {
		t.Fatal(err)
	}
	acked := func() bool {
		all := b.keeper.Incidents()
		return len(all) == 1 && all[0].By == "anna" && all[0].Note == "on my way" && !all[0].Acked.IsZero()
	}
	eventually(t, "it is taken on", acked)
	a.leave()
	w.set(func() { w.ahead += time.Hour })
	w.up()
	w.told("x opened", "x all clear")
	eventually(t, "resolved", func() bool { all := b.keeper.Incidents(); return len(all) == 1 && !all[0].Open() })
	list, err := Read(t.Context(), b.client, "test")
	if err != nil || len(list) != 1 || !acked() || len(w.arrived()) != 2 {
		t.Errorf("%+v, %v; sent %v", list, err, w.arrived())
	}
}

// TestFenced: what a keeper that was followed by another writes is refused, so it undoes nothing.
func TestFenced(t *testing.T) {
	w := newTown(t)
	w.down()
	a := w.enter(nil)
	w.told("x opened")
	// Another one keeps, though a's turn is not over: as after a pause.
	other := &turn{k: a.keeper, written: map[string][]byte{}, at: map[string]time.Time{}}
	var err error
	if other.producer, err = a.client.NewProducer(t.Context(), kafka.ProducerConfig{TransactionalID: "test.keeper"}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.producer.Close(context.Background()) }()
	if err := other.producer.Fence(t.Context(), map[string][]int32{Topic("test"): {0}}); err != nil {
		t.Fatal(err)
	}
	end, err := a.client.EndOffset(t.Context(), Topic("test"), 0)
	if err != nil {
		t.Fatal(err)
	}
	w.up() // a sees it resolved, and may not write that by its old turn; it takes a new one, which fences the other
	eventually(t, "resolved", func() bool { all := a.keeper.Incidents(); return len(all) == 1 && !all[0].Open() })
	if err := other.producer.Produce(t.Context(), Topic("test"), 0, kafka.Record{Key: []byte("k"), Value: []byte("{}")}); err == nil {
		err = other.producer.Flush(t.Context())
		if !errors.Is(err, kafka.ErrFenced) {
			t.Errorf("the turn before writes at %d: %v", end, err)
		}
	}
}

// TestBounded: 100,000 failing records a minute are a bounded number of incidents, records and messages.
func TestBounded(t *testing.T) {
	w := newTown(t)
	r := w.enter(func(cfg *KeeperConfig) { cfg.Rules.Calm = time.Hour })
	for n := range 100 { // a report each: 100 s of failing records, of ever new products and texts
		troubles := make([]status.Trouble, status.MaxTroubles)
		for k := range troubles {
			troubles[k] = status.Trouble{
				Fault: status.FaultJSON{Cause: string(fault.ProductUnfit), Where: fmt.Sprintf("sink shop: table t%d", k), What: fmt.Sprintf("product %d does not fit", n*1000+k)},
				Count: int64(n * 83), Samples: []string{fmt.Sprint(n)},
			}
		}
		w.set(func() {
			w.stages = []status.Stage{{Kind: status.KindSink, Name: "shop", State: status.StateLive, Troubles: troubles}}
			w.ahead += time.Second
		})
		var looks int
		w.set(func() { looks = w.looks })
		eventually(t, "the keeper has looked twice", func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.looks >= looks+2
		})
	}
	eventually(t, "all causes are known", func() bool { return len(r.keeper.Incidents()) == status.MaxTroubles })
	all := r.keeper.Incidents()
	end, err := r.client.EndOffset(t.Context(), Topic("test"), 0)
	if err != nil {
		t.Fatal(err)
	}
	bytes := 0
	for i := range all {
		b, err := json.Marshal(all[i])
		if err != nil {
			t.Fatal(err)
		}
		bytes += len(b)
	}
	if sent := len(w.arrived()); len(all) != status.MaxTroubles || sent > status.MaxTroubles || bytes > 200_000 || end > 600 {
		t.Errorf("%d incidents, %d messages, %d bytes, %d records", len(all), sent, bytes, end)
	}
}

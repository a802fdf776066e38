package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	kgo "github.com/segmentio/kafka-go"
)

// roster records who holds what, and fails when two hold the same at once.
type roster struct {
	t       *testing.T
	mu      sync.Mutex
	holds   map[string]map[string][]int32 // member -> assignment
	changed chan struct{}
}

func newRoster(t *testing.T) *roster {
	return &roster{t: t, holds: map[string]map[string][]int32{}, changed: make(chan struct{}, 1)}
}

func (r *roster) set(who string, a map[string][]int32) {
	r.mu.Lock()
	if a == nil {
		delete(r.holds, who)
	} else {
		r.holds[who] = a
	}
	r.mu.Unlock()
	signal(r.changed)
}

// await waits until the members hold these numbers of partitions of a topic between them.
func (r *roster) await(ctx context.Context, topic string, want ...int) map[string][]int32 {
	r.t.Helper()
	slices.Sort(want)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		r.mu.Lock()
		var have []int
		seen := map[int32]string{}
		owners := map[string][]int32{}
		for who, a := range r.holds {
			have = append(have, len(a[topic]))
			owners[who] = a[topic]
			for _, p := range a[topic] {
				if other, twice := seen[p]; twice {
					r.t.Errorf("partition %d is held by %s and %s", p, who, other)
				}
				seen[p] = who
			}
		}
		r.mu.Unlock()
		slices.Sort(have)
		if slices.Equal(have, want) {
			return owners
		}
		select {
		case <-r.changed:
		case <-tick.C:
		case <-ctx.Done():
			r.t.Fatalf("members hold %v partitions, want %v", have, want)
		}
	}
}

// join runs a member until the function it returns is called, which gives RunGroup's error.
func (r *roster) join(c *Client, who string, cfg GroupConfig) (leave func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- c.RunGroup(ctx, cfg, func(ctx context.Context, g Generation) error {
			r.set(who, g.Assignment)
			<-ctx.Done()
			r.set(who, nil)
			return nil
		})
	}()
	var once sync.Once
	var err error
	leave = func() error {
		once.Do(func() { cancel(); err = <-done })
		return err
	}
	r.t.Cleanup(func() { _ = leave() })
	return leave
}

// groupConfig is that of members who say when they leave: none is lost because the machine stands still for a moment.
func groupConfig(topics ...string) GroupConfig {
	return GroupConfig{ID: "g-" + topics[0], Topics: topics, SessionTimeout: 30 * time.Second, Heartbeat: 50 * time.Millisecond, RebalanceTimeout: time.Minute}
}

// mortalConfig is that of members who go without a word.
func mortalConfig(topics ...string) GroupConfig {
	cfg := groupConfig(topics...)
	cfg.SessionTimeout, cfg.RebalanceTimeout = 2*time.Second, 5*time.Second
	return cfg
}

func TestGroupSharesAndHandsOver(t *testing.T) {
	addrs := cluster(t).ListenAddrs()
	c := client(t, addrs...)
	a, b := topic(t, c, 6), topic(t, c, 6)
	ctx := within(t, 60*time.Second)
	r := newRoster(t)
	cfg := groupConfig(a, b)
	leave1 := r.join(c, "one", cfg)
	r.await(ctx, a, 6)
	leave2 := r.join(client(t, addrs...), "two", cfg)
	before := r.await(ctx, a, 3, 3)
	if both := r.await(ctx, b, 3, 3); !maps.EqualFunc(before, both, slices.Equal) {
		t.Fatalf("the topics are shared differently: %v and %v", before, both)
	}
	r.join(client(t, addrs...), "three", cfg)
	after := r.await(ctx, a, 2, 2, 2)
	for _, who := range []string{"one", "two"} {
		for _, p := range after[who] {
			if !slices.Contains(before[who], p) {
				t.Errorf("%s had %v and now has %v: partition %d moved without need", who, before[who], after[who], p)
			}
		}
	}
	start := time.Now()
	if err := leave1(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	r.await(ctx, a, 3, 3)
	if d := time.Since(start); d > cfg.SessionTimeout/2 { // it left by itself
		t.Errorf("taking over from a member that left took %v", d)
	}
	if err := leave2(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	r.await(ctx, a, 6)
}

func TestGroupMoreMembersThanPartitions(t *testing.T) {
	addrs := cluster(t).ListenAddrs()
	c := client(t, addrs...)
	a := topic(t, c, 1)
	ctx := within(t, 60*time.Second)
	r := newRoster(t)
	leave := map[string]func() error{}
	for _, who := range []string{"one", "two"} {
		leave[who] = r.join(client(t, addrs...), who, groupConfig(a))
	}
	owners := r.await(ctx, a, 0, 1)
	for who, ps := range owners {
		if len(ps) == 1 {
			_ = leave[who]()
		}
	}
	r.await(ctx, a, 1)
}

// kafka-go #585: a group that began before its topic was there stayed without work for ever.
func TestGroupWaitsForItsTopic(t *testing.T) {
	addrs := cluster(t).ListenAddrs()
	c := client(t, addrs...)
	ctx := within(t, 60*time.Second)
	name := "late"
	r := newRoster(t)
	r.join(c, "one", groupConfig(name))
	r.join(client(t, addrs...), "two", groupConfig(name))
	if err := c.EnsureTopics(ctx, TopicSpec{Name: name, Partitions: 4}); err != nil {
		t.Fatal(err)
	}
	r.await(ctx, name, 2, 2)
}

func TestGroupEndsWithFunctionError(t *testing.T) {
	addrs := cluster(t).ListenAddrs()
	c := client(t, addrs...)
	name := topic(t, c, 2)
	boom := errors.New("boom")
	err := c.RunGroup(within(t, 20*time.Second), groupConfig(name), func(context.Context, Generation) error { return boom })
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	r := newRoster(t)
	start := time.Now()
	r.join(client(t, addrs...), "next", groupConfig(name))
	r.await(within(t, time.Minute), name, 2)
	if d := time.Since(start); d > 15*time.Second {
		t.Errorf("taking over took %v: the member did not leave", d)
	}
}

// kafka-go #1307: closing while the join is still being answered hung.
func TestGroupStopsWhileJoining(t *testing.T) {
	k := cluster(t)
	c := client(t, k.ListenAddrs()...)
	name := topic(t, c, 2)
	// A broker that never answers a join.
	c.wrap = nil
	s := &silentConns{}
	c.wrap = s.wrap
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- c.RunGroup(ctx, groupConfig(name), func(ctx context.Context, _ Generation) error { <-ctx.Done(); return nil })
	}()
	for patience := within(t, 20*time.Second); !s.joined.Load(); {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-patience.Done():
			t.Fatal("no join was sent")
		}
	}
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	case <-time.After(30 * time.Second): // half of what a join may take
		t.Fatal("RunGroup hangs")
	}
}

func TestShareIsEvenAndKeeps(t *testing.T) {
	claims := map[string]claim{
		"a": {Generation: 5, Partitions: map[string][]int32{"t": {0, 1, 2, 3, 4, 5}}},
		"b": {Generation: 3, Partitions: map[string][]int32{"t": {4, 5, 6, 99}}}, // out of date
	}
	for _, members := range [][]string{{"a"}, {"a", "b"}, {"a", "b", "c"}, {"a", "b", "c", "d", "e", "f", "g", "h"}, {"x", "y"}} {
		owner := share(7, members, claims, []string{"t"})
		n := map[string]int{}
		for _, id := range owner {
			n[id]++
		}
		for _, id := range members {
			if n[id] < 7/len(members) || n[id] > 7/len(members)+1 {
				t.Errorf("%v: %v is not even", members, owner)
			}
		}
		kept := 0
		for p, id := range owner {
			if id == "a" && p < 6 {
				kept++
			}
		}
		if slices.Contains(members, "a") && kept < min(6, 7/len(members)) {
			t.Errorf("%v: %v takes from a what it could keep", members, owner)
		}
	}
}

func TestAssignmentIsTheSameForWhoeverComputesIt(t *testing.T) {
	var members []kgo.GroupMember
	for i := range 5 {
		members = append(members, kgo.GroupMember{ID: fmt.Sprint("m", i), Topics: []string{"a", "b"}, UserData: []byte(`{}`)})
	}
	members = append(members, kgo.GroupMember{ID: "other", Topics: []string{"c"}, UserData: []byte("garbage")})
	var parts []kgo.Partition
	for _, tn := range []string{"a", "b", "c", "unasked"} {
		for p := range 7 {
			parts = append(parts, kgo.Partition{Topic: tn, ID: p})
		}
	}
	first := (&balancer{}).AssignGroups(members, parts)
	slices.Reverse(members)
	slices.Reverse(parts)
	if again := (&balancer{}).AssignGroups(members, parts); fmt.Sprint(again) != fmt.Sprint(first) {
		t.Fatalf("%v\n%v", first, again)
	}
	if len(first["other"]["c"]) != 7 || len(first["other"]["a"]) != 0 || first["m0"]["unasked"] != nil {
		t.Fatalf("%v", first)
	}
}

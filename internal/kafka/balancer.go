package kafka

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"

	kgo "github.com/segmentio/kafka-go"
)

// balancer shares partitions out evenly and by number, and leaves with a member what it had. Every member tells in its join request what it
// has, so whichever of them is asked to compute the assignment can keep it.
type balancer struct {
	mu     sync.Mutex
	had    claim
	counts map[string]int // partitions by topic when this member computed the assignment of the coming generation
}

// claim is what a member had last.
type claim struct {
	Generation int32              `json:"generation"`
	Partitions map[string][]int32 `json:"partitions,omitempty"`
}

// ProtocolName is the strategy's name within the group.
func (b *balancer) ProtocolName() string { return "shelfstream-sticky" }

// UserData is what goes into the join request.
func (b *balancer) UserData() ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts = nil
	return json.Marshal(b.had)
}

// joined takes note of a new generation and returns its assignment.
func (b *balancer) joined(gen *kgo.Generation) map[string][]int32 {
	out := map[string][]int32{}
	for topic, ps := range gen.Assignments {
		for _, p := range ps {
			out[topic] = append(out[topic], int32(p.ID))
		}
		slices.Sort(out[topic])
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.had = claim{gen.ID, maps.Clone(out)}
	return out
}

// shared is the number of partitions of each topic that this member shared out for the present generation; nil if another did.
func (b *balancer) shared() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts
}

// AssignGroups computes the assignment for all members.
func (b *balancer) AssignGroups(members []kgo.GroupMember, partitions []kgo.Partition) kgo.GroupMemberAssignments {
	counts := map[string]int{}
	subscribers := map[string][]string{} // topic -> members
	claims := make(map[string]claim, len(members))
	out := kgo.GroupMemberAssignments{}
	for _, m := range members {
		out[m.ID] = map[string][]int{}
		var c claim
		if json.Unmarshal(m.UserData, &c) == nil { // else it had nothing
			claims[m.ID] = c
		}
		for _, t := range m.Topics {
			subscribers[t] = append(subscribers[t], m.ID)
			counts[t] += 0
		}
	}
	for _, p := range partitions {
		if _, ok := counts[p.Topic]; ok {
			counts[p.Topic] = max(counts[p.Topic], p.ID+1)
		}
	}
	b.mu.Lock()
	b.counts = maps.Clone(counts)
	b.mu.Unlock()

	alike := map[string][]string{} // members in order -> topics they all read
	for t, ids := range subscribers {
		slices.Sort(ids)
		k := strings.Join(slices.Compact(ids), "\x00")
		alike[k] = append(alike[k], t)
	}
	for k, topics := range alike {
		n := 0
		for _, t := range topics {
			n = max(n, counts[t])
		}
		owner := share(n, strings.Split(k, "\x00"), claims, topics)
		for _, t := range topics {
			for p := range counts[t] {
				out[owner[p]][t] = append(out[owner[p]][t], p)
			}
		}
	}
	return out
}

// share gives each of n partition numbers to one of the members, each as many as any other or one less, and leaves as many as that
// allows where they were. Members are sorted.
func share(n int, members []string, claims map[string]claim, topics []string) []string {
	owner := make([]string, n)
	since := make([]int32, n)
	for _, id := range members {
		c := claims[id]
		for _, t := range topics {
			for _, p := range c.Partitions[t] {
				// Two may claim one: a member that was away does not know yet that it lost it.
				if p >= 0 && int(p) < n && (owner[p] == "" || c.Generation > since[p]) {
					owner[p], since[p] = id, c.Generation
				}
			}
		}
	}
	has := map[string]int{}
	for _, id := range owner {
		if id != "" {
			has[id]++
		}
	}
	// Those who have most get the larger shares, so that the fewest partitions move.
	order := slices.Clone(members)
	slices.SortStableFunc(order, func(a, b string) int { return has[b] - has[a] })
	quota := map[string]int{}
	for i, id := range order {
		quota[id] = n / len(members)
		if i < n%len(members) {
			quota[id]++
		}
	}
	for p, id := range owner {
		if id == "" {
			continue
		}
		if quota[id] == 0 {
			owner[p] = ""
			continue
		}
		quota[id]--
	}
	next := 0
	for p := range owner {
		if owner[p] != "" {
			continue
		}
		for quota[order[next]] == 0 {
			next++
		}
		owner[p] = order[next]
		quota[order[next]]--
	}
	return owner
}

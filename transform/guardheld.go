package transform

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"shelfstream/internal/fault"
	"shelfstream/status"
)

// heldSamples is how many changes a fault shows.
const heldSamples = 10

// HeldSample is a change that is held: what the shop has, and what it would get.
type HeldSample struct {
	Key    string    `json:"key"`
	Before string    `json:"before"`
	After  string    `json:"after"`
	Since  time.Time `json:"since"`
}

// HeldGuard is what one guard of a view holds in this process.
type HeldGuard struct {
	Guard string `json:"guard"`
	// Counts says in words which changes the guard counts.
	Counts string `json:"counts"`
	Count  int    `json:"count"`
	// Products is how many products this process has published; Allowed how many of them may change within Window.
	Products int64         `json:"products"`
	Allowed  int           `json:"allowed"`
	Window   time.Duration `json:"window"`
	Since    time.Time     `json:"since,omitzero"`
	Samples  []HeldSample  `json:"samples"`
	// OverrideUntil is until when an operator lets everything pass, and who and why.
	OverrideUntil time.Time `json:"override_until,omitzero"`
	By            string    `json:"by,omitempty"`
	Why           string    `json:"why,omitempty"`
}

// Held tells for each guard of the view, in the order of the configuration, what it holds in this process, with up to limit samples.
func (r *Runner) Held(limit int) ([]HeldGuard, error) {
	r.mu.Lock()
	b := r.bound
	tasks := make([]*task, 0, len(r.tasks))
	for _, t := range r.tasks {
		tasks = append(tasks, t)
	}
	r.mu.Unlock()
	if b == nil || b.board == nil {
		return nil, nil
	}
	out := b.board.now()
	if limit <= 0 {
		return out, nil
	}
	for i := range out {
		out[i].Samples = nil
	}
	for _, t := range tasks {
		missing := false
		for _, h := range out {
			missing = missing || len(h.Samples) < limit && len(h.Samples) < h.Count
		}
		if !missing {
			break
		}
		err := t.eachHeld(func(_ []byte, p *parkedFact) error {
			for i := range out {
				if slices.Contains(p.Held, out[i].Guard) && len(out[i].Samples) < limit {
					out[i].Samples = append(out[i].Samples, p.sample())
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *parkedFact) sample() HeldSample {
	return HeldSample{Key: p.Key, Before: p.Before, After: p.After, Since: p.Since}
}

// now is what each guard holds, with the samples that are remembered.
func (b *guardBoard) now() []HeldGuard {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]HeldGuard, len(b.guards))
	for i := range b.guards {
		g, h := &b.guards[i], &out[i]
		*h = HeldGuard{Guard: g.Name, Counts: g.describe(), Window: g.Window}
		for _, m := range b.members {
			h.Products += m.products
			h.Count += m.held[i].n
			if m.held[i].n > 0 && (h.Since.IsZero() || m.held[i].since.Before(h.Since)) {
				h.Since = m.held[i].since
			}
			h.Samples = append(h.Samples, m.held[i].samples...)
		}
		slices.SortFunc(h.Samples, func(a, b HeldSample) int { return strings.Compare(a.Key, b.Key) })
		h.Samples = h.Samples[:min(len(h.Samples), heldSamples)]
		h.Allowed = g.allowed(h.Products, b.part)
		if o := b.override[i]; b.clock().Before(o.until) {
			h.OverrideUntil, h.By, h.Why = o.until, o.by, o.why
		}
	}
	return out
}

// holds follows a product from one state to the next.
func (b *guardBoard) holds(partition int32, was, is *parkedFact) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.members[partition]
	if m == nil {
		return
	}
	if was != nil {
		for i := range b.guards {
			if h := &m.held[i]; slices.Contains(was.Held, b.guards[i].Name) {
				if h.n--; h.n <= 0 {
					*h = heldNow{}
				}
				h.samples = slices.DeleteFunc(h.samples, func(s HeldSample) bool { return s.Key == was.Key })
			}
		}
	}
	if is == nil {
		return
	}
	for i := range b.guards {
		if h := &m.held[i]; slices.Contains(is.Held, b.guards[i].Name) {
			if h.n++; h.n == 1 || is.Since.Before(h.since) {
				h.since = is.Since
			}
			if len(h.samples) < heldSamples {
				h.samples = append(h.samples, is.sample())
			}
		}
	}
}

// heldNowCount is how many products are held, for the metric.
func (r *Runner) heldNowCount() int {
	r.mu.Lock()
	b := r.bound
	r.mu.Unlock()
	if b == nil || b.board == nil {
		return 0
	}
	n := 0
	for _, h := range b.board.now() {
		n += h.Count
	}
	return n
}

// guardFaults is one fault for each guard that holds products.
func (b *bound) guardFaults(view string) fault.List {
	if b == nil || b.board == nil {
		return nil
	}
	var out fault.List
	for i, h := range b.board.now() {
		if h.Count == 0 {
			continue
		}
		var samples []string
		for _, s := range h.Samples {
			samples = append(samples, fmt.Sprintf("%s: %s → %s", s.Key, s.Before, s.After))
		}
		out.Add(&fault.Fault{
			Cause: fault.GuardHeld, Where: fmt.Sprintf("view %s, guard %s", view, h.Guard),
			What: fmt.Sprintf("%s changes are held since %s: %s; of %s products at most %s may go out within %s; %s",
				status.Count(int64(h.Count)), h.Since.Format(time.RFC3339), h.Counts, status.Count(h.Products), status.Count(int64(h.Allowed)), h.Window, strings.Join(samples, ", ")),
			Fix: b.board.guards[i].fix(view),
		})
	}
	return out
}

// fix says what to do about a held change.
func (g *guard) fix(view string) string {
	look := "the source (a table emptied or half imported, a mass update)"
	if g.MovesPercent != 0 {
		look = "the prices and rates of the source (a wrong currency, a factor, a missing price list)"
	}
	if g.Loses != "" {
		look = "the import that fills " + g.Loses + " in the source (a table emptied, a reload that died half way)"
	}
	return fmt.Sprintf("check %s and the rule files; products that are put right go on by themselves; if the change is meant, run `shelfstream held apply %s %s -why …`", look, view, word(g.Name))
}

// word writes a name as one word of a command line.
func word(name string) string {
	for _, c := range name {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("_-.", c) {
			return strconv.Quote(name)
		}
	}
	return name
}

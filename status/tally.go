package status

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"shelfstream/internal/fault"
)

// Held is one record, row or product that is held back.
type Held struct {
	// Key names it: "4711".
	Key   string
	Fault FaultJSON
	Since time.Time
}

// Tally counts what is held back by cause and place, in memory that does not grow with how many there are. The zero value is empty. It may be used by several
// goroutines.
type Tally struct {
	mu     sync.Mutex
	groups map[string]*group
	other  group // what came when there were as many groups as there may be
}

type group struct {
	Trouble
	id   string
	what string   // of the first, as it was
	keys []string // some more than are shown, so that some are left when others go on
}

const (
	// mostGroups bounds a tally's groups: a person reads the largest twenty of them.
	mostGroups = 200
	// keptKeys is how many keys a group remembers.
	keptKeys = 50
	// longestText is how many bytes of a text are kept.
	longestText = 2000
)

// otherReasons is what a trouble says that stands for more causes than can be told apart.
const otherReasons = "other reasons, more than can be told apart here"

// Slot is where one that was added counts: what a caller remembers of it that cannot say it again for Drop.
type Slot struct{ group string }

// Add counts one more. The same one must not be added twice; see Drop and Leave.
func (t *Tally) Add(h *Held) Slot {
	id := groupOf(h)
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.groups[id]
	switch {
	case g != nil:
	case len(t.groups) < mostGroups:
		if t.groups == nil {
			t.groups = map[string]*group{}
		}
		f := h.Fault
		f.Where, f.What, f.Fix = cut(generalPlace(f.Where, h.Key)), cut(f.What), cut(without(f.Fix, h.Key))
		g = &group{Trouble: Trouble{Fault: f}, what: f.What}
		g.id = id
		t.groups[id] = g
	default:
		g = &t.other
		g.Fault.What = otherReasons
	}
	g.add(h)
	return Slot{g.id}
}

// Drop counts one less: one that was added with the same key, cause, place and words, which goes on, or is held back for something else now.
func (t *Tally) Drop(h *Held) { t.Leave(Slot{groupOf(h)}, h.Key) }

// Leave counts one less, by what Add gave for it.
func (t *Tally) Leave(s Slot, key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.groups[s.group]
	if g == nil { // it came when there was no room for its group
		if t.other.drop(key); t.other.Count <= 0 {
			t.other = group{}
		}
		return
	}
	if g.drop(key); g.Count == 0 {
		delete(t.groups, s.group)
	}
}

// Slot is where one would count that is added now.
func (t *Tally) Slot(h *Held) Slot {
	id := groupOf(h)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.groups[id] == nil && len(t.groups) >= mostGroups {
		id = ""
	}
	return Slot{id}
}

// Reset forgets everything.
func (t *Tally) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.groups, t.other = nil, group{}
}

// Troubles puts tallies together: the MaxTroubles largest troubles, the largest first.
func Troubles(tallies ...*Tally) []Trouble {
	all := map[string]*Trouble{}
	for _, t := range tallies {
		t.mu.Lock()
		for id, g := range t.groups {
			merge(all, id, g)
		}
		if t.other.Count > 0 {
			merge(all, "", &t.other)
		}
		t.mu.Unlock()
	}
	out := make([]Trouble, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		out = append(out, *all[id])
	}
	slices.SortStableFunc(out, func(a, b Trouble) int { return cmp.Compare(b.Count, a.Count) })
	if len(out) == 0 {
		return nil
	}
	return out[:min(len(out), MaxTroubles)]
}

func merge(all map[string]*Trouble, id string, g *group) {
	samples := g.keys[:min(len(g.keys), MaxSamples)]
	o := all[id]
	if o == nil {
		c := g.Trouble
		c.Samples = slices.Clone(samples)
		all[id] = &c
		return
	}
	if o.Fault.What != g.Fault.What {
		o.Fault.What = general(o.Fault.What, "")
	}
	o.Count += g.Count
	if g.First.Before(o.First) {
		o.First = g.First
	}
	if g.Last.After(o.Last) {
		o.Last = g.Last
	}
	o.Samples = append(o.Samples, samples[:min(len(samples), MaxSamples-len(o.Samples))]...)
}

func (g *group) add(h *Held) {
	if g.Count++; g.First.IsZero() || h.Since.Before(g.First) {
		g.First = h.Since
	}
	if h.Since.After(g.Last) {
		g.Last = h.Since
	}
	if g.what != "" && cut(h.Fault.What) != g.what { // they differ by what is their own: that is left out
		g.what, g.Fault.What = "", cut(general(h.Fault.What, h.Key))
	}
	if len(g.keys) < keptKeys {
		g.keys = append(g.keys, strings.Clone(cut(h.Key)))
	}
}

func (g *group) drop(key string) {
	g.Count--
	if i := slices.Index(g.keys, cut(key)); i >= 0 {
		g.keys = slices.Delete(g.keys, i, i+1)
	}
}

// groupOf is what one counts under: its cause and place; if nobody gave it a cause, what is said of it without what is its own.
func groupOf(h *Held) string {
	if h.Fault.Cause != "" && h.Fault.Cause != string(fault.Unexpected) {
		return h.Fault.Cause + "\x1f" + generalPlace(h.Fault.Where, h.Key)
	}
	return h.Fault.Cause + "\x1f" + generalPlace(h.Fault.Where, h.Key) + "\x1f" + cut(general(h.Fault.What, h.Key))
}

// generalPlace takes out of a place what belongs to one record: its key, and its offset in a topic ("shop.product/3@1042").
func generalPlace(where, key string) string {
	where = without(where, key)
	at := strings.LastIndexByte(where, '@')
	if at < 0 {
		return where
	}
	end := at + 1
	for end < len(where) && where[end] >= '0' && where[end] <= '9' {
		end++
	}
	start := at
	for start > 0 && where[start-1] >= '0' && where[start-1] <= '9' {
		start--
	}
	if end == at+1 || start == at || start == 0 || where[start-1] != '/' {
		return where
	}
	return where[:start-1] + where[end:]
}

// elided stands for what is left out.
const elided = "…"

// without puts an ellipsis in the place of a key, where it stands as a word of its own.
func without(text, key string) string {
	if key == "" {
		return text
	}
	var b strings.Builder
	rest := text
	for {
		before, after, found := strings.Cut(rest, key)
		if !found {
			break
		}
		last, _ := utf8.DecodeLastRuneInString(b.String() + before)
		b.WriteString(before)
		if inWord(last) || strings.ContainsRune(joins, last) || goesOn(after) {
			b.WriteString(key)
		} else {
			b.WriteString(elided)
		}
		rest = after
	}
	if b.Len() == 0 {
		return text
	}
	return b.String() + rest
}

// joins are signs within numbers, dates and places: "2026-11-22", "wine.rules.yaml:12:7".
const joins = ".,:-+/@"

// goesOn says whether a text begins with more of the word before it.
func goesOn(text string) bool {
	r, n := utf8.DecodeRuneInString(text)
	if n == 0 || inWord(r) {
		return n > 0
	}
	next, _ := utf8.DecodeRuneInString(text[n:])
	return strings.ContainsRune(joins, r) && inWord(next)
}

func inWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// general leaves out of a sentence what differs from one record to the next: the key, numbers, and what is quoted, unless it may be a name (letters only), as
// that of a column.
func general(what, key string) string {
	what = without(what, key)
	var b strings.Builder
	var last rune
	for i := 0; i < len(what); {
		r, n := utf8.DecodeRuneInString(what[i:])
		switch {
		case (r == '"' || r == '\'' || r == '`') && !inWord(last):
			if end := strings.IndexRune(what[i+1:], r); end >= 0 {
				quoted := what[i+1 : i+1+end]
				if !isName(quoted) {
					quoted = elided
				}
				b.WriteRune(r)
				b.WriteString(quoted)
				b.WriteRune(r)
				i += end + 2
				last = r
				continue
			}
		case unicode.IsDigit(r) && !inWord(last):
			for i < len(what) && strings.IndexByte("0123456789.,:-+", what[i]) >= 0 {
				i++
			}
			for i > 0 && strings.IndexByte(".,:-+", what[i-1]) >= 0 {
				i-- // the sentence's own
			}
			b.WriteString(elided)
			last = '0'
			continue
		}
		b.WriteRune(r)
		last = r
		i += n
	}
	return b.String()
}

// isName says whether a quoted text may name a column, a table or a rule.
func isName(s string) bool {
	for _, r := range s {
		if !unicode.IsLetter(r) && r != '_' && r != '.' {
			return false
		}
	}
	return s != ""
}

// cut shortens a text to what is kept of it.
func cut(s string) string {
	if len(s) <= longestText {
		return s
	}
	n := longestText
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

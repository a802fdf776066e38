package incident

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"shelfstream/status"
)

// Input is what one look looks at.
type Input struct {
	Workers []Worker
	// Missing are the expectations that are not met.
	Missing []Missing
	// Unasked are the links of expectations of which is not known whether they are met.
	Unasked map[string]bool
	// Away is when the log was last found not to answer; zero: never. Everything then waits for Rules.Settle, and what may come of it for Rules.After.
	Away time.Time
	// alone is the condition of a log that does not answer, own that there is nobody's report but this process's own: what its stages say of the log is in alone.
	alone *condition
	own   bool
	// Now is the present. It should carry a monotonic clock, as time.Now does.
	Now time.Time
}

// Look goes from the incidents that there were to those that there are. prev stays as it is.
func (r *Rules) Look(prev *State, in Input) *State {
	r.defaults()
	next := prev.clone()
	next.notLater(in.Now)
	if !in.own { // who is alone looks only while the log is away, and reads nobody
		if next.memory.wake(r, in.Now); next.memory.stood.After(in.Away) {
			in.Away = next.memory.stood
		}
	}
	sc := r.survey(&next.memory, in.Workers, in.Now)
	open := next.open()
	cs := r.conditions(sc, open, &in)

	pending := map[string]time.Time{}
	for _, key := range slices.Sorted(maps.Keys(cs)) {
		c := cs[key]
		if i := open[key]; i != nil {
			i.renew(c, in.Now)
			delete(next.memory.missing, i.ID)
			continue
		}
		since, ok := next.memory.pending[key]
		if !ok {
			since = in.Now
		}
		if in.Now.Sub(since) < c.wait || r.rootPending(cs, open, c) || r.left(c, &in) {
			pending[key] = since
			continue
		}
		i := next.begin(r, c, in.Now)
		open[key] = i
	}
	next.memory.pending = pending
	for key, i := range open {
		if cs[key] == nil {
			r.end(next, sc, i, &in)
		}
	}
	r.inhibit(next, cs, in.Now)
	next.forget(r, in.Now)
	return next
}

// conditions are what is wrong now.
func (r *Rules) conditions(sc *scene, open map[string]*Incident, in *Input) conditions {
	cs := conditions{}
	for i := range sc.live {
		w := &sc.live[i]
		for j := range w.Stages {
			r.stage(cs, w, &w.Stages[j])
		}
	}
	r.gone(cs, sc)
	for _, i := range open {
		// The roster forgets who is gone for long; that nobody does the work does not change by that.
		if l := sc.links[i.Link]; i.Cause == CauseGone && cs[i.Key] == nil && r.known(i.Link) && (l == nil || l.working+l.unsure == 0) {
			c := r.goneOf(i.Link, i.Worker, i.Opened)
			c.what = i.What
			cs.add(c)
		}
	}
	for _, m := range in.Missing {
		cs.add(m.condition())
	}
	if in.own {
		maps.DeleteFunc(cs, func(_ string, c *condition) bool { return c.link == LinkLog })
	}
	if in.alone != nil {
		cs.add(in.alone)
	}
	cs.bound(r, open)
	return cs
}

// known says whether the configuration has a link.
func (r *Rules) known(link string) bool {
	return len(r.Links) == 0 || slices.Contains(r.Links, link) || !strings.Contains(link, " ") || strings.HasPrefix(link, expectPrefix)
}

// renew brings an open incident up to its condition.
func (i *Incident) renew(c *condition, now time.Time) {
	if worse(c.severity, i.Severity) {
		i.note(now, "it is worse: "+string(c.severity), "")
	}
	i.Link, i.Data, i.Cause, i.Kind, i.Severity = c.link, c.data, c.cause, c.kind, c.severity
	i.Title, i.Where, i.What, i.Fix, i.Command = c.title, c.where, c.what, c.fix, c.command
	i.Count, i.Samples, i.Worker = c.count, c.samples, c.worker
	i.Tries, i.NextTry = c.tries, c.next.UTC().Round(time.Second)
	i.Last = now.UTC().Round(time.Second)
}

// begin opens an incident, or the one again that was there a moment ago.
func (s *State) begin(r *Rules, c *condition, now time.Time) *Incident {
	for _, i := range s.Incidents {
		if i.Key == c.key && !i.Open() && now.Sub(i.Resolved) <= r.Flap {
			i.Resolved, i.Freed = time.Time{}, time.Time{}
			i.Acked, i.By, i.Note = time.Time{}, "", "" // it was taken on as what was over
			i.Flaps++
			i.renew(c, now)
			i.note(now, "it is back (the "+ordinal(i.Flaps+1)+" time)", "")
			return i
		}
	}
	i := &Incident{Key: c.key, Opened: now.UTC().Round(time.Millisecond)}
	if !c.first.IsZero() && c.first.Before(i.Opened) && now.Sub(c.first) < r.Flap {
		i.Opened = c.first.UTC()
	}
	i.renew(c, now)
	for salt := 0; i.ID == "" || s.Incidents[i.ID] != nil; salt++ {
		i.ID = idOf(c.key, c.named(now), salt)
	}
	i.note(now, "opened: "+c.what, "")
	if s.Incidents == nil {
		s.Incidents = map[string]*Incident{}
	}
	s.Incidents[i.ID] = i
	return i
}

// idOf makes a short name that can be read out on the phone.
func idOf(key string, now time.Time, salt int) string {
	sum := sha256.Sum256([]byte(key + "\n" + strconv.FormatInt(now.UnixNano(), 10) + "\n" + strconv.Itoa(salt)))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:6]
}

// end resolves an incident whose condition does not show, if it is gone for long enough, and those who would see it are there.
func (r *Rules) end(s *State, sc *scene, i *Incident, in *Input) {
	settled := sc.settled(i.Link)
	if strings.HasPrefix(i.Link, expectPrefix) {
		settled = !in.Unasked[i.Link]
	}
	if !settled && r.known(i.Link) {
		delete(s.memory.missing, i.ID)
		return
	}
	gone, ok := s.memory.missing[i.ID]
	if !ok {
		s.memory.missing[i.ID] = in.Now
		gone = in.Now
	}
	if in.Now.Sub(gone) < r.calm(i.Flaps) {
		return
	}
	delete(s.memory.missing, i.ID)
	i.Resolved = in.Now.UTC().Round(time.Millisecond)
	i.Behind, i.NextTry = "", time.Time{}
	what := "resolved by itself, after " + status.Duration(in.Now.Sub(i.Opened))
	if !r.known(i.Link) {
		what = "resolved: the configuration has no " + i.Link + " any more"
	}
	i.note(in.Now, what, "")
}

// rootPending says whether what a condition may come of shows, and is no incident yet: it is waited for.
func (r *Rules) rootPending(cs conditions, open map[string]*Incident, c *condition) bool {
	for _, root := range r.roots(cs, c) {
		if open[root.key] == nil {
			return true
		}
	}
	return false
}

// roots are the conditions that one may come of, the farthest away first.
func (r *Rules) roots(cs conditions, c *condition) []*condition {
	if c.follows == ofNothing {
		return nil
	}
	links := r.above(c.link)
	if c.follows == ofCommon {
		links = links[len(links)-len(r.above("")):]
	} else {
		links = append([]string{c.link}, links...)
	}
	var out []*condition
	for _, name := range slices.Backward(links) {
		for _, key := range slices.Sorted(maps.Keys(cs)) {
			if root := cs[key]; root.link == name && root.blocks && root != c {
				out = append(out, root)
			}
		}
	}
	return out
}

// inhibit holds back what follows from other trouble, and lets go what is there for longer than that.
func (r *Rules) inhibit(s *State, cs conditions, now time.Time) {
	open := s.open()
	for _, key := range slices.Sorted(maps.Keys(open)) {
		i := open[key]
		behind := ""
		if c := cs[key]; c != nil {
			for _, root := range r.roots(cs, c) {
				if o := open[root.key]; o != nil && o != i {
					behind = o.ID
					break
				}
			}
		}
		if behind == "" && i.Behind != "" {
			// What it followed from is over: it may take its time to be over too.
			if root := s.Incidents[i.Behind]; root != nil && (root.Open() || now.Sub(root.Resolved) < r.After) {
				behind = i.Behind
			}
		}
		switch {
		case behind == i.Behind:
		case behind != "":
			i.Behind = behind
			i.note(now, "it follows from "+behind+", nobody is told of it meanwhile", "")
		default:
			i.note(now, "it is still there after "+i.Behind, "")
			i.Behind, i.Freed = "", now.UTC().Round(time.Millisecond)
		}
	}
}

func ordinal(n int) string {
	return cmp.Or(map[int]string{2: "second", 3: "third"}[n], strconv.Itoa(n)+"th")
}

// left says whether a condition may be of before the log was away, or of that.
func (r *Rules) left(c *condition, in *Input) bool {
	if in.Away.IsZero() {
		return false
	}
	since := in.Now.Sub(in.Away)
	return since < r.Settle || c.lingers() && since < r.After
}

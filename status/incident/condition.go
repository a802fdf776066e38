package incident

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"shelfstream/internal/fault"
	"shelfstream/status"
	"shelfstream/status/escalate"
)

// condition is what is wrong now, of one cause at one place, over all workers.
type condition struct {
	key      string
	link     string
	data     string
	cause    fault.Cause
	kind     fault.Kind
	severity escalate.Severity
	title    string
	where    string
	what     string
	fix      string
	command  string
	count    int64
	samples  []string
	first    time.Time
	worker   string
	// tries is how many tries in a row have failed, next when the next one comes.
	tries int
	next  time.Time
	// wait is for how long it must last before it is an incident.
	wait time.Duration
	// blocks: the link does not do its work, so that other things may come of it.
	blocks bool
	// follows says of what trouble it may come.
	follows follows
	// name is what its incident is named by, so that every process finds the same name; zero: by when it is opened.
	name time.Time
}

func (c *condition) named(now time.Time) time.Time {
	if c.name.IsZero() {
		return now
	}
	return c.name
}

// lingers says whether it may be what a log leaves that did not answer, and will be over soon: who waits between two tries still says what was.
func (c *condition) lingers() bool {
	return c.link == LinkLog || c.link == LinkRegistry || c.follows != ofNothing || c.cause == "" || c.cause == fault.Unexpected
}

// follows says where to look for the trouble that a condition comes of.
type follows uint8

const (
	ofNothing follows = iota
	ofCommon          // what all stages share: log, registry, disk
	ofAbove           // those, its own link, and the links it takes from
)

// conditions are those of one look, by key.
type conditions map[string]*condition

// add merges a condition with that of other workers, or of other faults that are the same.
func (cs conditions) add(c *condition) {
	have := cs[c.key]
	if have == nil {
		c.what, c.fix = shorten(c.what), shorten(c.fix)
		c.samples = slices.Clone(c.samples[:min(len(c.samples), maxSamples)])
		cs[c.key] = c
		return
	}
	have.count += c.count
	have.tries = max(have.tries, c.tries)
	if have.next.IsZero() || !c.next.IsZero() && c.next.Before(have.next) {
		have.next = c.next
	}
	have.wait = min(have.wait, c.wait)
	have.blocks = have.blocks || c.blocks
	if worse(c.severity, have.severity) {
		have.severity = c.severity
	}
	if have.first.IsZero() || !c.first.IsZero() && c.first.Before(have.first) {
		have.first = c.first
	}
	for _, s := range append([]string{c.where}, c.samples...) {
		if s != have.where && s != "" && len(have.samples) < maxSamples && !slices.Contains(have.samples, s) {
			have.samples = append(have.samples, s)
		}
	}
}

var severities = []escalate.Severity{escalate.Critical, escalate.Error, escalate.Warning}

func worse(a, b escalate.Severity) bool {
	return slices.Index(severities, a) < slices.Index(severities, b)
}

// stage adds what is wrong with one stage of one worker.
func (r *Rules) stage(cs conditions, w *Worker, s *status.Stage) {
	name := LinkOf(s)
	r.troubles(cs, w, s, name)
	faults := slices.Clone(s.Faults)
	if len(faults) == 0 && s.State == status.StateRetrying && s.Detail != "" {
		faults.Add(&fault.Fault{Cause: fault.Unexpected, Where: name, What: s.Detail})
	}
	for _, f := range faults {
		cs.add(r.fault(w, s, name, f))
	}
	r.time(cs, w, s, name)
}

// troubles adds what a stage holds back.
func (r *Rules) troubles(cs conditions, w *Worker, s *status.Stage, name string) {
	for i := range s.Troubles {
		t := &s.Troubles[i]
		c := r.condition(name, t.Fault, "parked")
		c.count, c.samples, c.first, c.worker = t.Count, t.Samples, t.First, w.Name
		if c.kind.Passes() {
			c.follows = ofAbove
		}
		cs.add(c)
	}
}

// fault is the condition of what is wrong with a stage as a whole.
func (r *Rules) fault(w *Worker, s *status.Stage, name string, f *fault.Fault) *condition {
	common := r.commonLink(f.Cause)
	c := r.condition(cmp.Or(common, name), status.FaultJSONOf(f), "fault")
	c.worker, c.count, c.tries, c.next = w.Name, int64(max(1, s.Attempt)), s.Attempt, s.NextTry
	if common == "" {
		c.what = heading(r.systemOf(c.cause), c.link, c.what)
	}
	idle := !atWork(s)
	passes := c.kind.Passes() || c.kind == "" && s.State == status.StateRetrying
	switch {
	case c.kind == fault.Held: // each guard waits for a decision of its own
		return c
	case c.kind == fault.Full: // each disk has its own
	case passes:
		// One outage shows as one cause after another: shutting down, refused, starting up. It is one incident of the link.
		c.key = "down|" + c.link
	case c.cause != "" && idle:
		c.key = string(c.cause) + "|" + c.link // of one cause, at whatever places of the link
	}
	c.blocks = idle || common != ""
	switch {
	case !passes && !idle:
		c.wait = r.Calm // it goes on all the same, and may be over with the next record
	case passes && s.Attempt < r.Tries:
		c.wait = r.Patience
	}
	return c
}

// condition is what a fault says, with the catalogue's words.
func (r *Rules) condition(link string, f status.FaultJSON, sort string) *condition {
	cause := fault.Cause(f.Cause)
	e, _ := r.Lookup(cause)
	place := f.Where
	if cause == "" || cause == fault.Unexpected || cause == fault.Bug { // the text is all there is to tell it by
		place += "|" + gist(f.What)
	}
	c := &condition{
		key: strings.Join([]string{cmp.Or(f.Cause, sort), link, place}, "|"), link: link, data: r.Data[link], cause: cause, kind: e.Kind,
		severity: escalate.Severity(e.Severity), title: e.Title, where: f.Where, what: f.What, fix: cmp.Or(f.Fix, e.Cure), command: e.Command,
	}
	if c.severity == "" {
		c.severity = escalate.Error
	}
	return c
}

// commonLink is the link that all stages share and that a cause is about; "" if it is the stage's own, as with a record that is too large for its topic.
func (r *Rules) commonLink(c fault.Cause) string {
	e, known := r.Lookup(c)
	switch c {
	case fault.KafkaClosed, fault.KafkaLogin, fault.RegistryLogin, fault.DiskUnusable:
	default:
		if known && !e.Kind.Passes() {
			return ""
		}
	}
	system, _, _ := strings.Cut(string(c), ".")
	switch system {
	case "kafka":
		return LinkLog
	case LinkRegistry, LinkDisk:
		return system
	}
	return ""
}

// time adds silence and lag. Both are told by the worker's own clock.
func (r *Rules) time(cs conditions, w *Worker, s *status.Stage, name string) {
	seconds, _ := s.Lag()
	busy := slices.ContainsFunc(s.Progress, func(p status.Progress) bool { return p.FinishedAt.IsZero() && !p.StartedAt.IsZero() })
	if lag := time.Duration(seconds * float64(time.Second)); r.Lag > 0 && lag > r.Lag && atWork(s) && !busy && s.State != status.StateSnapshot {
		cs.add(&condition{
			key: string(CauseLag) + "|" + name, link: name, data: r.Data[name], cause: CauseLag, kind: fault.Busy, severity: escalate.Warning,
			title: "A stage is behind", where: name, what: "it is " + status.Duration(lag) + " behind, more than " + status.Duration(r.Lag),
			fix:     "see which stage is the slow one (shelfstream status), and whether its system has room",
			command: "shelfstream status", count: 1, worker: w.Name, wait: r.Calm, follows: ofAbove,
		})
	}
	// Sinks hear only of products that change.
	if s.Kind == status.KindSink || s.LastHeartbeat.IsZero() || !atWork(s) || busy {
		return
	}
	if quiet := w.At.Sub(s.LastHeartbeat); quiet > r.Silent {
		cs.add(&condition{
			key: string(CauseSilent) + "|" + name, link: name, data: r.Data[name], cause: CauseSilent, kind: fault.Silent, severity: escalate.Error,
			title: "A stage hears nothing of its input", where: name, what: "it has heard nothing of its input for " + status.Duration(quiet.Truncate(time.Minute)) + ", and its system reports no fault",
			fix:     "see that the source answers and that its changes are still captured (shelfstream check -connect)",
			command: "shelfstream check -connect", count: 1, worker: w.Name, blocks: true, follows: ofAbove,
		})
	}
}

// gone adds a stage whose worker has ended without a word. Until others have its work, what that worker said holds.
func (r *Rules) gone(cs conditions, sc *scene) {
	for i := range sc.stale {
		w := &sc.stale[i]
		for j := range w.Stages {
			s := &w.Stages[j]
			if sc.replaced(w, s) {
				continue
			}
			name := LinkOf(s)
			cs.add(r.goneOf(name, w.Name, sc.heard[w.Name].seen))
			r.troubles(cs, w, s, name)
		}
	}
}

func (r *Rules) goneOf(name, worker string, since time.Time) *condition {
	return &condition{
		key: string(CauseGone) + "|" + name, link: name, data: r.Data[name], cause: CauseGone, kind: fault.Lost, severity: escalate.Critical,
		title: "A worker is gone", where: name, what: "worker " + worker + " has said nothing since " + since.UTC().Format(time.RFC3339) + ", and nobody has taken over what it did",
		fix:   "start it again, or another one in its place; its log says why it ended",
		count: 1, worker: worker, blocks: true, follows: ofCommon,
	}
}

// gist is a text without what differs from time to time: numbers, and what stands in quotes.
func gist(s string) string {
	var b strings.Builder
	quoted := false
	for _, c := range s {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted || unicode.IsDigit(c):
		default:
			b.WriteRune(c)
		}
		if b.Len() > 200 {
			break
		}
	}
	return b.String()
}

// shorten bounds a text, at a letter's border.
func shorten(s string) string {
	if len(s) <= maxTextLength {
		return s
	}
	return strings.ToValidUTF8(s[:maxTextLength], "") + "…"
}

// maxOfLink is how many conditions of one link are told apart.
const maxOfLink = 40

// bound puts together what is too much of one link: the rarest. What has an incident already keeps it.
func (cs conditions) bound(r *Rules, open map[string]*Incident) {
	of := map[string][]*condition{}
	for _, c := range cs {
		of[c.link] = append(of[c.link], c)
	}
	for name, list := range of {
		if len(list) <= maxOfLink {
			continue
		}
		slices.SortFunc(list, func(a, b *condition) int {
			return cmp.Or(first(open[a.key] != nil, open[b.key] != nil), cmp.Compare(b.count, a.count), cmp.Compare(a.key, b.key))
		})
		others := &condition{
			key: string(CauseOthers) + "|" + name, link: name, data: r.Data[name], cause: CauseOthers, severity: escalate.Warning,
			title: "There are many causes of trouble", where: name, what: "there are " + strconv.Itoa(len(list)-maxOfLink+1) + " more causes of trouble, each of few records",
			fix: "see them with shelfstream parked", command: "shelfstream parked",
		}
		for _, c := range list[maxOfLink-1:] {
			others.count += c.count
			if worse(c.severity, others.severity) {
				others.severity = c.severity
			}
			delete(cs, c.key)
		}
		cs[others.key] = others
	}
}

// first orders what is so before what is not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

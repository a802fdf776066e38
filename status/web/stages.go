package web

import (
	"fmt"
	"slices"
	"time"

	"shelfstream/status"
)

// silentAfter is for how long a worker may say nothing before its word counts no more; it reports every five seconds.
const silentAfter = 20 * time.Second

// stateSilent is the state of a stage whose only workers say nothing.
const (
	stateSilent  = "silent"
	stateMissing = "not running"
)

// stageSum is one stage over all workers.
type stageSum struct {
	Node
	status.Stage
	Workers []string
}

// id is how the flow names it.
func (s *stageSum) id() string { return s.Node.Kind + " " + s.Node.Name }

// stages gives every stage of the pipeline: those of the configuration in their order, then any that report beside it. own are this process's, fresh.
func (s *Server) stages(own []status.Stage, workers []Worker, now time.Time) []*stageSum {
	var out []*stageSum
	add := func(n Node) *stageSum {
		for _, have := range out {
			if have.Node.Kind == n.Kind && have.Node.Name == n.Name {
				return have
			}
		}
		sum := &stageSum{Node: n, Stage: status.Stage{Kind: n.Kind, Name: n.Name, State: stateMissing, Positions: nil}}
		out = append(out, sum)
		return sum
	}
	for _, n := range s.cfg.Flow.Nodes {
		add(n)
	}
	for i := range own {
		add(Node{Kind: own[i].Kind, Name: own[i].Name}).merge(&own[i], s.cfg.Self)
	}
	var silent []Worker
	for i := range workers {
		w := &workers[i]
		if w.Name == s.cfg.Self && s.cfg.Self != "" {
			continue
		}
		if now.Sub(w.At) > silentAfter {
			silent = append(silent, *w)
			continue
		}
		for j := range w.Stages {
			st := w.Stages[j]
			if !isStage(st.Kind) {
				continue
			}
			s.redactStage(&st)
			add(Node{Kind: st.Kind, Name: st.Name}).merge(&st, w.Name)
		}
	}
	for _, w := range silent {
		for _, st := range w.Stages {
			if !isStage(st.Kind) {
				continue
			}
			if sum := add(Node{Kind: st.Kind, Name: st.Name}); len(sum.Workers) == 0 && sum.State == stateMissing {
				sum.State, sum.Since = stateSilent, w.At
				sum.Detail = "its worker " + w.Name + " says nothing any more"
			}
		}
	}
	return out
}

// isStage says whether a kind is one of the pipeline's; workers report what is wrong with themselves under another.
func isStage(kind string) bool {
	return kind == status.KindCapture || kind == status.KindTransform || kind == status.KindSink
}

// processes gives what workers say is wrong with themselves.
func (s *Server) processes(workers []Worker, now time.Time) []stageFaults {
	var out []stageFaults
	for i := range workers {
		if now.Sub(workers[i].At) > silentAfter {
			continue
		}
		for _, st := range workers[i].Stages {
			if isStage(st.Kind) || len(st.Faults)+len(st.Troubles) == 0 {
				continue
			}
			s.redactStage(&st)
			f := faultsOf(&stageSum{Node: Node{Kind: st.Kind, Name: st.Name}, Stage: st})
			f.Process = true
			out = append(out, f)
		}
	}
	return out
}

// merge adds what one worker says of the stage. The worst state is the stage's: one worker that cannot go on is what somebody must see.
func (s *stageSum) merge(st *status.Stage, worker string) {
	if len(s.Workers) == 0 {
		s.Stage, s.Workers = *st, []string{worker}
		s.Positions, s.Faults, s.Troubles = slices.Clone(st.Positions), slices.Clone(st.Faults), slices.Clone(st.Troubles)
		return
	}
	s.Workers = append(s.Workers, worker)
	if badness(st) > badness(&s.Stage) {
		s.State, s.Since, s.Detail, s.Attempt, s.NextTry = st.State, st.Since, st.Detail, st.Attempt, st.NextTry
	}
	s.Records += st.Records
	s.Parked += st.Parked
	if st.LastHeartbeat.After(s.LastHeartbeat) {
		s.LastHeartbeat = st.LastHeartbeat
	}
	s.Positions = append(s.Positions, st.Positions...)
	s.Progress = append(slices.Clone(s.Progress), st.Progress...)
	for _, f := range st.Faults {
		s.Faults.Add(f)
	}
	for _, t := range st.Troubles {
		s.trouble(t)
	}
}

// trouble adds a trouble to the one of the same cause and place.
func (s *stageSum) trouble(t status.Trouble) {
	for i := range s.Troubles {
		have := &s.Troubles[i]
		if have.Fault.Cause != t.Fault.Cause || have.Fault.Where != t.Fault.Where || t.Fault.Cause == "" && have.Fault.What != t.Fault.What {
			continue
		}
		have.Count += t.Count
		if t.First.Before(have.First) {
			have.First = t.First
		}
		if t.Last.After(have.Last) {
			have.Last = t.Last
		}
		have.Samples = slices.Concat(have.Samples, t.Samples)
		have.Samples = have.Samples[:min(len(have.Samples), status.MaxSamples)]
		return
	}
	s.Troubles = append(s.Troubles, t)
}

func badness(s *status.Stage) int {
	if s.State == status.StateStandby {
		return 0
	}
	return map[tone]int{toneGood: 1, toneBusy: 2, toneWarn: 3, toneBad: 4, toneOff: 0}[toneOf(s)]
}

// redactStage takes secrets out of what a stage says.
func (s *Server) redactStage(st *status.Stage) {
	st.Detail = s.cfg.Redact(st.Detail)
	faults := st.Faults
	st.Faults = nil
	for _, f := range faults {
		j := status.FaultJSONOf(f)
		s.redactFault(&j)
		st.Faults.Add(j.Fault())
	}
	troubles := slices.Clone(st.Troubles)
	for i := range troubles {
		s.redactFault(&troubles[i].Fault)
		troubles[i].Samples = s.redacted(troubles[i].Samples)
	}
	st.Troubles = troubles
}

func (s *Server) redactFault(j *status.FaultJSON) {
	j.Where, j.What, j.Fix = s.cfg.Redact(j.Where), s.cfg.Redact(j.What), s.cfg.Redact(j.Fix)
}

func (s *Server) redacted(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = s.cfg.Redact(t)
	}
	return out
}

// tone is a colour and a shape; a word always stands beside it.
type tone string

const (
	toneGood tone = "good" // does its work
	toneBusy tone = "busy" // on the way there
	toneWarn tone = "warn" // something is wrong, it goes on trying
	toneBad  tone = "bad"  // waits for a person
	toneOff  tone = "off"  // nothing is there
)

func toneOf(s *status.Stage) tone {
	switch s.State {
	case status.StateLive, status.StateStreaming, status.StateStandby:
		return toneGood
	case status.StateStopped, status.StatePositionLost, stateSilent:
		return toneBad
	case status.StateRetrying, "fenced":
		return toneWarn
	case stateMissing:
		return toneOff
	}
	return toneBusy
}

// look is the stage's tone with its faults counted in: live with a fault deserves a look.
func (s *stageSum) look() tone {
	t := toneOf(&s.Stage)
	if t == toneGood && (len(s.Faults) > 0) {
		return toneWarn
	}
	return t
}

// headline sums up the stages in a few words.
func headline(stages []*stageSum, ready bool) (tone, string) {
	tones := map[tone]int{}
	for _, st := range stages {
		tones[st.look()]++
	}
	say := func(n int, one, many string) string {
		if n == 1 {
			return "1 stage " + one
		}
		return fmt.Sprintf("%d stages %s", n, many)
	}
	switch {
	case len(stages) == 0:
		return toneBusy, "No stage runs in this process"
	case tones[toneBad] > 0:
		return toneBad, say(tones[toneBad], "needs you", "need you")
	case tones[toneWarn] > 0:
		return toneWarn, say(tones[toneWarn], "needs a look", "need a look")
	case tones[toneOff] > 0:
		return toneWarn, say(tones[toneOff], "is not running", "are not running")
	case tones[toneBusy] > 0:
		return toneBusy, "On the way: " + say(tones[toneBusy], "not live yet", "not live yet")
	case !ready:
		return toneWarn, "Behind"
	}
	return toneGood, "All is well"
}

// linkOf is the name under which exchanges and incidents know a stage.
func linkOf(kind, name string) string {
	switch kind {
	case status.KindCapture:
		return "source " + name
	case status.KindTransform:
		return "view " + name
	}
	return kind + " " + name
}

// stageWord is a kind as people say it.
func stageWord(kind string) string {
	switch kind {
	case status.KindCapture:
		return "source"
	case status.KindTransform:
		return "view"
	}
	return kind
}

package web

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"
)

// How a page is kept up to date: looked at anew each liveEvery, at once when there is news but no more often than liveLeast, and a sign of life each
// beatEvery, for a process that hangs does not close its connections.
const (
	liveEvery   = time.Second
	liveLeast   = 250 * time.Millisecond
	beatEvery   = 5 * time.Second
	mostStreams = 100
	sendWithin  = 10 * time.Second
)

// streams counts the open ones.
type streams struct{ open atomic.Int64 }

func (s *streams) enter() bool {
	if s.open.Add(1) > mostStreams {
		s.open.Add(-1)
		return false
	}
	return true
}

func (s *streams) leave() { s.open.Add(-1) }

// live sends the parts of a page as server-sent events: all of them at first, then each that has changed, as {"id": …, "html": …}. An event "gone" says that
// the page is to be loaded anew: the login has ended, or what it shows is no more. An event "only" lists the ids of the parts that there are, when these have changed: a form
// that nobody needs any more goes from the pages that are open.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	target, err := url.ParseRequestURI(r.FormValue("page"))
	makes, ok := maker(nil), false
	if err == nil && !target.IsAbs() && target.Path != "/audit" { // which is not open to all who may look
		makes, ok = s.pages[target.Path]
	}
	if !ok {
		http.Error(w, "no such page", http.StatusNotFound)
		return
	}
	if !s.streams.enter() {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer s.streams.leave()
	c := http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	send := func(event string, data []byte) error {
		if err := c.SetWriteDeadline(time.Now().Add(sendWithin)); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, data); err != nil {
			return err
		}
		return c.Flush()
	}
	tick, beat := time.NewTicker(liveEvery), time.NewTicker(beatEvery)
	defer tick.Stop()
	defer beat.Stop()
	news, leave := s.news.join()
	defer leave()
	seed, sent := maphash.MakeSeed(), map[string]uint64{}
	v, last := visitorOf(r), time.Time{}
	var there []string
	for {
		if now := time.Now(); now.Sub(last) >= liveLeast {
			last = now
			p, err := makes(r.Context(), target.Query())
			if err != nil || !s.desk.Still(v) {
				_ = send("gone", []byte("{}"))
				return
			}
			parts, err := s.render(p, v, target.RequestURI())
			if err != nil {
				s.cfg.Logger.Error("a page cannot be made", "page", target.Path, "error", err)
				return
			}
			var ids []string
			for _, part := range parts {
				ids = append(ids, part.ID)
			}
			if !slices.Equal(ids, there) {
				list, err := json.Marshal(ids)
				if err != nil || send("only", list) != nil {
					return
				}
				there = ids
			}
			for _, part := range parts {
				sum := maphash.String(seed, string(part.HTML))
				if old, ok := sent[part.ID]; ok && old == sum {
					continue
				}
				data, err := json.Marshal(part) // escapes line breaks, which would end the event
				if err != nil || send("part", data) != nil {
					return
				}
				sent[part.ID] = sum
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.closing:
			return
		case <-beat.C:
			if send("beat", []byte("{}")) != nil {
				return
			}
		case <-tick.C:
		case <-news:
		}
	}
}

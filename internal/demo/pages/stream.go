package pages

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// beat is how often an open stream says that it is alive.
const beat = 5 * time.Second

// stream sends the fragment that a template makes of what read gives, at once and then whenever it differs from the one before, as an event "part" with
// {"id": …, "html": …}. It reads every so often until the browser leaves. What cannot be read is shown as it was.
func stream(w http.ResponseWriter, r *http.Request, every time.Duration, name string, read func(ctx context.Context) (any, error)) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // a proxy is not to keep events back
	out := http.NewResponseController(w)
	tick := time.NewTicker(every)
	defer tick.Stop()
	var before []byte
	var sent time.Time
	for {
		if data, err := read(r.Context()); err == nil {
			var b bytes.Buffer
			if err := templates.ExecuteTemplate(&b, name, data); err != nil {
				return
			}
			if !bytes.Equal(b.Bytes(), before) {
				event, err := json.Marshal(map[string]string{"id": name, "html": b.String()})
				if err != nil {
					return
				}
				fmt.Fprintf(w, "event: part\ndata: %s\n\n", event)
				before, sent = b.Bytes(), time.Time{}
			}
		}
		if time.Since(sent) > beat {
			fmt.Fprint(w, "event: beat\ndata: {}\n\n")
			if out.Flush() != nil {
				return
			}
			sent = time.Now()
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

package files_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"shelfstream/sink/files"
	"shelfstream/sink/sinktest"
)

// TestSuite runs the contract of sinks on files: each state of a record is another file, and the newest counts.
func TestSuite(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		w := newWorld(t)
		target := w.target(t, func(c *files.TableConfig) {
			c.Name, c.Update, c.Charset, c.Template, c.TemplateFile = "{{.no}}_{{._attempt}}.json", "file", "windows-1252", "json", ""
		})
		return sinktest.Harness{Target: target, BadName: "has no ł", HandsOver: true, Rows: func(t *testing.T) map[int64]string {
			rows, newest := map[int64]string{}, map[int64]int{}
			for name, content := range listed(t, w.dir) {
				if strings.HasSuffix(name, ".tmp") {
					continue // of a session that was shut out; no reader takes it, and the next owner removes it
				}
				var no int64
				var attempt int
				if _, err := fmt.Sscanf(strings.ReplaceAll(name, "_", " "), "%d %d.json", &no, &attempt); err != nil {
					t.Fatalf("%s lies in the folder", name)
				}
				text, err := charmap.Windows1252.NewDecoder().String(content)
				must(t, err)
				var r struct {
					Name    string
					Counter int64
				}
				must(t, json.Unmarshal([]byte(text), &r))
				if attempt > newest[no] {
					rows[no], newest[no] = fmt.Sprintf("%s|%d", r.Name, r.Counter), attempt
				}
			}
			return rows
		}}
	})
}

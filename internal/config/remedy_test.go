package config

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
)

var (
	ways     = regexp.MustCompile(`(;|^|,|\bso)? ?(or|if it is not,|so) make it a lookup: `)
	rewrite  = regexp.MustCompile(`at (\S+) write '([^']*)'`)
	moveAway = regexp.MustCompile(`move (\S+)\.children\.(\w+) to lookups( without its order_by)?`)
)

// TestRemediesCure does what each remedy about a view's tables says, each of its ways by itself, and looks whether the fault has gone and no other
// has come.
func TestRemediesCure(t *testing.T) {
	tried := 0
	for _, name := range []string{"child_partition", "child_shares_its_table", "lookup_not_broadcast", "views_partition"} {
		c := readCase(t, filepath.Join("testdata/bad", name+".txt"))
		_, _, err := c.load(t)
		before := whats(err)
		for _, f := range fault.All(err) {
			// "; or at views… write 'scattered: true'" is a way of its own too.
			for _, way := range ways.Split(strings.ReplaceAll(f.Fix, "; or at ", "; or make it a lookup: at "), -1) {
				if !rewrite.MatchString(way) && !moveAway.MatchString(way) {
					continue // for the reader to fill in
				}
				tried++
				cured := c
				cured.sections = map[string]string{"env": c.sections["env"], "pipeline.yaml": follow(t, c.sections["pipeline.yaml"], way)}
				_, _, err := cured.load(t)
				after := whats(err)
				if slices.Contains(after, f.What) {
					t.Errorf("%s: %s\nis still there after: %s", name, f.What, way)
				}
				for _, what := range after {
					if !slices.Contains(before, what) {
						t.Errorf("%s: after: %s\nthere is a new fault: %s", name, way, what)
					}
				}
			}
		}
	}
	if tried < 16 {
		t.Errorf("only %d remedies were tried", tried)
	}
}

func whats(err error) (out []string) {
	for _, f := range fault.All(err) {
		out = append(out, f.What)
	}
	return out
}

// follow does what a remedy says.
func follow(t *testing.T, text, way string) string {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	root := doc.Content[0]
	for _, m := range rewrite.FindAllStringSubmatch(way, -1) {
		path := strings.Split(m[1], ".")
		tables, whole := nodeAt(root, path[:len(path)-1])
		var entry yaml.Node
		if err := yaml.Unmarshal([]byte(m[2]), &entry); err != nil || !whole {
			t.Fatalf("%q: %v", m[0], err)
		}
		if path[0] == "views" { // a key to add, not an entry to replace
			if tables, whole = nodeAt(root, path); !whole {
				t.Fatalf("%q: nothing is written there", m[0])
			}
		}
		put(tables, entry.Content[0].Content[0].Value, entry.Content[0].Content[1])
	}
	for _, m := range moveAway.FindAllStringSubmatch(way, -1) {
		view, _ := nodeAt(root, strings.Split(m[1], "."))
		children, lookups := child(view, "children"), child(view, "lookups")
		if lookups == nil {
			lookups = &yaml.Node{Kind: yaml.MappingNode}
			put(view, "lookups", lookups)
		}
		moved := child(children, m[2])
		if m[3] != "" {
			put(moved, "order_by", nil)
		}
		put(children, m[2], nil)
		put(lookups, m[2], moved)
	}
	out, err := yaml.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// put sets a key of a mapping, or takes it out.
func put(mapping *yaml.Node, key string, value *yaml.Node) {
	at := slices.IndexFunc(mapping.Content, func(n *yaml.Node) bool { return n.Value == key })
	switch {
	case value == nil:
		mapping.Content = slices.Delete(mapping.Content, at, at+2)
	case at >= 0:
		mapping.Content[at+1] = value
	default:
		mapping.Content = append(mapping.Content, text(key), value)
	}
}

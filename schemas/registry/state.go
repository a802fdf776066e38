package registry

import (
	"bytes"
	"encoding/json"
	"slices"
	"sort"
)

// defaultLevel is the compatibility that holds where none was set, as in Confluent's registry.
const defaultLevel = "BACKWARD"

// state is what the log's records add up to.
type state struct {
	schemas  map[int32]string // by id
	ids      map[string]int32 // by schema
	subjects map[string]*subject
	newest   int32  // the largest id ever given
	level    string // of all subjects; empty: defaultLevel
}

type subject struct {
	versions []version // by number
	level    string    // empty: that of all subjects
}

type version struct {
	number  int
	id      int32
	deleted bool
}

func newState() *state {
	return &state{schemas: map[int32]string{}, ids: map[string]int32{}, subjects: map[string]*subject{}}
}

func (st *state) subject(name string) *subject {
	s := st.subjects[name]
	if s == nil {
		s = &subject{}
		st.subjects[name] = s
	}
	return s
}

func (st *state) putSchema(r schemaRecord) {
	st.schemas[r.ID] = r.Schema
	if _, ok := st.ids[r.Schema]; !ok {
		st.ids[r.Schema] = r.ID
	}
	st.newest = max(st.newest, r.ID)
	s := st.subject(r.Subject)
	v := version{number: r.Version, id: r.ID, deleted: r.Deleted}
	i := sort.Search(len(s.versions), func(i int) bool { return s.versions[i].number >= r.Version })
	if i < len(s.versions) && s.versions[i].number == r.Version {
		s.versions[i] = v
		return
	}
	s.versions = slices.Insert(s.versions, i, v)
}

func (st *state) putLevel(name *string, level string) {
	if name == nil {
		st.level = level
		return
	}
	st.subject(*name).level = level
}

func (st *state) deleteSubject(name string, upTo int) {
	s := st.subject(name)
	for i := range s.versions {
		if s.versions[i].number <= upTo {
			s.versions[i].deleted = true
		}
	}
}

// globalLevel is the compatibility of subjects that have none of their own.
func (st *state) globalLevel() string {
	if st.level == "" {
		return defaultLevel
	}
	return st.level
}

// levelOf is the compatibility that holds for a subject.
func (st *state) levelOf(name string) string {
	if s := st.subjects[name]; s != nil && s.level != "" {
		return s.level
	}
	return st.globalLevel()
}

// live lists a subject's versions that are not deleted, or all.
func (s *subject) live(deletedToo bool) []version {
	if s == nil {
		return nil
	}
	var out []version
	for _, v := range s.versions {
		if deletedToo || !v.deleted {
			out = append(out, v)
		}
	}
	return out
}

// next is the number of the version to come.
func (s *subject) next() int {
	if len(s.versions) == 0 {
		return 1
	}
	return s.versions[len(s.versions)-1].number + 1
}

// names lists the subjects with live versions (or any), sorted.
func (st *state) names(deletedToo bool) []string {
	out := []string{}
	for name, s := range st.subjects {
		if len(s.live(deletedToo)) > 0 {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// compacted is a schema without the spaces between its tokens, the form in which schemas are kept and compared. A schema that is a
// bare word ("string" without quotes, which Confluent's accepts) gets its quotes.
func compacted(schema string) string {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(schema)); err != nil {
		quoted, _ := json.Marshal(schema)
		return string(quoted)
	}
	return b.String()
}

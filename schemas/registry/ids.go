package registry

import (
	"net/http"
	"strings"
)

type schemaAnswer struct {
	Schema string `json:"schema"`
	MaxID  int32  `json:"maxId,omitempty"`
}

type placeAnswer struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// schemaByID gives the schema whose id is in the path.
func (s *Server) schemaByID(r *http.Request) (id int32, schema string, err error) {
	if id, err = pathID(r); err != nil {
		return 0, "", err
	}
	schema, ok := s.state.schemas[id]
	if !ok {
		return 0, "", refuse(codeSchemaNotFound, "Schema %d not found", id)
	}
	return id, schema, nil
}

// getSchema answers whatever subject the query names: an id means one schema everywhere.
func (s *Server) getSchema(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, schema, err := s.schemaByID(r)
	if err != nil {
		return nil, err
	}
	a := schemaAnswer{Schema: schema}
	if flag(r, "fetchMaxId") {
		a.MaxID = s.state.newest
	}
	return a, nil
}

func (s *Server) getSchemaText(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, schema, err := s.schemaByID(r)
	return rawText(schema), err
}

func (s *Server) getSchemaVersions(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, _, err := s.schemaByID(r)
	if err != nil {
		return nil, err
	}
	out := []placeAnswer{}
	only, deletedToo := r.URL.Query().Get("subject"), flag(r, "deleted")
	for _, name := range s.state.names(deletedToo) {
		for _, v := range s.state.subjects[name].live(deletedToo) {
			if v.id == id && (only == "" || only == name) {
				out = append(out, placeAnswer{name, v.number})
			}
		}
	}
	return out, nil
}

func (s *Server) getSchemaSubjects(r *http.Request) (any, error) {
	places, err := s.getSchemaVersions(r)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, p := range places.([]placeAnswer) {
		if len(out) == 0 || out[len(out)-1] != p.Subject {
			out = append(out, p.Subject)
		}
	}
	return out, nil
}

// getSchemas lists every version of every subject.
func (s *Server) getSchemas(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []versionAnswer{}
	prefix, deletedToo := r.URL.Query().Get("subjectPrefix"), flag(r, "deleted")
	for _, name := range s.state.names(deletedToo) {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		versions := s.state.subjects[name].live(deletedToo)
		if flag(r, "latestOnly") {
			versions = versions[len(versions)-1:]
		}
		for _, v := range versions {
			out = append(out, versionAnswer{name, v.number, v.id, s.state.schemas[v.id]})
		}
	}
	return out, nil
}

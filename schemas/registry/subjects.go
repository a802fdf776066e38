package registry

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// schemaBody is what clients send.
type schemaBody struct {
	Schema     string `json:"schema"`
	SchemaType string `json:"schemaType"`
	References []any  `json:"references"`
}

// versionAnswer is a schema with its place.
type versionAnswer struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
	ID      int32  `json:"id"`
	Schema  string `json:"schema"`
}

type idAnswer struct {
	ID int32 `json:"id"`
}

// schemaFrom reads and checks the schema in a request.
func schemaFrom(r *http.Request) (string, error) {
	var b schemaBody
	if err := body(r, &b); err != nil {
		return "", err
	}
	if b.SchemaType != "" && b.SchemaType != schemaTypeAvro {
		return "", refuse(codeInvalidSchema, "Schema type %s is not supported, only AVRO is", b.SchemaType)
	}
	if len(b.References) > 0 {
		return "", refuse(codeInvalidSchema, "References between schemas are not supported")
	}
	schema := compacted(b.Schema)
	if err := checkSchema(schema); err != nil {
		return "", refuse(codeInvalidSchema, "Invalid schema: %v", err)
	}
	return schema, nil
}

func (s *Server) register(r *http.Request) (any, error) {
	schema, err := schemaFrom(r)
	if err != nil {
		return nil, err
	}
	name := r.PathValue("subject")
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.state.subject(name)
	for _, v := range sub.live(false) {
		if s.state.schemas[v.id] == schema {
			return idAnswer{v.id}, nil
		}
	}
	messages, err := s.incompatibilities(name, schema, sub.live(false))
	if err != nil {
		return nil, err
	}
	if len(messages) > 0 {
		return nil, refuse(codeIncompatible, "Schema being registered is incompatible with an earlier schema for subject %q under compatibility %s: %s",
			name, s.state.levelOf(name), strings.Join(messages, "; "))
	}
	id, known := s.state.ids[schema]
	if !known {
		id = s.state.newest + 1
	}
	v := schemaRecord{Subject: name, Version: sub.next(), ID: id, Schema: schema}
	return idAnswer{id}, s.putVersion(r.Context(), v)
}

func (s *Server) putVersion(ctx context.Context, v schemaRecord) error {
	return s.append(ctx, recordKey{Type: recordSchema, Subject: &v.Subject, Version: v.Version, Magic: 1}, v)
}

func (s *Server) lookup(r *http.Request) (any, error) {
	schema, err := schemaFrom(r)
	if err != nil {
		return nil, err
	}
	name := r.PathValue("subject")
	s.mu.Lock()
	defer s.mu.Unlock()
	versions := s.state.subjects[name].live(flag(r, "deleted"))
	if len(versions) == 0 {
		return nil, refuse(codeSubjectNotFound, messageSubjectMissing, name)
	}
	for _, v := range versions {
		if s.state.schemas[v.id] == schema {
			return versionAnswer{name, v.number, v.id, schema}, nil
		}
	}
	return nil, refuse(codeSchemaNotFound, "Schema not found")
}

func (s *Server) getSubjects(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	prefix := r.URL.Query().Get("subjectPrefix")
	return slices.DeleteFunc(s.state.names(flag(r, "deleted")), func(n string) bool { return !strings.HasPrefix(n, prefix) }), nil
}

func (s *Server) getVersions(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.PathValue("subject")
	versions := s.state.subjects[name].live(flag(r, "deleted"))
	if len(versions) == 0 {
		return nil, refuse(codeSubjectNotFound, messageSubjectMissing, name)
	}
	return numbers(versions), nil
}

func numbers(versions []version) []int {
	out := make([]int, len(versions))
	for i, v := range versions {
		out[i] = v.number
	}
	return out
}

// find gives the version that a request's path names.
func (s *Server) find(r *http.Request, deletedToo bool) (version, error) {
	name, word := r.PathValue("subject"), r.PathValue("version")
	number := -1
	if word != latestVersion {
		n, err := strconv.Atoi(word)
		if err != nil || n == 0 || n < -1 {
			return version{}, refuse(codeInvalidVersion, "The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", word)
		}
		number = n
	}
	versions := s.state.subjects[name].live(deletedToo)
	if len(versions) == 0 {
		return version{}, refuse(codeSubjectNotFound, messageSubjectMissing, name)
	}
	if number == -1 {
		return versions[len(versions)-1], nil
	}
	for _, v := range versions {
		if v.number == number {
			return v, nil
		}
	}
	return version{}, refuse(codeVersionNotFound, "Version %d not found.", number)
}

func (s *Server) getVersion(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.find(r, flag(r, "deleted"))
	if err != nil {
		return nil, err
	}
	return versionAnswer{r.PathValue("subject"), v.number, v.id, s.state.schemas[v.id]}, nil
}

func (s *Server) getVersionText(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.find(r, flag(r, "deleted"))
	if err != nil {
		return nil, err
	}
	return rawText(s.state.schemas[v.id]), nil
}

// getReferences: no schema refers to another here.
func (s *Server) getReferences(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(r, false); err != nil {
		return nil, err
	}
	return []int{}, nil
}

func (s *Server) deleteSubject(r *http.Request) (any, error) {
	if err := onlySoft(r); err != nil {
		return nil, err
	}
	name := r.PathValue("subject")
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.state.subjects[name]
	live := sub.live(false)
	if len(live) == 0 {
		if len(sub.live(true)) > 0 {
			return nil, refuse(codeSubjectDeleted, "Subject '%s' was soft deleted.", name)
		}
		return nil, refuse(codeSubjectNotFound, messageSubjectMissing, name)
	}
	answer := numbers(live)
	key := recordKey{Type: recordDeleteSubject, Subject: &name}
	return answer, s.append(r.Context(), key, deleteSubjectRecord{Subject: name, Version: live[len(live)-1].number})
}

func (s *Server) deleteVersion(r *http.Request) (any, error) {
	if err := onlySoft(r); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.PathValue("subject")
	v, err := s.find(r, false)
	if err != nil {
		if old, deletedErr := s.find(r, true); deletedErr == nil && old.deleted {
			return nil, refuse(codeVersionDeleted, "Subject '%s' Version %d was soft deleted.", name, old.number)
		}
		return nil, err
	}
	return v.number, s.putVersion(r.Context(), schemaRecord{name, v.number, v.id, s.state.schemas[v.id], true})
}

// onlySoft refuses permanent deletion.
func onlySoft(r *http.Request) error {
	if flag(r, "permanent") {
		return refuse(codeNotPermitted, "Permanent deletion is not offered: records on topics still carry the schema's id")
	}
	return nil
}

package registry

import (
	"net/http"
	"slices"
	"strings"
)

// levels are Confluent's compatibility levels: which of the older and the newer schema must be able to read the other's records.
var levels = []string{"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"}

type levelAnswer struct {
	Level string `json:"compatibilityLevel"`
}

type levelBody struct {
	Level string `json:"compatibility"`
}

// subjectOf is the subject in the path, nil where the request is about all of them.
func subjectOf(r *http.Request) *string {
	if name := r.PathValue("subject"); name != "" {
		return &name
	}
	return nil
}

func (s *Server) getLevel(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := subjectOf(r)
	if name == nil {
		return levelAnswer{s.state.globalLevel()}, nil
	}
	if sub := s.state.subjects[*name]; (sub == nil || sub.level == "") && !flag(r, "defaultToGlobal") {
		return nil, refuse(codeNoSubjectLevel, "Subject '%s' does not have subject-level compatibility configured", *name)
	}
	return levelAnswer{s.state.levelOf(*name)}, nil
}

func (s *Server) putLevel(r *http.Request) (any, error) {
	var b levelBody
	if err := body(r, &b); err != nil {
		return nil, err
	}
	b.Level = strings.ToUpper(b.Level)
	if !slices.Contains(levels, b.Level) {
		return nil, refuse(codeInvalidLevel, "Invalid compatibility level. Valid values are %s", strings.Join(levels, ", "))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return b, s.append(r.Context(), recordKey{Type: recordConfig, Subject: subjectOf(r)}, configRecord(b))
}

func (s *Server) deleteLevel(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := subjectOf(r)
	was := s.state.globalLevel()
	if name != nil {
		sub := s.state.subjects[*name]
		if sub == nil || sub.level == "" {
			return nil, refuse(codeNoSubjectLevel, "Subject '%s' does not have subject-level compatibility configured", *name)
		}
		was = sub.level
	}
	return levelAnswer{was}, s.append(r.Context(), recordKey{Type: recordConfig, Subject: name}, nil)
}

type modeAnswer struct {
	Mode string `json:"mode"`
}

func (s *Server) getMode(r *http.Request) (any, error) {
	if name := subjectOf(r); name != nil && !flag(r, "defaultToGlobal") {
		return nil, refuse(codeNoSubjectMode, "Subject '%s' does not have subject-level mode configured", *name)
	}
	return modeAnswer{modeReadWrite}, nil
}

func (s *Server) putMode(r *http.Request) (any, error) {
	var b modeAnswer
	if err := body(r, &b); err != nil {
		return nil, err
	}
	if b.Mode != modeReadWrite {
		return nil, refuse(codeNotPermitted, "Mode %q is not supported, only %s is", b.Mode, modeReadWrite)
	}
	return b, nil
}

type compatibilityAnswer struct {
	Compatible bool     `json:"is_compatible"`
	Messages   []string `json:"messages,omitempty"`
}

func (s *Server) testCompatibility(r *http.Request) (any, error) {
	schema, err := schemaFrom(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.PathValue("subject")
	versions := s.state.subjects[name].live(false)
	if r.PathValue("version") != "" {
		v, err := s.find(r, false)
		if err != nil {
			return nil, err
		}
		versions = []version{v}
	}
	messages, err := s.incompatibilities(name, schema, versions)
	if err != nil {
		return nil, err
	}
	answer := compatibilityAnswer{Compatible: len(messages) == 0}
	if flag(r, "verbose") {
		answer.Messages = messages
	}
	return answer, nil
}

// incompatibilities says what a subject's level has against a schema after these versions.
func (s *Server) incompatibilities(name, schema string, versions []version) ([]string, error) {
	level := s.state.levelOf(name)
	if level == "NONE" || len(versions) == 0 {
		return nil, nil
	}
	direction, transitive := strings.CutSuffix(level, "_TRANSITIVE")
	if !transitive {
		versions = versions[len(versions)-1:]
	}
	newer, err := parseNode(schema)
	if err != nil {
		return nil, refuse(codeInvalidSchema, "Invalid schema: %v", err)
	}
	var messages []string
	for _, v := range versions {
		older, err := parseNode(s.state.schemas[v.id])
		if err != nil {
			return nil, err
		}
		if direction != "FORWARD" {
			messages = append(messages, differences(newer, older)...)
		}
		if direction != "BACKWARD" {
			messages = append(messages, differences(older, newer)...)
		}
	}
	return messages, nil
}

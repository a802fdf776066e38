package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
)

// Confluent's error codes; the first three digits are the HTTP status.
const (
	codeSubjectNotFound   = 40401
	codeVersionNotFound   = 40402
	codeSchemaNotFound    = 40403
	codeSubjectDeleted    = 40404
	codeVersionDeleted    = 40406
	codeNoSubjectLevel    = 40408
	codeNoSubjectMode     = 40409
	codeIncompatible      = 409
	codeInvalidSchema     = 42201
	codeInvalidVersion    = 42202
	codeInvalidLevel      = 42203
	codeNotPermitted      = 42205
	codeInvalidBody       = 422
	codeStore             = 50001
	codeUnknownPath       = 404
	codeMethodNotAllowed  = 405
	contentType           = "application/vnd.schemaregistry.v1+json"
	maxBody               = 8 << 20
	schemaTypeAvro        = "AVRO"
	latestVersion         = "latest"
	modeReadWrite         = "READWRITE"
	messageSubjectMissing = "Subject '%s' not found."
)

// Server is a schema registry for Avro with Confluent's HTTP interface. It is an http.Handler; it has no login, so it belongs
// on loopback or behind something that has.
//
// It keeps to Confluent's rules with these differences: schemas of types other than Avro, references between schemas, modes other
// than READWRITE and permanent deletion are refused, and the equality of schemas is that of their text without spaces.
type Server struct {
	log Log
	mux *http.ServeMux

	mu    sync.Mutex // held while a change is appended, so that versions and ids are given in the order of the log
	state *state
}

var _ http.Handler = (*Server)(nil)

// NewServer makes a server with the state that log's records add up to.
func NewServer(ctx context.Context, log Log) (*Server, error) {
	s := &Server{log: log, state: newState()}
	if err := log.Replay(ctx, s.state.apply); err != nil {
		return nil, fmt.Errorf("replay the registry's log: %w", err)
	}
	s.mux = http.NewServeMux()
	s.routes()
	return s, nil
}

func (s *Server) routes() {
	for pattern, h := range map[string]handler{
		"GET /{$}":                         s.getRoot,
		"GET /subjects":                    s.getSubjects,
		"GET /subjects/{subject}/versions": s.getVersions,
		"GET /subjects/{subject}/versions/{version}":              s.getVersion,
		"POST /subjects/{subject}/versions":                       s.register,
		"POST /subjects/{subject}":                                s.lookup,
		"DELETE /subjects/{subject}":                              s.deleteSubject,
		"DELETE /subjects/{subject}/versions/{version}":           s.deleteVersion,
		"GET /subjects/{subject}/versions/{version}/schema":       s.getVersionText,
		"GET /subjects/{subject}/versions/{version}/referencedby": s.getReferences,
		"GET /schemas":                   s.getSchemas,
		"GET /schemas/types":             s.getTypes,
		"GET /schemas/ids/{id}":          s.getSchema,
		"GET /schemas/ids/{id}/schema":   s.getSchemaText,
		"GET /schemas/ids/{id}/subjects": s.getSchemaSubjects,
		"GET /schemas/ids/{id}/versions": s.getSchemaVersions,
		"GET /contexts":                  s.getContexts,
		"GET /config":                    s.getLevel,
		"PUT /config":                    s.putLevel,
		"DELETE /config":                 s.deleteLevel,
		"GET /config/{subject}":          s.getLevel,
		"PUT /config/{subject}":          s.putLevel,
		"DELETE /config/{subject}":       s.deleteLevel,
		"GET /mode":                      s.getMode,
		"PUT /mode":                      s.putMode,
		"GET /mode/{subject}":            s.getMode,
		"PUT /mode/{subject}":            s.putMode,
		"POST /compatibility/subjects/{subject}/versions":           s.testCompatibility,
		"POST /compatibility/subjects/{subject}/versions/{version}": s.testCompatibility,
		"/": unknownPath,
	} {
		s.mux.Handle(pattern, h)
	}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// handler gives what is to be sent as JSON, a rawText to be sent as it is, or an *apiError.
type handler func(r *http.Request) (any, error)

// rawText is an answer that is JSON already.
type rawText string

// apiError is an answer with one of Confluent's codes.
type apiError struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

func (e *apiError) Error() string { return e.Message }

func (e *apiError) status() int {
	if e.Code >= 10_000 {
		return e.Code / 100
	}
	return e.Code
}

func refuse(code int, format string, args ...any) error {
	return &apiError{Code: code, Message: fmt.Sprintf(format, args...)}
}

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	answer, err := h(r)
	status := http.StatusOK
	if err != nil {
		e, ok := err.(*apiError) //nolint:errorlint // handlers return their own errors unwrapped
		if !ok {
			e = &apiError{Code: codeStore, Message: "Error in the backend data store: " + err.Error()}
		}
		status, answer = e.status(), e
	}
	var body []byte
	if text, ok := answer.(rawText); ok {
		body = []byte(text)
	} else if body, err = json.Marshal(answer); err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error_code":50001,"message":"answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away needs no answer
}

func unknownPath(r *http.Request) (any, error) {
	return nil, refuse(codeUnknownPath, "HTTP 404 Not Found: %s %s", r.Method, r.URL.Path)
}

func (s *Server) getRoot(*http.Request) (any, error) { return struct{}{}, nil }

func (s *Server) getTypes(*http.Request) (any, error) { return []string{schemaTypeAvro}, nil }

func (s *Server) getContexts(*http.Request) (any, error) { return []string{"."}, nil }

// flag is a query parameter that is "true" or not.
func flag(r *http.Request, name string) bool { return r.URL.Query().Get(name) == "true" }

// body reads a JSON body.
func body(r *http.Request, into any) error {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		return refuse(codeInvalidBody, "The request's body is not the expected JSON: %v", err)
	}
	return nil
}

// pathID reads the id in the path.
func pathID(r *http.Request) (int32, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 32)
	if err != nil {
		return 0, refuse(codeUnknownPath, "HTTP 404 Not Found: %q is no schema id", r.PathValue("id"))
	}
	return int32(id), nil
}

package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// path is a place in a JSON answer: names, and numbers in brackets, as in "data.orders[0].no". The empty path is the answer itself.
type path []any // string or int

func parsePath(text string) (path, error) {
	var p path
	rest := strings.TrimPrefix(strings.TrimPrefix(text, "$"), ".")
	for rest != "" {
		if inner, ok := strings.CutPrefix(rest, "["); ok {
			number, after, closed := strings.Cut(inner, "]")
			n, err := strconv.Atoi(number)
			if !closed || err != nil || n < 0 {
				return nil, fmt.Errorf("%q is no path: a number belongs into [ ]", text)
			}
			p, rest = append(p, n), after
		} else {
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, fmt.Errorf("%q is no path: a name is missing", text)
			}
			p, rest = append(p, rest[:end]), rest[end:]
		}
		if after, dot := strings.CutPrefix(rest, "."); dot {
			if after == "" {
				return nil, fmt.Errorf("%q is no path: it ends with a point", text)
			}
			rest = after
		}
	}
	return p, nil
}

// mustPath is parsePath of a path that Validate has read.
func mustPath(text string) path {
	p, err := parsePath(text)
	if err != nil {
		return nil
	}
	return p
}

// find gives what stands at the path; false if nothing or null does.
func (p path) find(v any) (any, bool) {
	for _, step := range p {
		switch s := step.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				return nil, false
			}
			v = m[s]
		case int:
			l, ok := v.([]any)
			if !ok || s >= len(l) {
				return nil, false
			}
			v = l[s]
		}
	}
	return v, v != nil
}

// text is find for a text or a number; anything else as JSON. false if nothing, null or an empty text stands there.
func (p path) text(v any) (string, bool) {
	found, ok := p.find(v)
	if !ok {
		return "", false
	}
	text := plainAnswer(found)
	return text, text != ""
}

func plainAnswer(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// decodeJSON reads an answer; numbers keep their digits.
func decodeJSON(body []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more behind its end")
	}
	return v, nil
}

package render

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Format is how a template writes what its actions print.
type Format uint8

// The formats.
const (
	FormatText   Format = iota // as it is; a null is nothing
	FormatJSON                 // as a JSON value: a text quoted, a null as null; the whole must be JSON
	FormatXML                  // < > & and quotes escaped
	FormatURL                  // percent-encoded, as one segment of a path or one value of a query
	FormatHeader               // one line of printable characters
	FormatCSV                  // in double quotes where it has a separator, a quote or a line break (RFC 4180)
	FormatEDI                  // a field between semicolons, without quotes: a semicolon or a line break is an error
)

// out writes one value in the format. It is the last function of every action.
func (f Format) out(v any) (Raw, error) {
	if r, ok := v.(Raw); ok && f != FormatHeader {
		return r, nil
	}
	if f == FormatJSON {
		b, err := appendJSON(nil, v)
		return Raw(b), err
	}
	text, err := plainText(v)
	if err != nil {
		return "", err
	}
	switch f {
	case FormatXML:
		var b bytes.Buffer
		if err := xml.EscapeText(&b, []byte(text)); err != nil {
			return "", err
		}
		return Raw(b.String()), nil
	case FormatURL:
		return Raw(strings.ReplaceAll(url.QueryEscape(text), "+", "%20")), nil
	case FormatHeader:
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return "", fmt.Errorf("a header cannot hold the line break or control character in %q", text)
		}
	case FormatCSV:
		if strings.ContainsAny(text, ",;\t\"\r\n") {
			text = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
		}
	case FormatEDI:
		if i := strings.IndexFunc(text, func(r rune) bool { return r == ';' || unicode.IsControl(r) }); i >= 0 {
			return "", fmt.Errorf("a field cannot hold the %q in %q", []rune(text[i:])[0], text)
		}
	case FormatText, FormatJSON:
	}
	return Raw(text), nil
}

// plainText is a value for people and files; a null is nothing.
func plainText(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case Decimal:
		return string(v), nil
	case JSON:
		return string(v), nil
	case Raw:
		return string(v), nil
	case Temporal:
		return v.String(), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case []any, map[string]any, Record:
		b, err := appendJSON(nil, v)
		return string(b), err
	}
	return fmt.Sprint(v), nil
}

var errNoNumber = errors.New("JSON has no NaN and no infinity")

// appendJSON writes a value as JSON, numbers with all their digits and names in alphabetical order, so that equal records give equal bytes.
func appendJSON(dst []byte, v any) ([]byte, error) {
	var err error
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return dst, errNoNumber
		}
		return strconv.AppendFloat(dst, v, 'f', -1, 64), nil
	case Decimal:
		if c := v[len(v)-1]; c < '0' || c > '9' {
			return dst, errNoNumber
		}
		return append(dst, v...), nil
	case JSON:
		if !json.Valid([]byte(v)) {
			return dst, fmt.Errorf("the column's text is no JSON: %.40q", string(v))
		}
		return append(dst, v...), nil
	case Raw:
		return append(dst, v...), nil
	case []any:
		dst = append(dst, '[')
		for i := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendJSON(dst, v[i]); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case Record:
		return appendObject(dst, v)
	case map[string]any:
		return appendObject(dst, v)
	}
	text, err := plainText(v)
	if err != nil {
		return dst, err
	}
	return quoted(dst, text)
}

// appendObject leaves out the extra names of a record, which are no columns.
func appendObject(dst []byte, m map[string]any) ([]byte, error) {
	names := make([]string, 0, len(m))
	for name := range m {
		if !strings.HasPrefix(name, "_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	dst = append(dst, '{')
	var err error
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = quoted(dst, name); err != nil {
			return dst, err
		}
		dst = append(dst, ':')
		if dst, err = appendJSON(dst, m[name]); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// quoted is a JSON string; < and & stay as they are.
func quoted(dst []byte, text string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		return dst, err
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...), nil
}

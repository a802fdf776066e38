package casefile

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"shelfstream/schemas"
)

// valueOf reads a value of a column's type as a case file writes it.
func valueOf(n *yaml.Node, t *schemas.Type) (schemas.Value, error) {
	if isNull(n) {
		return schemas.Null, nil
	}
	if t.Kind == schemas.KindArray {
		return arrayOf(n, t)
	}
	if n.Kind != yaml.ScalarNode {
		return schemas.Null, fmt.Errorf("one value is wanted, and there is a list or map")
	}
	s := n.Value
	wrong := func(form string) error { return fmt.Errorf("%q is no %s", s, form) }
	switch t.Kind {
	case schemas.KindText, schemas.KindJSON:
		return schemas.Value{Kind: t.Kind, Bytes: []byte(s)}, nil
	case schemas.KindEnum:
		if !slices.Contains(t.Symbols, s) {
			return schemas.Null, wrong("symbol of the enum (" + strings.Join(t.Symbols, ", ") + ")")
		}
		return schemas.Value{Kind: schemas.KindEnum, Bytes: []byte(s)}, nil
	case schemas.KindBool:
		if b, err := strconv.ParseBool(s); err == nil {
			return schemas.Bool(b), nil
		}
		return schemas.Null, wrong("truth value; write true or false")
	case schemas.KindInt:
		i, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return schemas.Null, wrong("whole number")
		}
		return schemas.Int(i), nil
	case schemas.KindDecimal:
		return decimalOf(s, t)
	case schemas.KindFloat:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return schemas.Null, wrong("number")
		}
		return schemas.Float(f), nil
	case schemas.KindDate:
		at, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return schemas.Null, wrong("date; write 2026-01-31")
		}
		return schemas.Date(at.Unix() / 86400), nil
	case schemas.KindTime:
		at, err := time.Parse(time.TimeOnly, s)
		if err != nil {
			return schemas.Null, wrong("time of day; write 08:30:00")
		}
		return schemas.Value{Kind: schemas.KindTime, Int: at.Sub(at.Truncate(24 * time.Hour)).Microseconds()}, nil
	case schemas.KindTimestamp:
		at, err := wallClock(s)
		if err != nil {
			return schemas.Null, wrong("wall-clock time; write 2026-01-31 08:30:00, or the date alone")
		}
		return schemas.Timestamp(at.UnixMicro()), nil
	case schemas.KindTimestampTZ:
		at, err := time.Parse(time.RFC3339Nano, strings.Replace(s, " ", "T", 1))
		if err != nil {
			return schemas.Null, wrong("instant; write 2026-01-31T08:30:00+01:00")
		}
		return schemas.TimestampTZ(at.UnixMicro()), nil
	case schemas.KindUUID:
		b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
		if err != nil || len(b) != 16 {
			return schemas.Null, wrong("uuid")
		}
		return schemas.Value{Kind: schemas.KindUUID, Bytes: b}, nil
	case schemas.KindBytes:
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return schemas.Null, wrong("base64")
		}
		return schemas.Value{Kind: schemas.KindBytes, Bytes: b}, nil
	default:
		return schemas.Null, fmt.Errorf("no value of this type can be written here")
	}
}

// wallClock reads a date, or a date and a time without a zone.
func wallClock(s string) (time.Time, error) {
	s = strings.Replace(s, "T", " ", 1)
	for _, form := range []string{time.DateOnly, "2006-01-02 15:04", "2006-01-02 15:04:05.999999"} {
		if at, err := time.Parse(form, s); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time", s)
}

func decimalOf(s string, t *schemas.Type) (schemas.Value, error) {
	v, err := schemas.ParseDecimal(s)
	if err != nil || t.Precision == 0 {
		return v, err
	}
	r, err := schemas.Round(v, int(t.Scale), schemas.HalfUp)
	if err != nil {
		return v, err
	}
	if schemas.Compare(r, v) != 0 {
		return v, fmt.Errorf("%s has more than %d digits after the point", s, t.Scale)
	}
	return r, nil
}

func arrayOf(n *yaml.Node, t *schemas.Type) (schemas.Value, error) {
	if n.Kind != yaml.SequenceNode {
		return schemas.Null, fmt.Errorf("a list is wanted")
	}
	out := schemas.Value{Kind: schemas.KindArray, List: make([]schemas.Value, 0, len(n.Content))}
	for _, item := range n.Content {
		v, err := valueOf(resolved(item), t.Elem)
		if err != nil {
			return schemas.Null, err
		}
		out.List = append(out.List, v)
	}
	return out, nil
}

// nodeOf writes a value as a case file has it.
func nodeOf(v schemas.Value, t *schemas.Type) *yaml.Node {
	switch v.Kind {
	case schemas.KindNull:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: "null"}
	case schemas.KindText, schemas.KindJSON, schemas.KindEnum:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: string(v.Bytes)}
	case schemas.KindBytes:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: base64.StdEncoding.EncodeToString(v.Bytes)}
	case schemas.KindDecimal:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: string(schemas.AppendDecimal(nil, v))}
	case schemas.KindArray:
		out := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, e := range v.List {
			out.Content = append(out.Content, nodeOf(e, t.Elem))
		}
		return out
	case schemas.KindRecord:
		out := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		for i, e := range v.List {
			out.Content = append(out.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: t.Fields[i].Name}, nodeOf(e, &t.Fields[i].Type))
		}
		return out
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: strings.TrimSuffix(v.String(), "T00:00:00")}
	}
}

// flow writes a node on one line, as it may stand inside braces.
func flow(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode && len(n.Content) > 0:
		parts := make([]string, 0, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, flow(n.Content[i])+": "+flow(n.Content[i+1]))
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	case n.Kind == yaml.SequenceNode:
		parts := make([]string, len(n.Content))
		for i := range n.Content {
			parts[i] = flow(n.Content[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	// In a list of one the encoder quotes what commas and brackets would end.
	out, err := yaml.Marshal(&yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle, Content: []*yaml.Node{n}})
	s := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(string(out)), "["), "]")
	if err != nil || strings.Contains(s, "\n") {
		return strconv.Quote(n.Value)
	}
	return s
}

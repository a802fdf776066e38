package schemas

import (
	"strconv"
	"strings"
)

// splitName derives a record's Avro namespace and name from a topic: everything before the last dot, and the rest, with
// every character that Avro does not allow made an underscore.
func splitName(topic string) (namespace, name string) {
	if i := strings.LastIndexByte(topic, '.'); i >= 0 {
		parts := strings.Split(topic[:i], ".")
		for j := range parts {
			parts[j] = avroName(parts[j])
		}
		namespace, topic = strings.Join(parts, "."), topic[i+1:]
	}
	return namespace, avroName(topic)
}

// avroName makes a name that Avro allows ([A-Za-z_][A-Za-z0-9_]*) of any text: one underscore for each character that it
// does not allow, one more in front of a leading digit.
func avroName(s string) string {
	if isAvroName(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			if b.Len() == 0 {
				b.WriteByte('_')
			}
			b.WriteRune(r)
		case r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z':
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
	if b.Len() == 0 {
		return "_"
	}
	return b.String()
}

func isAvroName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// fieldNames gives every column its Avro field name. Names that Avro allows are kept; the others are made to fit, with a
// number at the end where two would meet ("No." and "No_" become "No__2" and "No_").
func fieldNames(columns []Column) []string {
	taken := make(map[string]bool, len(columns))
	for i := range columns {
		if isAvroName(columns[i].Name) {
			taken[columns[i].Name] = true
		}
	}
	names := make([]string, len(columns))
	for i := range columns {
		if isAvroName(columns[i].Name) {
			names[i] = columns[i].Name
			continue
		}
		names[i] = unique(avroName(columns[i].Name), taken)
	}
	return names
}

// unique takes a name, with "_2", "_3" … behind it if it is taken.
func unique(name string, taken map[string]bool) string {
	free := name
	for n := 2; taken[free]; n++ {
		free = name + "_" + strconv.Itoa(n)
	}
	taken[free] = true
	return free
}

package casefile

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"shelfstream/schemas"
)

// shape is a table with what a row has in the columns it does not name.
type shape struct {
	table    *schemas.Table
	defaults []schemas.Value
}

var columnForm = regexp.MustCompile(`^([a-z]+)\s*(?:\(([^)]*)\))?\s*(\[\])?((?:\s+key)?)(?:\s*=\s*(.*))?$`)

// shapes reads `table: { column: type }` into out.
func (d *document) shapes(n *yaml.Node, out map[string]*shape) {
	for _, t := range d.pairs(n, "tables") {
		s := &shape{table: &schemas.Table{Name: t.name}}
		for _, c := range d.pairs(t.value, "table "+t.name) {
			d.column(s, c)
		}
		switch {
		case len(s.table.Columns) == 0:
			d.bad(t.key, fmt.Sprintf("table %s has no column", t.name), "write "+t.name+": { id: text key, name: text }")
			continue
		case len(s.table.Key) == 0:
			d.bad(t.key, fmt.Sprintf("table %s has no key", t.name), "write `key` behind the type of each column of its primary key")
			continue
		}
		out[t.name] = s
	}
}

func (d *document) column(s *shape, c pair) {
	m := columnForm.FindStringSubmatch(strings.TrimSpace(c.value.Value))
	var t schemas.Type
	ok := m != nil && c.value.Kind == yaml.ScalarNode
	if ok {
		t, ok = typeOf(m[1], m[2])
	}
	if !ok {
		d.bad(c.value, fmt.Sprintf("%q is no column", c.value.Value), "write a type, then `key` for the primary key, then a default: text(40), int key, \"numeric(18,4) = 0\", date")
		return
	}
	if m[3] != "" {
		elem := t
		t = schemas.Type{Kind: schemas.KindArray, Elem: &elem}
	}
	key := strings.TrimSpace(m[4]) != ""
	if key {
		s.table.Key = append(s.table.Key, len(s.table.Columns))
	}
	otherwise := schemas.Null
	if m[5] != "" {
		var node yaml.Node
		var err error
		if err = yaml.Unmarshal([]byte(m[5]), &node); err == nil && len(node.Content) == 1 {
			otherwise, err = valueOf(node.Content[0], &t)
		}
		if err != nil {
			d.bad(c.value, fmt.Sprintf("the default of %s: %v", c.name, err), "write a value of the column's type behind =")
		}
	}
	s.table.Columns = append(s.table.Columns, schemas.Column{Name: c.name, Type: t, Nullable: !key})
	s.defaults = append(s.defaults, otherwise)
}

// typeOf reads a type by PostgreSQL's or SQL Server's name.
func typeOf(word, arguments string) (schemas.Type, bool) {
	var numbers []int
	if word != "enum" && arguments != "" {
		for a := range strings.SplitSeq(arguments, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(a))
			if err != nil || n < 0 {
				return schemas.Type{}, false
			}
			numbers = append(numbers, n)
		}
	}
	argument := func(i int) int {
		if i < len(numbers) {
			return numbers[i]
		}
		return 0
	}
	t := schemas.Type{}
	most := 0
	switch word {
	case "text", "varchar", "nvarchar", "char", "nchar":
		t, most = schemas.Type{Kind: schemas.KindText, Length: int32(argument(0))}, 1
	case "smallint", "tinyint":
		t = schemas.Type{Kind: schemas.KindInt, Bits: 16}
	case "int", "integer":
		t = schemas.Type{Kind: schemas.KindInt, Bits: 32}
	case "bigint":
		t = schemas.Type{Kind: schemas.KindInt, Bits: 64}
	case "numeric", "decimal":
		t, most = schemas.Type{Kind: schemas.KindDecimal, Precision: int16(argument(0)), Scale: int16(argument(1))}, 2
	case "bool", "boolean", "bit":
		t = schemas.Type{Kind: schemas.KindBool}
	case "float", "double":
		t = schemas.Type{Kind: schemas.KindFloat, Bits: 64}
	case "date":
		t = schemas.Type{Kind: schemas.KindDate}
	case "time":
		t = schemas.Type{Kind: schemas.KindTime}
	case "timestamp", "datetime":
		t = schemas.Type{Kind: schemas.KindTimestamp}
	case "timestamptz":
		t = schemas.Type{Kind: schemas.KindTimestampTZ}
	case "uuid":
		t = schemas.Type{Kind: schemas.KindUUID}
	case "json":
		t = schemas.Type{Kind: schemas.KindJSON}
	case "bytes", "image", "bytea":
		t = schemas.Type{Kind: schemas.KindBytes}
	case "enum":
		t = schemas.Type{Kind: schemas.KindEnum}
		for a := range strings.SplitSeq(arguments, ",") {
			t.Symbols = append(t.Symbols, strings.Trim(strings.TrimSpace(a), "'"))
		}
	}
	return t, t.Kind != schemas.KindNull && len(numbers) <= most
}

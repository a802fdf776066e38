package schemas

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// ParseTable reads a table's shape from the Avro schemas of its keys and values, as a registry has them. name is the topic. What
// Compile writes comes back as it was, column names that Avro does not allow included (except that a PostgreSQL decimal
// with a negative scale, or one larger than its precision, comes back as the Avro decimal that holds it).
//
// Schemas of other writers are read where they describe the same bytes: records of boolean, int, long, float, double, string,
// bytes, the logical types decimal (on bytes), date, time-micros, timestamp-micros, local-timestamp-micros and uuid, arrays
// of ["null", T] or of records, nested records and references to them, and ["null", T] for what may be absent. The
// error is a *ColumnError that names the field and what is not supported about it.
func ParseTable(name, keySchema, valueSchema string) (*Table, error) {
	t, err := parseTable(name, keySchema, valueSchema)
	if err != nil {
		return nil, inTable(err, name)
	}
	return t, nil
}

func parseTable(name, keySchema, valueSchema string) (*Table, error) {
	value, err := parseRecordSchema("value", valueSchema)
	if err != nil {
		return nil, err
	}
	key, err := parseRecordSchema("key", keySchema)
	if err != nil {
		return nil, err
	}
	t := &Table{Name: name}
	p := &schemaParser{}
	if t.Columns, err = p.columns(value, "", 0); err != nil {
		return nil, err
	}
	keyParser := &schemaParser{}
	keyColumns, err := keyParser.columns(key, "", 0)
	if err != nil {
		return nil, err
	}
	for i := range keyColumns {
		c := &keyColumns[i]
		at := t.Column(c.Name)
		if at < 0 {
			return nil, &ColumnError{Column: c.Name, What: "in the key's schema, but not in the value's"}
		}
		col := &t.Columns[at]
		if col.Nullable != c.Nullable || !sameType(&col.Type, &c.Type) {
			return nil, &ColumnError{Column: c.Name, What: fmt.Sprintf("%s in the key's schema, %s in the value's", describe(c), describe(col))}
		}
		t.Key = append(t.Key, at)
	}
	for _, name := range value.PartitionBy {
		at := t.Column(name)
		if at < 0 {
			return nil, &ColumnError{Column: name, What: propPartitionBy + " names it, and there is no such column"}
		}
		t.PartitionBy = append(t.PartitionBy, at)
	}
	// Compile checks what is left: names that come twice, the key's and the partition's columns.
	if _, err := compile(t); err != nil {
		return nil, err
	}
	return t, nil
}

func describe(c *Column) string {
	if c.Nullable {
		return "nullable " + c.Type.String()
	}
	return c.Type.String()
}

// schemaNode is an Avro schema that is a JSON object, with our own properties.
type schemaNode struct {
	Type        json.RawMessage `json:"type"`
	Name        string          `json:"name"`
	Namespace   *string         `json:"namespace"`
	Fields      []schemaField   `json:"fields"`
	Items       json.RawMessage `json:"items"`
	LogicalType string          `json:"logicalType"`
	Precision   int             `json:"precision"`
	Scale       int             `json:"scale"`
	PartitionBy []string        `json:"shelfstream.partitionBy"`
	Kind        string          `json:"shelfstream.kind"`
	Symbols     []string        `json:"shelfstream.symbols"`
	Length      int32           `json:"shelfstream.length"`
	ConnectType string          `json:"connect.type"`
	ConnectName string          `json:"connect.name"`
}

type schemaField struct {
	Name   string          `json:"name"`
	Type   json.RawMessage `json:"type"`
	Column *string         `json:"shelfstream.column"`
}

func parseRecordSchema(which, schema string) (*schemaNode, error) {
	var n schemaNode
	if err := json.Unmarshal([]byte(schema), &n); err != nil {
		return nil, &ColumnError{What: "the " + which + "'s schema is no Avro record", Err: err}
	}
	if word, _ := n.typeName(); word != "record" {
		return nil, &ColumnError{What: "the " + which + "'s schema is no Avro record"}
	}
	return &n, nil
}

// typeName is the "type" of a node where it is a plain word.
func (n *schemaNode) typeName() (string, bool) {
	var word string
	err := json.Unmarshal(n.Type, &word)
	return word, err == nil
}

// schemaParser keeps the named records of one schema, which may be referred to after they were defined.
type schemaParser struct {
	records map[string]*Type // by full name; nil while the record is being read
	count   int              // fields so far: references can multiply a short schema into an endless one
}

// maxFields is more than any table or view has; see schemaParser.count.
const maxFields = 20_000

// columns reads a record's fields.
func (p *schemaParser) columns(n *schemaNode, namespace string, depth int) ([]Column, error) {
	full := fullName(n.Name, n.Namespace, namespace)
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		namespace = full[:i]
	} else {
		namespace = ""
	}
	if p.records == nil {
		p.records = map[string]*Type{}
	}
	if _, ok := p.records[full]; ok {
		return nil, &ColumnError{What: fmt.Sprintf("the record %q is defined twice", full)}
	}
	p.records[full] = nil
	columns := make([]Column, len(n.Fields))
	for i := range n.Fields {
		f := &n.Fields[i]
		c := &columns[i]
		c.Name = f.Name
		if f.Column != nil {
			c.Name = *f.Column
		}
		if p.count++; p.count > maxFields {
			return nil, &ColumnError{What: "more than " + strconv.Itoa(maxFields) + " fields"}
		}
		var err error
		if c.Type, c.Nullable, err = p.typ(f.Type, namespace, depth); err != nil {
			return nil, inColumn(err, c.Name)
		}
	}
	p.records[full] = &Type{Kind: KindRecord, Fields: columns}
	return columns, nil
}

// fullName is an Avro name with its namespace: its own if it has dots or a namespace beside it, else the enclosing one.
func fullName(name string, namespace *string, enclosing string) string {
	if namespace != nil {
		enclosing = *namespace
	}
	if strings.Contains(name, ".") || enclosing == "" {
		return name
	}
	return enclosing + "." + name
}

// typ reads the schema of a field or of an array's items.
func (p *schemaParser) typ(raw json.RawMessage, namespace string, depth int) (t Type, nullable bool, err error) {
	if depth > maxDepth {
		return Type{}, false, &ColumnError{What: "lists and records are nested too deeply"}
	}
	switch first(raw) {
	case '"':
		var word string
		if err := json.Unmarshal(raw, &word); err != nil {
			return Type{}, false, err
		}
		t, err = p.named(&schemaNode{}, word, namespace)
		return t, false, err
	case '[':
		var union []json.RawMessage
		if err := json.Unmarshal(raw, &union); err != nil {
			return Type{}, false, err
		}
		if len(union) != 2 || string(union[0]) != `"null"` || first(union[1]) == '[' {
			return Type{}, false, &ColumnError{What: fmt.Sprintf(`the union %s, and only ["null", type] is supported`, cutText(string(raw)))}
		}
		t, nullable, err = p.typ(union[1], namespace, depth)
		if nullable {
			return Type{}, false, &ColumnError{What: "a union in a union"}
		}
		return t, true, err
	case '{':
		var n schemaNode
		if err := json.Unmarshal(raw, &n); err != nil {
			return Type{}, false, err
		}
		word, plain := n.typeName()
		if !plain {
			// {"type": {"type": …}} and {"type": ["null", …]} mean what is inside.
			if n.Type == nil {
				return Type{}, false, &ColumnError{What: "a schema without a type"}
			}
			return p.typ(n.Type, namespace, depth+1)
		}
		t, err = p.object(&n, word, namespace, depth)
		return t, false, err
	}
	return Type{}, false, &ColumnError{What: "a field without a type"}
}

func (p *schemaParser) object(n *schemaNode, word, namespace string, depth int) (Type, error) {
	switch word {
	case "record":
		columns, err := p.columns(n, namespace, depth+1)
		return Type{Kind: KindRecord, Fields: columns}, err
	case "array":
		elem, nullable, err := p.typ(n.Items, namespace, depth+1)
		if err != nil {
			return Type{}, inColumn(err, "[]")
		}
		t := Type{Kind: KindArray, Elem: &elem}
		if nullable != nullableElements(&t) {
			return Type{}, &ColumnError{What: `a list whose items are not ["null", type], or are ["null", record]`}
		}
		return t, nil
	}
	return p.named(n, word, namespace)
}

// named reads a primitive type with the properties of its node, or a reference to a record.
func (p *schemaParser) named(n *schemaNode, word, namespace string) (Type, error) {
	switch word {
	case "boolean":
		return Type{Kind: KindBool}, nil
	case "int":
		switch {
		case n.LogicalType == "date":
			return Type{Kind: KindDate}, nil
		case n.LogicalType != "":
			return Type{}, unsupported(n, word)
		case n.ConnectType == connectInt16:
			return Type{Kind: KindInt, Bits: 16}, nil
		}
		return Type{Kind: KindInt, Bits: 32}, nil
	case "long":
		switch n.LogicalType {
		case "":
			return Type{Kind: KindInt, Bits: 64}, nil
		case "time-micros":
			return Type{Kind: KindTime}, nil
		case "timestamp-micros":
			return Type{Kind: KindTimestampTZ}, nil
		case "local-timestamp-micros":
			return Type{Kind: KindTimestamp}, nil
		}
		return Type{}, unsupported(n, word)
	case "float":
		return Type{Kind: KindFloat, Bits: 32}, nil
	case "double":
		return Type{Kind: KindFloat, Bits: 64}, nil
	case "string":
		return stringType(n), nil
	case "bytes":
		if n.LogicalType != "decimal" {
			return Type{Kind: KindBytes}, nil
		}
		if n.Precision < 1 || n.Precision > maxPrecision || n.Scale < 0 || n.Scale > n.Precision {
			return Type{}, &ColumnError{What: fmt.Sprintf("a decimal of precision %d and scale %d", n.Precision, n.Scale)}
		}
		return Type{Kind: KindDecimal, Precision: int16(n.Precision), Scale: int16(n.Scale)}, nil
	}
	full := fullName(word, nil, namespace)
	if t := p.records[full]; t != nil {
		p.count += countFields(t)
		if p.count > maxFields {
			return Type{}, &ColumnError{What: "more than " + strconv.Itoa(maxFields) + " fields"}
		}
		return *t, nil
	}
	if _, ok := p.records[full]; ok {
		return Type{}, &ColumnError{What: fmt.Sprintf("the record %q contains itself", full)}
	}
	return Type{}, unsupported(n, word)
}

func stringType(n *schemaNode) Type {
	switch {
	case n.LogicalType == "uuid":
		return Type{Kind: KindUUID}
	case n.Kind == kindDecimal:
		return Type{Kind: KindDecimal}
	case n.Kind == kindEnum:
		return Type{Kind: KindEnum, Symbols: n.Symbols}
	case n.ConnectName == connectJSON:
		return Type{Kind: KindJSON}
	}
	return Type{Kind: KindText, Length: max(n.Length, 0)}
}

func unsupported(n *schemaNode, word string) error {
	if n.LogicalType != "" {
		word += " as " + n.LogicalType
	}
	return &ColumnError{What: fmt.Sprintf("the Avro type %s, which is not supported", cutText(word))}
}

// countFields is how many fields a record has with all below it.
func countFields(t *Type) int {
	n := 1
	if t.Elem != nil {
		n += countFields(t.Elem)
	}
	for i := range t.Fields {
		n += countFields(&t.Fields[i].Type)
	}
	return n
}

func first(raw json.RawMessage) byte {
	if len(raw) == 0 {
		return 0
	}
	return raw[0]
}

func cutText(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}

// sameType says whether two types have the same bytes and meaning.
func sameType(a, b *Type) bool {
	if a.Kind != b.Kind || a.Bits != b.Bits || a.Precision != b.Precision || a.Scale != b.Scale || len(a.Fields) != len(b.Fields) {
		return false
	}
	if a.Elem != nil && !sameType(a.Elem, b.Elem) {
		return false
	}
	for i := range a.Fields {
		x, y := &a.Fields[i], &b.Fields[i]
		if x.Name != y.Name || x.Nullable != y.Nullable || !sameType(&x.Type, &y.Type) {
			return false
		}
	}
	return true
}

package table

import (
	"fmt"
	"slices"
	"strings"

	"shelfstream/internal/fault"
)

// Config is the part of a sink's section that all databases have.
type Config struct {
	// Section is the connector's name, before the place of each fault.
	Section string
	// Tables are the target's tables by name.
	Tables map[string]TableConfig
	// MaxRows is the largest number of rows in one INSERT; 0 = 1000.
	MaxRows int
	// Workers is the number of connections that write; 0 leaves it to the runner.
	Workers int
}

// TableConfig says what one table is made of.
type TableConfig struct { //nolint:revive // each connector calls it so too
	From             string                  `yaml:"from" required:"true" doc:"A view (product), a list in it (product.images), or what another system answered to a rest sink (api.answers; api.answers.order where that delivers several views): the view's key, answer, delivery, delivered_at."`
	Columns          map[string]ColumnConfig `yaml:"columns" doc:"The table's column: the view's field, or {from: field, write: create} for one that the shop's editors own. All fields under their own names if no column has a field here."`
	Key              []string                `yaml:"key" doc:"The table's key columns; the view's key if left out, for a list the view's key and position."`
	Create           bool                    `yaml:"create" doc:"Make the table, and columns that are missing in it."`
	Delete           string                  `yaml:"delete" enum:"delete,soft" doc:"What happens to the row of a product that is gone: delete (the default), or soft, which marks it in soft_delete_column."`
	SoftDeleteColumn string                  `yaml:"soft_delete_column" doc:"Column that marks a deleted row: a number (1 = deleted) or a datetime (when); 'deleted' if left out."`
	Infinity         string                  `yaml:"infinity" enum:"park,null" doc:"What becomes of infinite dates, NaN and infinite numbers: park the product (the default), or write null."`
	Unfit            string                  `yaml:"unfit" enum:"fault,park" doc:"What a column means that is too small for some values of its field: fault, it must be altered first (the default); park, products that do not fit are parked one by one."`
	Round            []string                `yaml:"round" doc:"Columns that may lose digits after the point or parts of a second; numbers are rounded half away from zero, as MySQL does."`
	Missing          string                  `yaml:"missing" enum:"insert,park,skip" doc:"What becomes of a product whose row is not there: insert makes it (the default). With park and skip the rows are others': only those that are there are updated, and none is ever inserted or deleted. park holds the product until its row is there; skip passes it over until it changes or is replayed."`
	KeepOthers       bool                    `yaml:"keep_others" doc:"The table also holds rows of others, which stay: comparing all keys (replay -prune) removes no row whose key the view never had, and names none."`
}

const (
	deleteSoft  = "soft"
	unfitPark   = "park"
	infNull     = "null"
	positionCol = "position"

	missingInsert = "insert"
	missingPark   = "park"
	missingSkip   = "skip"
)

// Validate returns every fault in the tables that can be seen without a connection. Where is "mysql.tables.product".
func (c *Config) Validate() fault.List {
	var l fault.List
	bad := func(where, what, fix string) {
		l.Add(&fault.Fault{Class: fault.Config, Where: c.Section + where, What: what, Fix: fix})
	}
	if c.MaxRows < 0 || c.Workers < 0 {
		bad("", "max_rows and workers cannot be negative", "leave them out")
	}
	roots := map[string]string{}
	for _, name := range SortedNames(c.Tables) {
		t := c.Tables[name]
		where := ".tables." + name
		if len(strings.Split(t.From, ".")) > 2 && !t.mayBeAnswers() || strings.Trim(t.From, ".") != t.From || t.From == "" {
			bad(where+".from", fmt.Sprintf("%q is neither a view nor a list in one", t.From), "write the name of a view (product), or of a list in it (product.images)")
		}
		if t.Delete != "" && t.Delete != "delete" && t.Delete != deleteSoft {
			bad(where+".delete", fmt.Sprintf("%q is not possible", t.Delete), "write delete or soft")
		}
		if t.Infinity != "" && t.Infinity != unfitPark && t.Infinity != infNull {
			bad(where+".infinity", fmt.Sprintf("%q is not possible", t.Infinity), "write park or null")
		}
		if t.Unfit != "" && t.Unfit != "fault" && t.Unfit != unfitPark {
			bad(where+".unfit", fmt.Sprintf("%q is not possible", t.Unfit), "write fault or park")
		}
		if t.list() != "" && !t.mayBeAnswers() && t.soft() {
			bad(where+".delete", "rows of a list cannot be deleted softly, since an element has no life of its own", "remove delete: soft, or give the list's table no 'delete'")
		}
		if t.SoftDeleteColumn != "" && !t.soft() {
			bad(where+".soft_delete_column", "has no effect without delete: soft", "add delete: soft")
		}
		t.validateMissing(func(key, what, fix string) { bad(where+key, what, fix) })
		for _, name := range SortedNames(t.Columns) {
			t.Columns[name].validate(func(what, fix string) { bad(where+".columns."+name, what, fix) })
		}
		if t.list() == "" || t.mayBeAnswers() {
			if first := roots[t.From]; first != "" && t.keepsOthers() != c.Tables[first].keepsOthers() {
				bad(where+".keep_others", fmt.Sprintf("differs from table %s, which is made of the same view", first), "set it for both or for none; a table with missing: park or skip has it anyway")
			}
			roots[t.From] = name
		}
		if strings.HasPrefix(name[strings.LastIndexByte(name, '.')+1:], "shelfstream_") {
			bad(where, "table names that start with shelfstream_ are Shelfstream's own", "choose another name")
		}
	}
	return l
}

func (t TableConfig) view() string { v, _, _ := strings.Cut(t.From, "."); return v }
func (t TableConfig) list() string { _, l, _ := strings.Cut(t.From, "."); return l }

// mayBeAnswers says whether the table reads what another system answered (api.answers). Only with the views at hand it is known that it is no list of that name in a view.
func (t TableConfig) mayBeAnswers() bool {
	parts := strings.Split(t.From, ".")
	return len(parts) > 1 && len(parts) <= 3 && parts[1] == "answers"
}

// of says whether the table is made of a view, and listOf of which list in it.
func (t TableConfig) of(view string) bool {
	return t.From == view || strings.HasPrefix(t.From, view+".")
}

func (t TableConfig) listOf(view string) string {
	return strings.TrimPrefix(strings.TrimPrefix(t.From, view), ".")
}

func (t TableConfig) soft() bool { return t.Delete == deleteSoft }
func (t TableConfig) softColumn() string {
	if !t.soft() {
		return ""
	}
	if t.SoftDeleteColumn == "" {
		return "deleted"
	}
	return t.SoftDeleteColumn
}
func (t TableConfig) rounds(column string) bool { return slices.Contains(t.Round, column) }

// Views names the views the tables are made of, each once, sorted.
func (c *Config) Views() []string {
	var v []string
	for _, t := range c.Tables {
		name := t.view()
		if t.mayBeAnswers() {
			name = t.From
		}
		if !slices.Contains(v, name) {
			v = append(v, name)
		}
	}
	slices.Sort(v)
	return v
}

// SortedNames are the keys of a map in order.
func SortedNames[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

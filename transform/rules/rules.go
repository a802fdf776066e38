package rules

import (
	"time"

	"shelfstream/schemas"
)

// Env is what rule files are checked against: the shapes of the rows that one product is made of.
type Env struct {
	// View is the view's name, for messages.
	View string
	// Root is the table whose rows are the products.
	Root     *schemas.Table
	Children []Child
	Lookups  []Lookup
	// Zone is the pipeline's time zone; nil means UTC.
	Zone *time.Location
	// Key names the root columns that are the view's key; nil means the root's primary key. They are always the first columns of the output.
	Key []string
}

// Child is a table of which a product has any number of rows.
type Child struct {
	Name  string
	Table *schemas.Table
}

// Lookup is a table of which a product sees the rows that match.
type Lookup struct {
	Name  string
	Table *schemas.Table
	// Many is set if several rows can match; then its columns are reached by aggregates, pick and vat only.
	Many bool
	// Broadcast is set if every task reads all of it; it makes no difference to the rules.
	Broadcast bool
	// Required makes a missing row a fault where a rule reads a column of it, instead of null.
	Required bool
	// On names the root columns that the lookup is found by; only used to say in a fault which code found no row.
	On []string
}

// Source is one rule file. Files are layers: a rule of a later file replaces the earlier one of the same name.
type Source struct {
	// Name is the file's name as messages show it.
	Name string
	// Layer is "standard", "customer" or the file's base name, as explain shows it.
	Layer string
	Data  []byte
}

// Input is everything one evaluation may look at. It is only read, and must stay unchanged until the result has been used.
type Input struct {
	// Root is one row in the columns of Env.Root.
	Root []schemas.Value
	// Children holds, by the index in Env.Children, the rows in their configured order.
	Children [][][]schemas.Value
	// Lookups holds, by the index in Env.Lookups, the matching rows ordered by key: none, one, or several.
	Lookups [][][]schemas.Value
	// Previous holds, by the index in Program.Kept, what the product was published with last; nil if it is not published. A field that the
	// published shape did not have is null.
	Previous []schemas.Value
	// Now is the instant of the evaluation.
	Now time.Time
}

// Result is what one evaluation gives.
type Result struct {
	// Row is the product in the columns of Program.Output. It is valid until the next Eval of the same Evaluator, and may alias the Input.
	Row []schemas.Value
	// Include is false if a filter leaves the product out; then Row is empty and the view gets a tombstone.
	Include bool
	// Wake is the next instant at which the result may differ though no row changed; zero means never. It is also set when Eval
	// returns a fault: a price that becomes valid tomorrow is then tried again tomorrow.
	Wake time.Time
}

// Step says how one field of a product came about.
type Step struct {
	// Field is the output column; empty for a filter, whose Value is its truth value.
	Field string
	Value schemas.Value
	// Rule and Layer name the rule that set it last; both are empty for a key column and for a field that no rule has set.
	Rule  string
	Layer string
	// File and Line are where the expression stands.
	File string
	Line int
	// Uses are the values it was computed from, in the order of reading, each once.
	Uses []Use
}

// Use is one value that a step read.
type Use struct {
	// Input is "root", the name of a child or lookup, "field" for a field set by an earlier rule (Column names it), or "today".
	Input string
	// Row is the index of the row in Input.Children or Input.Lookups; 0 for the root and for fields.
	Row    int
	Column string
	Value  schemas.Value
}

// Program is a compiled set of rules. It is immutable and may be used by several goroutines, each with an Evaluator of its own.
type Program struct {
	env    Env
	zone   *time.Location
	output *schemas.Table
	hash   [16]byte
	// keyColumns are the root's columns that are the view's key.
	keyColumns []int
	fields     []field
	steps      []compiled
	// kept are the slots of the fields that `keep` rules name.
	kept []int
}

// Output is the shape of the products: the view's key columns, then the fields in the order in which rules first set them. Its Name is empty.
// All fields but the key are nullable, whatever the rules say, so that a changed rule does not change the published schema more than it must.
func (p *Program) Output() *schemas.Table { return p.output }

// Kept are the columns of Output that the next evaluation of the product must know (Input.Previous): those that `keep` rules name, and all with a `final` rule. Without any,
// an evaluation depends on nothing but rows and the instant.
func (p *Program) Kept() []int {
	out := make([]int, len(p.kept))
	for i, slot := range p.kept {
		out[i] = len(p.keyColumns) + slot
	}
	return out
}

// Hash changes when the meaning of the rules may have changed: with the rules, the zone and the shapes of the tables, but not with comments and layout.
func (p *Program) Hash() [16]byte { return p.hash }

package status

import "time"

// Explanation says how a product came to be what it is, and what the targets have of it.
type Explanation struct {
	View string `json:"view"`
	Key  string `json:"key"`
	// Topic and Partition are where the product is published.
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Included is false if a rule filters the product out, or its root row is gone.
	Included bool             `json:"included"`
	Fields   []ExplainedField `json:"fields"`
	Rows     []ExplainedRow   `json:"rows"`
	// Parked is why the product is held back; nil if it is not.
	Parked *Parked `json:"parked,omitempty"`
	// EmittedAt is when the product was last sent; zero if it never was, or is gone.
	EmittedAt time.Time `json:"emitted_at,omitzero"`
	// Wake is when the product will be evaluated again without any change of a row.
	Wake time.Time `json:"wake,omitzero"`
	// Gone: rows of others are left, but no root row, so there is no product.
	Gone bool `json:"gone,omitempty"`
	// Problem is why the rules give no product now.
	Problem *ExplainedProblem `json:"problem,omitempty"`
	// Emitted is the record that was sent last; nil if there is none, or it was not found.
	Emitted *ExplainedRecord `json:"emitted,omitempty"`
	// Limited says what could not be looked at, and why.
	Limited []string `json:"limited,omitempty"`
	// Targets are what the sinks' systems have of it now.
	Targets []ExplainedTarget `json:"targets,omitempty"`
}

// ExplainedField says which rule set a field, and from what.
type ExplainedField struct {
	Field string         `json:"field"`
	Value string         `json:"value"`
	Rule  string         `json:"rule,omitempty"`
	Layer string         `json:"layer,omitempty"`
	File  string         `json:"file,omitempty"`
	Line  int            `json:"line,omitempty"`
	Uses  []ExplainedUse `json:"uses,omitempty"`
	// Sent is what was sent last, where that is another value.
	Sent *string `json:"sent,omitempty"`
}

// ExplainedProblem is a fault of one product.
type ExplainedProblem struct {
	Where string `json:"where,omitempty"`
	What  string `json:"what"`
	Fix   string `json:"fix,omitempty"`
}

// ExplainedRecord is a record of the cleaned topic.
type ExplainedRecord struct {
	Offset    int64                  `json:"offset"`
	At        time.Time              `json:"at"`
	Position  string                 `json:"position"`
	Committed time.Time              `json:"committed,omitzero"`
	Fields    []ExplainedRecordField `json:"fields"`
}

// ExplainedRecordField is a field of it.
type ExplainedRecordField struct {
	Field string `json:"field"`
	Value string `json:"value"`
}

// ExplainedUse is one value that a field was computed from.
type ExplainedUse struct {
	Input  string `json:"input"`
	Row    int    `json:"row"`
	Column string `json:"column"`
	Value  string `json:"value"`
}

// ExplainedRow is a source row of the product.
type ExplainedRow struct {
	Input     string    `json:"input"`
	Row       int       `json:"row"`
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Position  string    `json:"position"`
	Committed time.Time `json:"committed,omitzero"`
	// View and Product name what to explain for more, where the row is a product of another view.
	View    string `json:"view,omitempty"`
	Product string `json:"product,omitempty"`
}

// ExplainedTarget is what one table of a sink's system has of a product.
type ExplainedTarget struct {
	Sink    string      `json:"sink"`
	Table   string      `json:"table"`
	Columns []string    `json:"columns"`
	Rows    [][]*string `json:"rows"`
	// Error says why it could not be asked.
	Error string `json:"error,omitempty"`
}

// Parked is a row or product that is held back, and why.
type Parked struct {
	Key string `json:"key"`
	// Topic, Partition and Offset are the record that is held; empty for a product that was never sent.
	Topic     string `json:"topic,omitempty"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	// Cause, Where, What and Fix are the fault's.
	Cause string    `json:"cause,omitempty"`
	Where string    `json:"where,omitempty"`
	What  string    `json:"what"`
	Fix   string    `json:"fix,omitempty"`
	Since time.Time `json:"since,omitzero"`
}

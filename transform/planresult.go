package transform

import "time"

// Plan says what new rules would change.
type Plan struct {
	View  string    `json:"view"`
	Topic string    `json:"topic"`
	At    time.Time `json:"at"`
	// Partitions were read, of Of.
	Partitions []int32 `json:"partitions"`
	Of         int     `json:"of"`
	// Products were evaluated.
	Products int64         `json:"products"`
	Took     time.Duration `json:"took_ns"`
	Before   PlanCounts    `json:"before"`
	After    PlanCounts    `json:"after"`
	// SameRules: the new rules mean what the present ones do.
	SameRules bool  `json:"same_rules,omitempty"`
	Unchanged int64 `json:"unchanged"`
	// Created were left out before; Removed are left out now, with the rule that does it.
	Created PlanGroup `json:"created"`
	Removed PlanGroup `json:"removed"`
	// Hidden are in the shop before and after, and get a value that hides them; Unhidden lose it.
	Hidden   PlanGroup `json:"hidden"`
	Unhidden PlanGroup `json:"unhidden"`
	// Changed are in the shop before and after and differ in any field.
	Changed int64 `json:"changed"`
	// NewlyParked are held by the new rules only; Cured by the present ones only.
	NewlyParked PlanGroup    `json:"newly_parked"`
	Cured       PlanGroup    `json:"cured"`
	Fields      []PlanField  `json:"fields"`
	Parked      []PlanParked `json:"parked"`
	Shape       []PlanShape  `json:"shape"`
	// Guards say in the order of the configuration which of these changes they would hold.
	Guards []PlanGuard `json:"guards,omitempty"`
	Notes  []string    `json:"notes,omitempty"`
	// ReadBy are views that read this one; what they would make of it is not in the plan.
	ReadBy []string `json:"read_by,omitempty"`
}

// PlanCounts counts the products under one of the two rules.
type PlanCounts struct {
	Shown   int64 `json:"shown"`
	LeftOut int64 `json:"left_out"`
	Parked  int64 `json:"parked"`
}

// PlanGroup counts products and names some, those whose names come first.
type PlanGroup struct {
	Products int64        `json:"products"`
	Samples  []PlanSample `json:"samples,omitempty"`
}

// PlanSample is one product of a group.
type PlanSample struct {
	Key string `json:"key"`
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	// Field is the field that Old and New are of.
	Field string `json:"field,omitempty"`
	// What is the reason, where there is one beside the rule.
	What string `json:"what,omitempty"`
	// Rule, File and Line are the new rule that did it.
	Rule string `json:"rule,omitempty"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// PlanField is how one field of the products that are in the shop before and after changes.
type PlanField struct {
	Field   string       `json:"field"`
	Changed int64        `json:"changed"`
	Samples []PlanSample `json:"samples,omitempty"`
	// Up and Down count where a number grows and shrinks.
	Up   int64 `json:"up,omitempty"`
	Down int64 `json:"down,omitempty"`
	// ByAmount and ByPercent are its largest moves, the largest first.
	ByAmount  []PlanMove `json:"by_amount,omitempty"`
	ByPercent []PlanMove `json:"by_percent,omitempty"`
}

// PlanMove is how a number changes.
type PlanMove struct {
	Key        string `json:"key"`
	Old        string `json:"old"`
	New        string `json:"new"`
	Difference string `json:"difference"`
	// Percent of the old number; 0 where that is 0.
	Percent float64 `json:"percent"`
	amount  float64
}

// PlanParked is one reason for which the new rules hold products.
type PlanParked struct {
	Where    string `json:"where"`
	What     string `json:"what"`
	Fix      string `json:"fix,omitempty"`
	Products int64  `json:"products"`
	// New of them are not parked by the present rules.
	New     int64        `json:"new"`
	Samples []PlanSample `json:"samples,omitempty"`
}

// PlanGuard is what one guard makes of the new rules.
type PlanGuard struct {
	Guard string `json:"guard"`
	// Counts says in words which changes the guard counts.
	Counts string `json:"counts"`
	// Products are those that it would count, of Of in the shop; Allowed of them may change within Window.
	Products int64         `json:"products"`
	Of       int64         `json:"of"`
	Allowed  int           `json:"allowed"`
	Window   time.Duration `json:"window_ns"`
	// Held are held already, and as long as there are any, more of the same are held at once.
	Held  int64 `json:"held"`
	Holds bool  `json:"holds"`
	// OverrideUntil is until when an operator lets everything pass.
	OverrideUntil time.Time    `json:"override_until,omitzero"`
	Samples       []PlanSample `json:"samples,omitempty"`
}

// PlanShape is a field of the products' shape that is added, dropped or retyped.
type PlanShape struct {
	Field  string `json:"field"`
	Change string `json:"change"`
	Old    string `json:"old,omitempty"`
	New    string `json:"new,omitempty"`
}

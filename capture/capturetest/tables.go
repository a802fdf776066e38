package capturetest

import (
	"fmt"
	"strings"

	"shelfstream/capture"
	"shelfstream/schemas"
)

// Head and Line are the two tables of the suite, with the same columns: id bigint primary key, owner bigint not null, label
// text null, amount numeric(12,2) null. Line is partitioned by owner; where the database needs it (PostgreSQL: REPLICA IDENTITY FULL),
// both log whole old rows.
const (
	Head = "head"
	Line = "line"
)

// Tables is the configuration of the two, by the same names in the source.
func Tables() map[string]capture.TableConfig {
	return map[string]capture.TableConfig{
		Head: {Name: Head},
		Line: {Name: Line, PartitionBy: []string{"owner"}},
	}
}

// Shape is the shape of their rows.
func Shape() *schemas.Table {
	return &schemas.Table{
		Columns: []schemas.Column{
			{Name: "id", Type: schemas.Type{Kind: schemas.KindInt, Bits: 64}},
			{Name: "owner", Type: schemas.Type{Kind: schemas.KindInt, Bits: 64}},
			{Name: "label", Type: schemas.Type{Kind: schemas.KindText}, Nullable: true},
			{Name: "amount", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}, Nullable: true},
		},
		Key: []int{0},
	}
}

// Row is a row of either table. An empty Label is null; Cents is the amount.
type Row struct {
	ID, Owner int64
	Label     string
	Cents     int64
}

// Values is the row as a source gives it.
func (r Row) Values() []schemas.Value {
	v := []schemas.Value{schemas.Int(r.ID), schemas.Int(r.Owner), schemas.Null, schemas.Dec(r.Cents, 2)}
	if r.Label != "" {
		v[2] = schemas.Text(r.Label)
	}
	return v
}

// Write is one statement of a transaction that the suite makes in the database.
type Write struct {
	Table string
	// Op is create, update or delete; Truncate stands for itself.
	Op       capture.Op
	Truncate bool
	// ID is the row meant by an update or delete; Row what it becomes.
	ID  int64
	Row Row
}

// Insert adds a row.
func Insert(table string, r Row) Write { return Write{Table: table, Op: capture.OpCreate, Row: r} }

// Update changes the row with an id, which may get another one.
func Update(table string, id int64, r Row) Write {
	return Write{Table: table, Op: capture.OpUpdate, ID: id, Row: r}
}

// Delete removes a row.
func Delete(table string, id int64) Write {
	return Write{Table: table, Op: capture.OpDelete, ID: id}
}

// TruncateTable empties a table.
func TruncateTable(table string) Write { return Write{Table: table, Truncate: true} }

// SQL is the statement in the SQL that all databases understand.
func (w Write) SQL() string {
	label := "NULL"
	if w.Row.Label != "" {
		label = "'" + strings.ReplaceAll(w.Row.Label, "'", "''") + "'"
	}
	sign, cents := "", w.Row.Cents
	if cents < 0 {
		sign, cents = "-", -cents
	}
	amount := fmt.Sprintf("%s%d.%02d", sign, cents/100, cents%100)
	switch {
	case w.Truncate:
		return "TRUNCATE TABLE " + w.Table
	case w.Op == capture.OpCreate:
		return fmt.Sprintf("INSERT INTO %s (id, owner, label, amount) VALUES (%d, %d, %s, %s)", w.Table, w.Row.ID, w.Row.Owner, label, amount)
	case w.Op == capture.OpDelete:
		return fmt.Sprintf("DELETE FROM %s WHERE id = %d", w.Table, w.ID)
	}
	return fmt.Sprintf("UPDATE %s SET id = %d, owner = %d, label = %s, amount = %s WHERE id = %d", w.Table, w.Row.ID, w.Row.Owner, label, amount, w.ID)
}

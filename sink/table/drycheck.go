package table

import (
	"context"
	"fmt"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/sink"
)

// DryCheck implements sink.DryChecker: what Check would make is looked at as if it were made, and the user's privileges are asked for instead of tried.
func (t *Target) DryCheck(ctx context.Context, views []sink.View) (fault.List, error) {
	plans, faults := plan(t.d, &t.cfg, views)
	if len(faults) > 0 {
		return faults, nil
	}
	var tables map[string]*Info
	var may Grants
	err := t.with(ctx, func(c Conn) (err error) {
		if _, err = t.d.Facts(ctx, c); err != nil {
			return err
		}
		names := append(SortedNames(t.cfg.Tables), OffsetsTable, ParkedTable)
		if tables, err = t.d.Catalog(ctx, c, names); err != nil {
			return err
		}
		may, err = t.d.Grants(ctx, c, names)
		return err
	})
	if err != nil {
		return nil, t.unreachable(err)
	}
	need := func(table, what, statement string, privileges ...string) {
		if lacks, fix := may.Lacks(table, privileges); len(lacks) > 0 {
			if statement != "" {
				fix += " what makes it, for a user who may: " + oneLine(statement)
			}
			faults.Add(&fault.Fault{Class: fault.Environment, Cause: t.d.Causes.Privilege, Where: "table " + table, What: fmt.Sprintf("the database user %s may not %s (it lacks %s)", may.User(), what, strings.Join(lacks, ", ")), Fix: fix})
		}
	}
	for _, own := range []struct{ name, ddl string }{{OffsetsTable, t.d.Offsets}, {ParkedTable, t.d.Parked}} {
		if tables[own.name] == nil {
			need(own.name, "make and write it", own.ddl+";", append([]string{"CREATE"}, writePrivileges...)...)
			continue
		}
		need(own.name, "write it", "", writePrivileges...)
		if own.name != ParkedTable {
			continue
		}
		for _, u := range t.d.ParkedUpgrades {
			if _, ok := tables[own.name].column(u.Column); !ok {
				need(own.name, "add a column to it", u.Statement+";", "ALTER")
			}
		}
	}
	for _, name := range SortedNames(plans) {
		for _, p := range plans[name].all() {
			have := tables[p.name]
			switch {
			case have == nil && p.makes():
				need(p.name, "make it", p.createTable(), "CREATE")
			case have != nil && p.cfg.Create:
				for _, ddl := range p.assumeColumns(have) {
					need(p.name, "add a column to it", ddl, "ALTER")
				}
				fallthrough
			default:
				faults = append(faults, p.check(have)...)
			}
			need(p.name, "write it", "", p.privileges()...)
		}
	}
	return t.found(faults), nil
}

// Ping says whether the database answers.
func (t *Target) Ping(ctx context.Context) error {
	err := t.with(ctx, func(c Conn) error { return query(ctx, c, "SELECT 1", func([][]byte) error { return nil }) })
	if err != nil {
		return t.unreachable(err)
	}
	return nil
}

// writePrivileges are what sessions need in every table of theirs.
var writePrivileges = []string{"SELECT", "INSERT", "UPDATE", "DELETE"}

// assumeColumns takes the columns that create: true would add for added, and gives the statements that add them.
func (p *tablePlan) assumeColumns(have *Info) []string {
	var ddl []string
	for i := range p.columns {
		c := &p.columns[i]
		if _, ok := have.column(c.name); ok || c.key {
			continue
		}
		ddl = append(ddl, p.addColumn(c))
		// Made as columnDDL writes it, so nothing about it can be unfit: the class that takes any value stands for it.
		info := ColumnInfo{Table: p.name, Name: c.name, Class: ClassOther, Nullable: true, Fed: true}
		if c.origin == fromLiving {
			info.Class = ClassInt
		}
		have.Columns[c.name] = info
	}
	return ddl
}

// Package casefile runs golden cases of rule files: rows in, the product that is expected out. `shelfstream test FILE…` is made of it, for
// customers' own rules, and the standard layers' cases run in it under `go test`.
//
// In: case files (YAML), the rule files that they name, and the shapes of the tables. Out: a Report with every difference at its file and
// line, and which rules no case covers. Nothing else is read: no clock, no server.
//
// # The file
//
//	pipeline: shop.yaml          # take view, rules and zone from this configuration …
//	view: product                # … of this view; or write the view here, as a configuration has it:
//	view: { from: erp.product, children: { prices: { from: erp.price, on: product_no, order_by: [min_qty] } }, lookups: { vat: { from: erp.vat_rate, on: { code: vat_code } } } }
//	zone: Europe/Oslo            # else the configuration's, else UTC
//	rules: [standard:visma_business, shop.rules.yaml]   # layers, as in a configuration; paths start from the case file
//	tables:                      # or a file that holds this, or standard:visma_business, or a list of such
//	  product: { product_no: text key, name: text(60), price: "numeric(18,4) = 0", changed: timestamp }
//	given:                       # rows that every case starts from
//	  vat_rate: [{ code: H, rate_pct: 25 }]
//	cases:
//	  - name: a campaign begins and ends by itself
//	    now: 2026-03-31          # a day (its first instant in the zone), a wall-clock time, or an instant with its offset
//	    rows:
//	      product: { product_no: A, vat_code: H }
//	      price: [{ product_no: A, min_qty: 0, price: 80 }]
//	    expect: { price: 100.00 }
//	    wake: 2026-04-01         # or never
//	    then:
//	      - now: 2026-04-01
//	        rows: { price: [{ product_no: A, min_qty: 0, price: 70 }] }   # a row with the same key gets the columns named here
//	        delete: { price: [{ product_no: A, min_qty: 6 }] }            # by the key
//	        expect: { price: 87.50 }
//
// A column's type is text, text(n), int, smallint, bigint, numeric(p,s), numeric, bool, float, date, timestamp, timestamptz, time, uuid, json or
// `enum(a, b)`, with [] behind it for an array; SQL Server's names (nvarchar(n), decimal(p,s), datetime, bit, tinyint) mean the same. `key` marks the primary
// key, `= value` what a row has that does not name the column; without it that is null.
//
// Of a view with `group_by` a case is about the group of its first member, also when that member has left; the tables then hold the shape
// of what `from` names, a table or another view's product.
//
// `expect` compares the fields it names, and in a list the members it names; numbers compare as numbers. `expect: left out` wants a filter to leave
// the product out, `expect: gone` wants no root row. `fault: text` wants the product to be stopped with a fault that holds the text. A step
// without any of these expects what the step before did. `rules` in a case stands in place of the file's.
//
// One thing is looked at without being asked: where only time passes between two steps and the product changes, the step before must
// have asked to be woken by then. In a running pipeline nothing else would make it change.
//
// # Update, coverage, mutants
//
// Options.Update writes what the rules give in place of what differs; comments and layout stay. An `expect:` without a value gets every field.
// The Report counts a rule as covered if in some step it gave a field a value other than null, or decided as a filter.
// Suite.Mutate turns the rules, one small thing at a time, and tells which of these mutants no case notices.
package casefile

// Package rules turns rule files into a program that makes one product out of its rows.
//
// In: rule files in layers (YAML, a standard file and then the customer's), the shapes of the view's root table, children and lookups,
// and for each evaluation the rows and the instant. Out: the product's row, whether it belongs in the view at all, and the next
// instant at which it may change without any row changing. An evaluation is a pure function of its input (to which, for `keep`, what the product was published with belongs): no clock, no map order, no
// floats in money. Everything that can be wrong in a file is found by Compile, all of it at once, each with file, line and column.
//
// # Why an expression language of our own
//
// expr-lang compiles, types and sandboxes well, but not for this job (measured in the project's library notes): as soon as one operator is
// overloaded, which decimals need, unknown names inside function arguments compile; it has no exact decimals and no scale
// in its types; it has no nulls of SQL's kind; it gives positions in the expression and not in the YAML file; it knows no row scope for child
// rows; and it cannot say which values an answer was computed from, which explain is made of. A lexer, a Pratt parser, a checker and
// closures give all six.
//
// # Rules
//
// A file holds `rules:`, a list. A rule has a name, may have `when: condition` (where that is not true, its fields keep what an earlier
// rule set, else null), and does one thing:
//
//	set:      { field: expression }
//	pick:     { from: rows, where, valid, order, set: { field: expression over the row }, otherwise: { field: expression } or fault "reason" }
//	text:     { from: rows, where, order, language: expression, prefer: [nb, no, en], set: { … }, otherwise: { … } }
//	vat:      { rates: rows, where, valid, order, rate: percent, net: amount (or gross: amount, net_round: 4), exempt: amount, round: 2, code: for messages,
//	            set: { price: gross, … } }; gross, net, rate and amount are names in set
//	list:     { from: rows, where, valid, order, per: [expression], limit, set: { field: { member: expression over the row } }, otherwise: { member: expression } }
//	add:      { to: list, set: { member: expression } }, with from, where, valid, order and per one for each row; records behind those of a list of an earlier rule
//	keep:     { field, from: expression, unique: true }; the field is what it was published with last, and computed where there is none (kind_keep.go)
//	final:    { field, from: expression, otherwise: reason }; while the field is what it was published with, so is the whole product (kind_final.go)
//	include:  condition; where it is not true the product leaves the view, and no rule below is evaluated
//	park:     reason; stops the product, usually under a when, and the shop keeps what it has
//	status:   { field, reason, first: [{ when, is, because }], otherwise: { is, because } }
//
// `valid: [from, to]` counts days with both ends, and timestamps without the end; null and infinity are open; it is compared with the
// evaluation's instant in the pipeline's zone. A row that passes `where` and has a boundary ahead sets Result.Wake. `order: [a desc, b]` puts nulls
// first, and last after desc (`nulls first|last` says otherwise); the row's key is the last word. In a text rule, each field comes from the first
// language that has a text for it: not null and not blank. A vat rule faults where a price is there and no rate is valid, or two different ones
// are; without a price its fields are null. `exempt` is the part of the net that bears no VAT. A list has with `per` only the first row in order for
// each value of it, and with `otherwise` one record where it has no row.
//
// Files are layers: a rule of a later file replaces the one of its name at its place, `before: name` or `after: name` places a new one, and
// `disable: true` removes one.
//
// # Names
//
// A bare name means, in this order: a column of the row at hand (inside pick, list, text, vat and the aggregates; the innermost row
// first), a field set by an earlier rule, a column of the root table. `row.x`, `field.x` and `root.x` say which, `outer.x` is the row around an
// aggregate's row, and `<lookup>.x` is a column of the lookup's one row (null if there is none, a fault if the lookup is required). Where rows
// are wanted (from, rates, the first argument of an aggregate), a bare name is a list field of an earlier rule, else a child or lookup, else
// an array column of the root, whose elements are called `value`; `rows.x` is the child or lookup. A name that is no word is
// written in backticks: `VAT Prod_ Posting Group`. Within one rule, no expression sees what the same rule sets.
//
// # Values
//
// null is SQL's: arithmetic, comparisons and functions with a null give null, `and` and `or` are three-valued, and a condition (when,
// where, include) that is null counts as false. `sum` of no row is 0, the other aggregates of no row are null. Text compares
// by its bytes. A decimal has a scale in its type: + and - keep the larger, * adds them, round(x, n) sets it; a field gets precision 38 and
// that scale. Division is only legal where its rounding is said: round(x / y, n), quo(x, y, n), floor(x / y), ceil(x / y).
// Floats never mix with decimals: write round(decimal(x), n). A NaN or infinity in an unconstrained numeric column is a fault.
//
// # Aggregates
//
// The first argument is a child, a lookup or a list field; then the expression over its rows; then, without a comma, `where` a condition,
// `valid [from, to]` and `order` the keys: sum(stock, on_hand - reserved where warehouse in ['OSL', 'BGO']),
// first(prices, price where currency = 'NOK' order valid_from desc, price), count(images where url is not null). (`, where: …` means the
// same, for those who prefer named arguments, but makes YAML ask for quotes.) Doc lists all functions.
//
// # To add a function or a kind
//
// A function is a line in the table in functions.go and its compile function; Doc documents it, and a test asks for a golden case.
// A rule kind is a file kind_<name>.go with a parse and a compile function, a line in the table of rulefile.go, its keys in the table of kinds.go, and
// golden cases in testdata. From these tables and from testdata/kinds, one file for each of the 42 kinds of rules that an integration needs, `go test
// -update` makes ../RULES.md and rules.schema.json; a test fails while they are stale, and where an edge case of testdata/kinds/EDGES has no case.
package rules

package rules

import (
	"fmt"
	"slices"
	"strings"
)

// Function describes one function of the expression language.
type Function struct {
	// Group is what the documentation lists it under.
	Group string
	Name  string
	// Signature shows arguments and result with their types; what stands in square brackets may be left out.
	Signature string
	// Doc is one line.
	Doc string
}

// function is a Function with what it takes to compile a call.
type function struct {
	Function
	signature string
	min, max  int // number of arguments; max -1: any
	// rows is set if the first argument is something with rows; then where is allowed, and order if ordered.
	rows, ordered bool
	compile       func(c *compiler, n *node) *code
}

// functionTable lists the functions in the order of the documentation.
func functionTable() []*function {
	table := []*function{}
	group := ""
	add := func(signature, doc string, minArgs, maxArgs int, compile func(c *compiler, n *node) *code) *function {
		name, _, _ := strings.Cut(signature, "(")
		f := &function{Function: Function{Group: group, Name: name, Signature: signature, Doc: doc}, signature: signature, min: minArgs, max: maxArgs, compile: compile}
		table = append(table, f)
		return f
	}

	group = "Numbers"
	add("round(x number, n int [, mode text]) decimal", "x with n digits after the point (n is a constant, negative for tens); mode 'half_up' (default), 'half_even', 'down', 'up'; x may be a division a / b", 2, 3, compileRound)
	add("quo(a number, b number, n int [, mode text]) decimal", "a divided by b, rounded once to n digits after the point", 3, 4, compileQuo)
	add("floor(x number) int", "the largest whole number not above x; x may be a division a / b", 1, 1, compileFloor)
	add("ceil(x number) int", "the smallest whole number not below x; x may be a division a / b", 1, 1, compileCeil)
	add("abs(x number) number", "x without its sign", 1, 1, compileAbs)
	add("min(a, b, …) same type", "the smallest of the values; null if one of them is null", 2, -1, compileMin)
	add("max(a, b, …) same type", "the largest of the values; null if one of them is null", 2, -1, compileMax)
	add("number(t text [, point text]) decimal", "the number that a text spells; with point '.' or ',' also digit grouping and a trailing minus are read; anything else stops the product", 1, 2, compileNumber)
	add("decimal(x number|float) decimal", "x as an exact decimal; a float becomes the shortest decimal that means it", 1, 1, compileDecimal)
	add("int(x) int", "a whole number from a decimal, float, text or bool; stops the product if x is not whole", 1, 1, compileInt)
	add("convert(x number, from text, to text, n int) decimal", "x in another unit of measure by exact ratios, rounded once to n digits; units are mg, g, hg, kg, t, lb, oz, ml, cl, dl, l, hl, m3, mm, cm, dm, m, km, in, ft, yd, cm2, m2, pcs, pair, dozen, and UN/ECE's and SAP's codes for them", 4, 4, compileConvert)
	add("round_currency(x number, currency text [, mode text]) decimal", "x with as many digits as the currency has (ISO 4217: ISK and JPY none, NOK two, KWD three); x may be a division a / b", 2, 3, compileRoundCurrency)
	add("price_ending(x number, step number, ending number [, direction text [, floor number]]) decimal", "the price of the form ending + steps that is next to x: price_ending(x, 1, 0.90) ends on ,90; direction 'nearest' (default), 'up', 'down'; never below floor; 0 stays 0; doing it twice is doing it once", 3, 5, compilePriceEnding)

	group = "Texts"
	add("trim(t text) text", "t without white space (no-break spaces too) at its ends", 1, 1, compileTrim)
	add("upper(t text) text", "t in capitals", 1, 1, compileUpper)
	add("lower(t text) text", "t in small letters", 1, 1, compileLower)
	add("replace(t text, old text, new text) text", "t with every old replaced by new", 3, 3, compileReplace)
	add("substring(t text, from int [, count int]) text", "count characters of t from the one with number from, counted from 1", 2, 3, compileSubstring)
	add("left(t text, n int) text", "the first n characters", 2, 2, compileLeft)
	add("right(t text, n int) text", "the last n characters", 2, 2, compileRight)
	add("length(t text) int", "the number of characters", 1, 1, compileLength)
	add("starts_with(t text, part text) bool", "whether t begins with part", 2, 2, compileStartsWith)
	add("ends_with(t text, part text) bool", "whether t ends with part", 2, 2, compileEndsWith)
	add("contains(t text, part text) bool", "whether part occurs in t", 2, 2, compileContains)
	add("matches(t text, regex text) bool", "whether a regular expression (RE2, a constant) finds anything in t; ^ and $ tie it to the ends", 2, 2, compileMatches)
	add("concat(a text, b text, …) text", "the texts joined, as a || b; null if one of them is null", 1, -1, compileConcat)
	add("concat_ws(sep text, a text, …) text", "the texts that are neither null nor empty, joined by sep", 2, -1, compileConcatWS)
	add("text(x [, n int]) text", "x in its canonical form: 42.00 is '42', a date is '2026-01-31'; with n a number with exactly n digits after the point, rounded half up", 1, 2, compileToText)
	add("slug(t text) text", "t for a URL: small letters, digits and single hyphens; æ is ae, ø is o, å is a, ß is ss, accents go", 1, 1, compileSlug)
	add("nfc(t text) text", "t with accents composed to their letters (Unicode NFC), so that å from a Mac equals å", 1, 1, compileNFC)
	add("clean(t text) text", "t in NFC, without control and invisible characters, with single spaces and none at its ends", 1, 1, compileClean)
	add("fold(t text) text", "clean(t) in small letters: what people mean as the same word is the same text", 1, 1, compileFold)
	add("truncate(t text, n int [, rest text]) text", "t if it has at most n characters, else whole words of it and rest ('…'), together at most n", 2, 3, compileTruncate)
	add("regex_extract(t text, regex text) text", "what the regular expression (RE2, a constant) finds first, or its first group; null if it finds nothing", 2, 2, compileRegexExtract)
	add("regex_replace(t text, regex text, new text) text", "t with everything that the regular expression (RE2, a constant) finds replaced; $1 is its first group", 3, 3, compileRegexReplace)
	add("split(t text, separator text) list of texts", "the parts of t, trimmed, blank ones left out; as rows they have one column, value", 2, 2, compileSplit)
	add("strip_html(t text) text", "the text of HTML: tags, comments and scripts go, entities become letters, blocks and breaks end lines", 1, 1, compileStripHTML)
	add("escape_html(t text) text", "t as HTML that shows it as it is", 1, 1, compileEscapeHTML)
	add("rtf_text(t text) text", "the text of Rich Text Format; text that is none stays", 1, 1, compileRTF)
	add("gtin(t text|number) text", "an EAN, UPC or GTIN of 8, 12, 13 or 14 digits without spaces and hyphens; a wrong check digit, or digits that a spreadsheet has cut (7.03E+12), stop the product; blank is null", 1, 1, compileGTIN)

	group = "Dates"
	add("today() date", "today in the pipeline's time zone; the product is evaluated again at midnight", 0, 0, compileToday)
	add("date(x) date", "the date of a timestamp (one with a zone: in the pipeline's), of a text '2026-01-31', or of a number 20260131 (0 is null)", 1, 1, compileDate)
	add("year(d date) int", "the year", 1, 1, compileYear)
	add("month(d date) int", "the month, 1 to 12", 1, 1, compileMonth)
	add("day(d date) int", "the day of the month", 1, 1, compileDay)

	group = "Choices"
	add("if(condition bool, then, else) same type", "then if the condition is true; else if it is false or null", 3, 3, compileIf)
	add("coalesce(a, b, …) same type", "the first value that is not null", 1, -1, compileCoalesce)
	add("nullif(a, b) type of a", "null if a equals b, otherwise a", 2, 2, compileNullif)
	add("map(x, {'a': 'b', …} [, default]) type of the values", "the value that the map has for x; without default, an x that it lacks stops the product; null stays null", 2, 3, compileMap)
	add("try(x, otherwise) same type", "x, or otherwise where x would stop the product", 2, 2, compileTry)
	add("missing(a, b, …) text", "the names of the values that are null, blank or an empty list, joined by commas; null if none is", 1, -1, compileMissing)
	add("fault(t text) null", "stops the product with t as the reason", 1, 1, compileFault)

	group = "Rows"
	rows := func(f *function, ordered bool) { f.rows, f.ordered = true, ordered }
	rows(add("count(rows [where c] [valid [from, to]]) int", "the number of rows", 1, 1, compileCount), false)
	rows(add("count_distinct(rows, x [where c] [valid [from, to]]) int", "the number of different values of x, null left out", 2, 2, compileCountDistinct), false)
	rows(add("sum(rows, x number [where c] [valid [from, to]]) number", "the sum of x, nulls left out; 0 without rows", 2, 2, compileSum), false)
	rows(add("min_of(rows, x [where c] [valid [from, to]]) type of x", "the smallest x that is not null", 2, 2, compileMinOf), false)
	rows(add("max_of(rows, x [where c] [valid [from, to]]) type of x", "the largest x that is not null", 2, 2, compileMaxOf), false)
	rows(add("any(rows [, condition] [where c] [valid [from, to]]) bool", "whether there is a row, or one for which the condition is true", 1, 2, compileAny), false)
	rows(add("all(rows, condition [where c] [valid [from, to]]) bool", "whether the condition is true for every row; true without rows", 1, 2, compileAll), false)
	rows(add("first(rows, x [where c] [valid [from, to]] [order k desc, …]) type of x", "x of the first row in that order (of the rows' own order without one), null without rows", 2, 2, compileFirst), true)
	rows(add("only(rows, x [where c] [valid [from, to]]) type of x", "x of the only row, null without rows; rows that differ in x stop the product", 2, 2, compileOnly), false)
	rows(add("join(rows, t text, sep text [where c] [valid [from, to]] [order k desc, …]) text", "the texts that are neither null nor empty, joined by sep; null if there are none", 3, 3, compileJoin), true)
	rows(add("path(rows, start, id, parent, t text, sep text [where c]) text", "t of the row whose id is start and of all rows above it, from the top, joined by sep; null if start is null, or a row on the way fails c; a missing row or a circle stops the product", 6, 6, compilePath), false)
	add("row_number() int", "the row's place in the list that is being made, from 1; only in list: set", 0, 0, compileRowNumber)
	return table
}

// Functions lists the functions of the expression language, in the order of the documentation.
func Functions() []Function {
	table := functionTable()
	out := make([]Function, len(table))
	for i, f := range table {
		out[i] = f.Function
	}
	return out
}

// Doc is the functions' documentation in Markdown: a table for each group.
func Doc() string {
	var b strings.Builder
	group := ""
	for _, f := range Functions() {
		if f.Group != group {
			if group != "" {
				b.WriteByte('\n')
			}
			group = f.Group
			fmt.Fprintf(&b, "### %s\n\n| function | what it gives |\n|---|---|\n", group)
		}
		cell := strings.NewReplacer("|", `\|`)
		fmt.Fprintf(&b, "| `%s` | %s |\n", cell.Replace(f.Signature), cell.Replace(f.Doc))
	}
	return b.String()
}

// call compiles a call after checking its name and the number of its arguments.
func (c *compiler) call(n *node) *code {
	f := c.functions[n.name]
	if f == nil {
		names := make([]string, 0, len(c.functions))
		for name := range c.functions {
			names = append(names, name)
		}
		slices.Sort(names)
		fix := "see the table of functions"
		if near := nearest(n.name, names); near != "" {
			fix = fmt.Sprintf("did you mean %s?", c.functions[near].signature)
		}
		if other, ok := foreignFunctions[n.name]; ok {
			fix = other
		}
		return c.bad(n, "there is no function "+n.name, fix)
	}
	if len(n.kids) < f.min || f.max >= 0 && len(n.kids) > f.max {
		return c.bad(n, fmt.Sprintf("%s has the wrong number of arguments (%d)", n.name, len(n.kids)), "write "+f.signature)
	}
	if n.valid != nil && !f.rows {
		return c.bad(n.valid[0], fmt.Sprintf("%s has no rows, so it has no valid", n.name), "write "+f.signature)
	}
	if n.where != nil && !f.rows {
		return c.bad(n.where, fmt.Sprintf("%s has no rows, so it has no where", n.name), "write "+f.signature)
	}
	if len(n.order) > 0 && !f.ordered {
		return c.bad(n.order[0].expr, fmt.Sprintf("%s has no order", n.name), "write "+f.signature)
	}
	k := f.compile(c, n)
	k.pos = n.pos
	return k
}

// foreignFunctions are functions that people bring from elsewhere.
var foreignFunctions = map[string]string{
	"now": "write today()", "getdate": "write today()", "isnull": "write coalesce(a, b), or x is null", "ifnull": "write coalesce(a, b)", "nvl": "write coalesce(a, b)",
	"len": "write length(t)", "iif": "write if(condition, then, else)", "substr": "write substring(t, from, count)", "ucase": "write upper(t)", "lcase": "write lower(t)",
	"cast": "write text(x), number(x), int(x) or date(x)", "avg": "write quo(sum(rows, x), count(rows), 2)", "string_agg": "write join(rows, t, ', ')",
	"group_concat": "write join(rows, t, ', ')", "like": "write contains, starts_with, ends_with or matches", "exists": "write any(rows where …)",
}

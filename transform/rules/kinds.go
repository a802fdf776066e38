package rules

import (
	"fmt"
	"slices"
	"strings"
)

// Kind describes one thing that a rule can do.
type Kind struct {
	// Word is the rule's key: set, pick, …
	Word string
	// Doc is one line.
	Doc string
	// Type is what the word's value is, if it is no map of Keys.
	Type string
	Keys []Key
}

// Key describes one key of a map in a rule file.
type Key struct {
	Name string
	// Type is a word of keyTypes.
	Type     string
	Required bool
	Doc      string
}

// keyTypes are the types of keys, each with what a person writes there.
var keyTypes = [][2]string{
	{"expression", "an expression"},
	{"condition", "an expression that is true or false"},
	{"rows", "the name of a child, a lookup or a list"},
	{"fields", "a map: field: expression"},
	{"list", "a map with one field: { field: { member: expression } }"},
	{"otherwise", "a map: field: expression, or fault \"reason\""},
	{"span", "two expressions: [from, to]; null is open"},
	{"order", "a list: [expression desc, expression nulls last]"},
	{"expressions", "a list of expressions"},
	{"words", "a list of words"},
	{"word", "a word"},
	{"text", "a text"},
	{"flag", "true or false"},
	{"count", "a whole number from 1"},
	{"digits", "a whole number from 0 to 18"},
	{"cases", "a list of { when: condition, is: word, because: text }"},
	{"case", "{ is: word, because: text }"},
}

// ruleKeys are the keys that every rule may have besides its kind.
var ruleKeys = []Key{
	{"name", "word", true, "what other layers and explain call the rule"},
	{"when", "condition", false, "where it is not true, the rule's fields keep what an earlier rule set, else null"},
	{"before", "word", false, "a rule of an earlier layer, in front of which this one goes"},
	{"after", "word", false, "a rule of an earlier layer, behind which this one goes"},
	{"disable", "flag", false, "true removes the rule of this name that an earlier layer has"},
}

var caseKeys = []Key{
	{"when", "condition", true, "the first case whose condition is true counts"},
	{"is", "word", true, "the status"},
	{"because", "text", false, "the reason"},
}

// choice are the keys by which a rule chooses rows.
func choice(from string, keys ...Key) []Key {
	return append([]Key{
		{from, "rows", true, "the rows to choose from"},
		{"where", "condition", false, "rows where it is not true do not count"},
		{"valid", "span", false, "days with both ends, timestamps without the end; the product is evaluated again at every boundary"},
		{"order", "order", false, "the row's key is the last word"},
	}, keys...)
}

// optional says that a key need not be there.
func optional(keys []Key, name string) []Key {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == name })
	keys[i].Required = false
	return keys
}

// kindTable is the one place where the rule kinds and their keys are written down: the reader, Doc, and Schema go by it.
var kindTable = []Kind{
	{Word: "set", Doc: "sets fields", Type: "fields"},
	{Word: "text", Doc: "sets each field from the first language that has a text for it", Keys: slices.DeleteFunc(choice("from",
		Key{"language", "expression", true, "the row's language"},
		Key{"prefer", "words", true, "languages, the best first"},
		Key{"set", "fields", true, "expressions over the row"},
		Key{"otherwise", "otherwise", false, "for fields without a text in any of them"}), func(k Key) bool { return k.Name == "valid" })},
	{Word: "pick", Doc: "sets fields from the first row in order", Keys: choice("from",
		Key{"set", "fields", true, "expressions over the row"},
		Key{"otherwise", "otherwise", false, "without a row; else the fields are null"})},
	{Word: "vat", Doc: "makes gross of net, or net of gross, with the one rate that is valid", Keys: choice("rates",
		Key{"rate", "expression", true, "the row's rate in percent"},
		Key{"net", "expression", false, "the price without VAT"},
		Key{"gross", "expression", false, "the price with VAT; this or net"},
		Key{"exempt", "expression", false, "the part of the net that bears no VAT; what is above it bears the rate"},
		Key{"code", "expression", false, "what messages call the code"},
		Key{"round", "digits", true, "digits of gross, rounded half up"},
		Key{"net_round", "digits", false, "digits of a net made of gross; 4 unless said otherwise"},
		Key{"set", "fields", true, "expressions over gross, net, rate and amount"})},
	{Word: "list", Doc: "sets a field to a list of records, one for each row", Keys: choice("from",
		Key{"per", "expressions", false, "only the first row in order for each value of these"},
		Key{"limit", "count", false, "at most so many"},
		Key{"set", "list", true, "expressions over the row"},
		Key{"otherwise", "fields", false, "the one record of the list without rows; else it is empty"})},
	{Word: "add", Doc: "puts a record behind those of a list that an earlier rule made, or one for each row of from", Keys: append([]Key{
		{"to", "word", true, "the list's field"},
	}, optional(choice("from",
		Key{"per", "expressions", false, "only the first row in order for each value of these"},
		Key{"set", "fields", true, "the record's members; those left out are null"}), "from")...)},
	{Word: "keep", Doc: "gives a field the value that it was published with last, and computes it only where there is none yet", Keys: []Key{
		{"field", "word", true, "the field"},
		{"from", "expression", true, "what it is when it is published first; of the type that the field keeps"},
		{"unique", "flag", false, "for texts: adds the product's key, -4711, so that no two products of the view ever have the same"},
	}},
	{Word: "final", Doc: "lets a product stay as it was published, in every field, while this one is what it was published with; no rule below is evaluated then", Keys: []Key{
		{"field", "word", true, "the field that says what the product is made of"},
		{"from", "expression", true, "what it is now"},
		{"otherwise", "expression", false, "the reason with which a published product stops where it differs; without it the product is made and published anew"},
	}},
	{Word: "include", Doc: "where it is not true the product leaves the view, and no rule below is evaluated", Type: "condition"},
	{Word: "park", Doc: "stops the product with this reason, usually under a when: it is parked, and the shop keeps what it has", Type: "expression"},
	{Word: "status", Doc: "sets a status, and why, from the first case that holds", Keys: []Key{
		{"field", "word", true, "the status' field"},
		{"reason", "word", false, "the reason's field"},
		{"first", "cases", true, "in order of precedence"},
		{"otherwise", "case", true, "where no case holds"},
	}},
}

// Kinds lists the rule kinds in the order of the documentation.
func Kinds() []Kind {
	out := slices.Clone(kindTable)
	for i := range out {
		out[i].Keys = slices.Clone(out[i].Keys)
	}
	return out
}

// keysOf are the keys of a kind's map.
func keysOf(word string) []string {
	i := slices.IndexFunc(kindTable, func(k Kind) bool { return k.Word == word })
	return keyNames(kindTable[i].Keys)
}

func keyNames(keys []Key) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.Name
	}
	return out
}

// KindDoc is the rule kinds' documentation in Markdown: a table for each kind, and the types of its keys.
func KindDoc() string {
	var b strings.Builder
	table := func(title, doc string, keys []Key) {
		fmt.Fprintf(&b, "### %s\n\n%s\n\n", title, doc)
		if len(keys) == 0 {
			return
		}
		b.WriteString("| key | type | what it says |\n|---|---|---|\n")
		for _, k := range keys {
			must := ""
			if k.Required {
				must = " (must be there)"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s%s |\n", k.Name, k.Type, k.Doc, must)
		}
		b.WriteByte('\n')
	}
	table("Every rule", "A rule is a map of these keys and of one kind.", ruleKeys)
	for _, k := range kindTable {
		doc := upperFirst(k.Doc) + "."
		if k.Type != "" {
			doc += fmt.Sprintf(" Its value is of type %s.", k.Type)
		}
		table("`"+k.Word+"`", doc, k.Keys)
	}
	b.WriteString("### Types of keys\n\n| type | what to write |\n|---|---|\n")
	for _, t := range keyTypes {
		fmt.Fprintf(&b, "| %s | %s |\n", t[0], t[1])
	}
	return b.String()
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

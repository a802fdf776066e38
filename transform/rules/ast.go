package rules

import "shelfstream/schemas"

type nodeKind uint8

const (
	nodeLiteral nodeKind = iota
	nodeName             // scope "" or the word before the point
	nodeUnary            // op: - not
	nodeBinary           // op: + - * / % || = <> < <= > >= and or
	nodeIn               // kids[0] in kids[1:]; not
	nodeBetween          // kids[0] between kids[1] and kids[2]; not
	nodeIsNull           // kids[0] is null; not
	nodeCase             // kids: when, then, when, then, …[, else]
	nodeCall
	nodeMap // kids: key, value, key, value, …
)

// node is one part of a parsed expression.
type node struct {
	kind nodeKind
	// pos and end are byte offsets into the expression.
	pos, end int
	op       string
	scope    string
	name     string
	not      bool
	// bracket keeps (a = b) = c apart from a = b = c.
	bracket bool
	kids    []*node
	// value of a literal.
	value schemas.Value
	// where, valid (from and to) and order belong to an aggregate's call.
	where *node
	valid []*node
	order []orderKey
}

// orderKey is one key of an order.
type orderKey struct {
	expr *node
	desc bool
	// nullsLast is where nulls go; without a word they are first, and last after desc.
	nullsLast bool
}

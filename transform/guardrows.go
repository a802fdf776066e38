package transform

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"shelfstream/internal/kafka"
)

// Rows that a product was made of.
//
// A guard that counts lost rows must know how many the published product had, also after the state is lost. Nothing in the product says it: a price is one
// number, of however many rows. So each record of a cleaned topic carries the numbers in a header, and the store keeps those that guards ask for.

// headerRows tells how many rows of each child and lookup a product was made of, as JSON: {"prices":3,"images":2}.
const headerRows = "__rows"

// inputNames are the view's inputs after the root, in the order of its layout.
func (v *View) inputNames() []string {
	var out []string
	if v.GroupBy != nil {
		out = append(out, Members)
	}
	for _, c := range v.Children {
		out = append(out, c.Name)
	}
	for _, l := range v.Lookups {
		out = append(out, l.Name)
	}
	return out
}

// findInput is where the input that loses names stands after the root; -1 after a fault.
func (g *guard) findInput(v View, bad func(what, fix string)) int {
	known := v.inputNames()
	if i := slices.Index(known, g.Loses); i >= 0 {
		return i
	}
	fix := "the view has none: count something else"
	if len(known) > 0 {
		fix = "name one of " + strings.Join(known, ", ")
	}
	bad("the view has no child or lookup "+g.Loses, fix)
	return -1
}

// lost says whether a product that was made of so many rows (-1: unknown) and has so many now has lost what the guard counts.
func (g *guard) lost(was, is int) bool {
	if g.RowsPercent == 0 {
		return was > 0 && is == 0
	}
	return was > 0 && float64(was-is)*100 > g.RowsPercent*float64(was)
}

// rowCounts are the numbers of rows of the product that is loaded, by input after the root; nil if its root row is gone. They are valid until the next call.
func (e *evaluation) rowCounts() []int {
	if e.in.Root == nil {
		return nil
	}
	e.counts = e.counts[:0]
	for _, rows := range e.in.Children {
		e.counts = append(e.counts, len(rows))
	}
	for _, rows := range e.in.Lookups {
		e.counts = append(e.counts, len(rows))
	}
	return e.counts
}

// setHeaders writes the headers of the record of the product that is loaded.
func (e *evaluation) setHeaders() {
	e.sent = append(e.sent[:0], e.headers...)
	names := e.t.layout.inputs[1:]
	if len(names) == 0 {
		return
	}
	e.rowsHeader = append(e.rowsHeader[:0], '{')
	for i, n := range e.rowCounts() {
		if i > 0 {
			e.rowsHeader = append(e.rowsHeader, ',')
		}
		e.rowsHeader = append(append(e.rowsHeader, names[i].quoted...), ':')
		e.rowsHeader = strconv.AppendInt(e.rowsHeader, int64(n), 10)
	}
	e.rowsHeader = append(e.rowsHeader, '}')
	e.sent = append(e.sent, kafka.Header{Key: headerRows, Value: e.rowsHeader})
}

// rowsOf reads the kept numbers of rows off a record of the output topic; -1 where it does not say.
func (k *kept) rowsOf(dst []byte, r *kafka.Record) []byte {
	if len(k.inputs) == 0 {
		return dst
	}
	said := map[string]int{}
	for _, h := range r.Headers {
		if h.Key == headerRows {
			_ = json.Unmarshal(h.Value, &said) // what it does not say is unknown
		}
	}
	for _, name := range k.names {
		n, ok := said[name]
		if !ok {
			n = -1
		}
		dst = binary.AppendUvarint(dst, uint64(n+1))
	}
	return dst
}

// appendRows writes the kept numbers of rows.
func (k *kept) appendRows(dst []byte, counts []int) []byte {
	for _, i := range k.inputs {
		dst = binary.AppendUvarint(dst, uint64(counts[i]+1))
	}
	return dst
}

// cutRows takes the kept numbers of rows off the front of what is kept of a product.
func (k *kept) cutRows(dst []int, fact []byte) (was []int, rest []byte, ok bool) {
	for range k.inputs {
		n, size := binary.Uvarint(fact)
		if size <= 0 {
			return nil, nil, false
		}
		dst, fact = append(dst, int(n)-1), fact[size:]
	}
	return dst, fact, true
}

// learnRows keeps the numbers of rows of a product whose record does not tell them (an earlier version wrote it): it is as it was published, so they count.
func (e *evaluation) learnRows() bool {
	return e.t.kept != nil && len(e.t.kept.inputs) > 0 && e.facts.kept != nil && e.previous() != nil && slices.Contains(e.was, -1)
}

package table

import "slices"

// packetBuilder puts statements together into packets of a bounded size, separated by semicolons. Short of a statement that is itself larger, no packet is larger than limit.
type packetBuilder struct {
	d       *Dialect
	limit   int
	rows    int // most rows in one statement
	buf     []byte
	packets [][]byte
}

func (b *packetBuilder) reset() { b.buf, b.packets = b.buf[:0], b.packets[:0] }

// begin makes room for a statement of n bytes and puts the separator.
func (b *packetBuilder) begin(n int) {
	if len(b.buf) > 0 && len(b.buf)+n > b.limit {
		b.packets = append(b.packets, b.buf)
		b.buf = make([]byte, 0, len(b.buf))
	}
	if len(b.buf) > 0 {
		b.buf = append(b.buf, ";\n"...)
	}
}

func (b *packetBuilder) statement(s string) {
	b.begin(len(s) + 2)
	b.buf = append(b.buf, s...)
}

// mark says whose the transaction is.
func (b *packetBuilder) mark() {
	if b.d.Mark != "" {
		b.statement(b.d.Mark)
	}
}

// chunks writes "prefix items suffix" for stretches of items, each at most b.rows items and about a quarter of the packet. items are separated by sep bytes;
// ends are their ends.
func (b *packetBuilder) chunks(prefix string, items []byte, ends []int, sep int, suffix string) {
	b.chunksOf(b.rows, prefix, items, ends, sep, suffix)
}

// chunksOf is chunks with at most n items.
func (b *packetBuilder) chunksOf(n int, prefix string, items []byte, ends []int, sep int, suffix string) {
	for from := 0; from < len(ends); {
		start := 0
		if from > 0 {
			start = ends[from-1] + sep
		}
		to := from + 1
		for to < len(ends) && to-from < n && ends[to]-start < b.limit/4 {
			to++
		}
		part := items[start:ends[to-1]]
		b.begin(len(prefix) + len(part) + len(suffix) + 2)
		b.buf = append(b.buf, prefix...)
		b.buf = append(b.buf, part...)
		b.buf = append(b.buf, suffix...)
		from = to
	}
}

// fewKeys is how many rows one DELETE or UPDATE names where the server must not be tempted to read through the table.
const fewKeys = 64

// add writes all of a record set's statements. Rows go before others come, which gives values of unique indexes up before they are taken; parents stand
// before their children, and go after them. loaded names the tables that Loader filled, by tablePlan.at.
func (b *packetBuilder) add(st *statements, loaded map[int]string) {
	for _, p := range slices.Backward(st.vp.order) {
		t := &st.tables[p.at]
		if p.d.AsksFirst {
			b.byKeys(p.atOnce, "DELETE FROM "+p.d.Table(p.name), p.names(p.keyParentFirst()), &t.left, "")
		} else {
			b.chunksOf(fewKeys, "DELETE FROM "+p.d.Table(p.name)+" WHERE ", t.trim, t.trims, len(" OR "), "")
		}
		b.byKeys(p.atOnce, p.removal(), p.names(p.parent), &t.gone, p.onlyLiving())
	}
	for _, p := range st.vp.order {
		t := &st.tables[p.at]
		b.each(t.sets, t.setEnds)
		if from := loaded[p.at]; from != "" {
			b.statement(p.insert + "SELECT " + p.d.quoteNames(p.allNames()) + " FROM " + from + p.onDup)
			continue
		}
		b.chunks(p.insert+"VALUES ", t.rows, t.ends, 1, p.onDup)
	}
}

// byKeys writes DELETEs or UPDATEs of the rows with these keys, n in each.
func (b *packetBuilder) byKeys(n int, head string, columns []string, l *keyList, and string) {
	if len(columns) == 1 {
		b.chunksOf(n, head+" WHERE "+b.d.Quote(columns[0])+" IN (", l.keys, l.ends, 1, ")"+and)
		return
	}
	b.chunksOf(n, head+" WHERE (", l.keys, l.ends, len(" OR "), ")"+and)
}

// removal is what a tombstone does to a root table, without the condition.
func (p *tablePlan) removal() string {
	if p.soft < 0 {
		return "DELETE FROM " + p.d.Table(p.name)
	}
	value := p.d.Now
	switch p.columns[p.soft].info.Class {
	case ClassInt:
		value = "1"
	case ClassBool:
		value = "TRUE"
	default: // a time
	}
	// Without the hint an index on the mark may look better, which leads over rows of other partitions.
	return "UPDATE " + p.d.Table(p.name) + p.byKey + " SET " + p.d.Quote(p.columns[p.soft].name) + " = " + value
}

// onlyLiving keeps the time at which a row was first marked.
func (p *tablePlan) onlyLiving() string {
	if p.soft < 0 {
		return ""
	}
	return " AND " + p.living()
}

// living is the condition of rows that are not deleted softly.
func (p *tablePlan) living() string {
	n := p.d.Quote(p.columns[p.soft].name)
	switch p.columns[p.soft].info.Class {
	case ClassInt:
		return n + " = 0"
	case ClassBool:
		return "NOT " + n
	default:
		return n + " IS NULL"
	}
}

// finish returns the packets.
func (b *packetBuilder) finish() [][]byte {
	if len(b.buf) > 0 {
		b.packets = append(b.packets, b.buf)
		b.buf = nil
	}
	return b.packets
}

package mysql

import "slices"

// packetBuilder puts statements together into packets of a bounded size, separated by semicolons. Short of a statement that is itself larger, no packet is larger than limit.
type packetBuilder struct {
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

// How many rows one DELETE or UPDATE names. With many in proportion to the table (as it once was: statistics are late), MariaDB reads through all of it instead of looking them
// up, whatever the hints, and so waits for rows that other partitions have locked. With one it never does.
const (
	fewKeys   = 64
	largeRows = 20_000 // a table of which fewKeys are few
)

// add writes all of a record set's statements. Rows go before others come, which gives values of unique indexes up before they are taken; parents stand
// before their children, and go after them.
func (b *packetBuilder) add(st *statements) {
	for _, p := range slices.Backward(st.vp.order) {
		t := &st.tables[p.at]
		b.byKeys(p.atOnce, "DELETE FROM "+quoteName(p.name), p.names(p.keyParentFirst()), &t.left, "")
		b.byKeys(p.atOnce, p.removal(), p.names(p.parent), &t.gone, p.onlyLiving())
	}
	for _, p := range st.vp.order {
		t := &st.tables[p.at]
		b.chunks(p.insert, t.rows, t.ends, 1, p.onDup)
	}
}

// byKeys writes DELETEs or UPDATEs of the rows with these keys, n in each.
func (b *packetBuilder) byKeys(n int, head string, columns []string, l *keyList, and string) {
	if len(columns) == 1 {
		b.chunksOf(n, head+" WHERE "+quoteName(columns[0])+" IN (", l.keys, l.ends, 1, ")"+and)
		return
	}
	b.chunksOf(n, head+" WHERE (", l.keys, l.ends, len(" OR "), ")"+and)
}

// removal is what a tombstone does to a root table, without the condition.
func (p *tablePlan) removal() string {
	if p.soft < 0 {
		return "DELETE FROM " + quoteName(p.name)
	}
	value := "1"
	if p.columns[p.soft].write.col.class != classInt {
		value = "UTC_TIMESTAMP(6)"
	}
	// Without the hint an index on the mark may look better, which leads over rows of other partitions.
	return "UPDATE " + quoteName(p.name) + p.byKey + " SET " + quoteName(p.columns[p.soft].name) + " = " + value
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
	n := quoteName(p.columns[p.soft].name)
	if p.columns[p.soft].write.col.class != classInt {
		return n + " IS NULL"
	}
	return n + " = 0"
}

// finish returns the packets.
func (b *packetBuilder) finish() [][]byte {
	if len(b.buf) > 0 {
		b.packets = append(b.packets, b.buf)
		b.buf = nil
	}
	return b.packets
}

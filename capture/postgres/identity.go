package postgres

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"strings"
)

// identity says which table of the database a captured table is and which columns its rows on the topic have. Some things change a table without a word in
// its change stream: it is dropped and made again, it leaves the publication for a time, a column is added with a default, renamed or given
// another type. So the identities travel with every checkpoint, in its System; where a table's is not what it was, the table is read anew.
type identity struct {
	oid uint32
	// member is the table's entry in the publication: another one once it left and came back.
	member uint32
	// last is the number of the newest captured column, sum a checksum over the names and types of all up to it.
	last int16
	sum  uint32
}

// identityOf is a table's identity now.
func (s *Source) identityOf(t *tableInfo, p *publication) identity {
	id := identity{oid: t.oid, member: p.tables[[2]string{t.schema, t.name}].member}
	for _, c := range s.capturedColumns(t, p) {
		id.last = max(id.last, c.number)
	}
	id.sum = s.columnsSum(t, p, id.last)
	return id
}

// capturedColumns are those whose values are in the rows.
func (s *Source) capturedColumns(t *tableInfo, p *publication) (l []*columnInfo) {
	cfg := s.cfg.Tables[t.table]
	for i := range t.columns {
		if c := &t.columns[i]; p.publishes(t, c) && captured(&cfg, t.key(), c.name) {
			l = append(l, c)
		}
	}
	return l
}

func (s *Source) columnsSum(t *tableInfo, p *publication, last int16) uint32 {
	h := fnv.New32a()
	var b []byte
	for _, c := range s.capturedColumns(t, p) { // in the order of their numbers
		if c.number > last {
			break
		}
		b = append(append(b[:0], c.name...), 0)
		b = binary.BigEndian.AppendUint32(b, c.typ)
		b = binary.BigEndian.AppendUint32(b, uint32(c.rounding()))
		_, _ = h.Write(b) // never fails
	}
	return h.Sum32()
}

// rounding is what of a column's typmod can change values when it changes: not the length of a text or the precision of a numeric, which only
// refuse values.
func (c *columnInfo) rounding() int32 {
	switch c.typ {
	case oidVarchar, oidBpchar, oidVarbit:
		return -1
	case oidNumeric:
		if c.typmod >= typmodHeader {
			return (c.typmod - typmodHeader) & 0x7ff
		}
	}
	return c.typmod
}

// changed says why rows that were captured under id are not the table's now; "" if they are. A column that was added without a default is null in
// all of them, and no reason.
func (s *Source) changed(id identity, t *tableInfo, p *publication) string {
	now := s.identityOf(t, p)
	switch {
	case now.oid != id.oid:
		return "it was dropped and made again, or another has its name now"
	case now.member != id.member:
		return "it was not in the publication for a time"
	case s.columnsSum(t, p, id.last) != id.sum:
		return "columns were renamed, dropped or given another type"
	}
	for _, c := range s.capturedColumns(t, p) {
		if c.number > id.last && c.filled {
			return "column " + c.name + " was added with a value for the rows that were there"
		}
	}
	return ""
}

// systemText is the System of checkpoints: the server and its history, and in brackets the tables whose rows are on their topics.
func systemText(server string, tables map[string]identity) string {
	var b strings.Builder
	b.WriteString(server + " [")
	for i, name := range sortedTables(tables) {
		if i > 0 {
			b.WriteByte(' ')
		}
		id := tables[name]
		fmt.Fprintf(&b, "%s=%d.%d.%d.%08x", name, id.oid, id.member, id.last, id.sum)
	}
	b.WriteByte(']')
	return b.String()
}

// parseSystem reads what systemText writes. listed is false for a System without tables, as versions before this one wrote them.
func parseSystem(system string) (server string, tables map[string]identity, listed bool) {
	server, list, listed := strings.Cut(system, " [")
	tables = map[string]identity{}
	for entry := range strings.FieldsSeq(strings.TrimSuffix(list, "]")) {
		at := strings.LastIndexByte(entry, '=')
		var id identity
		if at < 0 {
			continue
		}
		if _, err := fmt.Sscanf(entry[at+1:], "%d.%d.%d.%08x", &id.oid, &id.member, &id.last, &id.sum); err == nil {
			tables[entry[:at]] = id
		}
	}
	return server, tables, listed
}

// identify notes the identities of tables that are as they should be, for the checkpoints that follow.
func (s *Source) identify(tables map[string]identity) {
	maps.Copy(s.identities, tables)
	s.system = systemText(s.server, s.identities)
}

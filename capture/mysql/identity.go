package mysql

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"shelfstream/capture"
	"shelfstream/schemas"
)

// identity is a checksum over the captured columns that a table's rows on its topic have. The identities travel with every checkpoint, in its System: a table that is
// not in it, or is there with other columns than the database has, is read anew. What changes a table without changing its columns is in the log.
type identity uint32

func identityOf(t *schemas.Table) identity {
	h := fnv.New32a()
	for _, c := range t.Columns {
		c.Nullable, c.Type.Length = false, 0 // they only refuse values
		fmt.Fprintf(h, "%+v\n", c)
	}
	fmt.Fprint(h, t.Key)
	return identity(h.Sum32())
}

// systemText is the System of checkpoints: the server, and in brackets the tables whose rows are on their topics.
func systemText(server string, tables map[string]identity) string {
	var b strings.Builder
	b.WriteString(server + " [")
	for i, name := range sortedTables(tables) {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%08x", name, uint32(tables[name]))
	}
	b.WriteByte(']')
	return b.String()
}

// parseSystem reads what systemText writes.
func parseSystem(system string) (server string, tables map[string]identity) {
	server, list, _ := strings.Cut(system, " [")
	tables = map[string]identity{}
	for entry := range strings.FieldsSeq(strings.TrimSuffix(list, "]")) {
		at := strings.LastIndexByte(entry, '=')
		var id identity
		if at < 0 {
			continue
		}
		if _, err := fmt.Sscanf(entry[at+1:], "%08x", &id); err == nil {
			tables[entry[:at]] = id
		}
	}
	return server, tables
}

// identify notes the identities of tables that were read, for the checkpoints that follow.
func (s *Source) identify(tables map[string]identity) {
	maps.Copy(s.identities, tables)
	s.system = systemText(s.server.name, s.identities)
}

// forget takes tables out of the checkpoints that follow: until they are read, a start reads them anew.
func (s *Source) forget(tables []string) {
	for _, t := range tables {
		delete(s.identities, t)
	}
	s.system = systemText(s.server.name, s.identities)
}

// recognise takes over what the checkpoint says of the tables, and adds to start.Snapshot those whose rows on the topic are not what the database would give.
func (s *Source) recognise(start *capture.Start, now map[string]*schemas.Table) {
	_, known := parseSystem(start.Checkpoint.System)
	keep := map[string]identity{}
	for _, name := range sortedTables(s.cfg.Tables) {
		if slices.Contains(start.Snapshot, name) {
			continue
		}
		id, ok := known[name]
		t := now[name]
		switch {
		case !ok:
			s.cfg.Logger.Warn("a captured table is read anew", "table", s.cfg.tableName(name), "reason", "it was not read to its end")
		case t != nil && identityOf(t) != id:
			s.cfg.Logger.Warn("a captured table is read anew", "table", s.cfg.tableName(name), "reason", "its columns are not those that were captured")
		default:
			keep[name] = id
			continue
		}
		start.Snapshot = append(slices.Clone(start.Snapshot), name)
	}
	s.identify(keep)
}

// sortedTables lists the keys of a map, so that everything happens in the same order each time.
func sortedTables[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

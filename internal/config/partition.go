package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// inOrderOf gives the child's columns in the order of the root's key, which they are joined with: what its table has to be partitioned by. With
// an unknown key (none) they come as they stand; nil if they are not joined with exactly the key.
func (o On) inOrderOf(key []string) []string {
	if len(key) == 0 {
		return o.Columns()
	}
	if !sameNames(o.Roots(), key) {
		return nil
	}
	out := make([]string, 0, len(o))
	for _, k := range key {
		out = append(out, o[slices.Index(o.Roots(), k)].Column)
	}
	return out
}

// PartitionBy is what the table of a child has to be partitioned by if the root's primary key is key; nil if the child is not joined with exactly that.
func (c *Child) PartitionBy(key []string) []string { return c.On.inOrderOf(key) }

// sameNames says whether two lists have the same names, in whatever order.
func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// partitioning says in words by what a table is partitioned.
func (t *Table) partitioning() string {
	if len(t.PartitionBy) == 0 {
		return "its primary key"
	}
	return listed(t.PartitionBy)
}

func listed(names []string) string { return "[" + strings.Join(names, ", ") + "]" }

// keyJoin is an 'on' that joins with the root's key; the child's columns are the reader's to fill in.
func keyJoin(key []string) string {
	pairs := make([]string, len(key))
	for i, k := range key {
		pairs[i] = "…: " + inFlow(k)
	}
	return "on: { " + strings.Join(pairs, ", ") + " }"
}

// Entry is how a table's entry is written on one line: "price: { table: sales.price, partition_by: [product_no] }".
func (t *Table) Entry(name string) string {
	var parts []string
	if t.Name != "" {
		parts = append(parts, "table: "+inFlow(t.Name))
	}
	list := func(key string, columns []string) {
		if len(columns) > 0 {
			quoted := make([]string, len(columns))
			for i, c := range columns {
				quoted[i] = inFlow(c)
			}
			parts = append(parts, key+": ["+strings.Join(quoted, ", ")+"]")
		}
	}
	list("columns", t.Columns)
	list("partition_by", t.PartitionBy)
	if t.Broadcast {
		parts = append(parts, "broadcast: true")
	}
	if len(parts) == 0 {
		return inFlow(name) + ": {}"
	}
	return inFlow(name) + ": { " + strings.Join(parts, ", ") + " }"
}

// inFlow writes a text as it must stand within brackets: with quotes where it needs them.
func inFlow(s string) string {
	b, err := yaml.Marshal(&yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle, Content: []*yaml.Node{text(s)}})
	if err != nil {
		return s
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(string(b)), "["), "]")
}

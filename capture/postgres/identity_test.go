package postgres

import (
	"maps"
	"testing"
)

func TestSystemText(t *testing.T) {
	tables := map[string]identity{"product": {16384, 16402, 9, 0x1a2b}, "vat=rate": {4294967295, 1, 1600, 0xffffffff}}
	text := systemText("7710801031954404343/2", tables)
	server, got, listed := parseSystem(text)
	if server != "7710801031954404343/2" || !listed || !maps.Equal(got, tables) {
		t.Errorf("%q is read as %q %v %v", text, server, got, listed)
	}
	if server, got, listed := parseSystem("77/1 []"); server != "77/1" || !listed || len(got) != 0 {
		t.Errorf("an empty list is read as %q %v %v", server, got, listed)
	}
	// Checkpoints of earlier versions say nothing of tables; what cannot be read counts as a table that was not read.
	if server, _, listed := parseSystem("77/1"); server != "77/1" || listed {
		t.Errorf("a System without tables is read as %q, %v", server, listed)
	}
	if _, got, listed := parseSystem("77/1 [a=1.2 b nonsense c=1.2.3.zz]"); !listed || len(got) != 0 {
		t.Errorf("nonsense is read as %v", got)
	}
}

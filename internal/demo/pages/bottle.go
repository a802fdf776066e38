package pages

import (
	"hash/fnv"
	"strings"
	"unicode/utf8"
)

// bottle is how the shop draws a wine of which it has no photograph: the colours follow the wine's name, so a wine always looks the same.
type bottle struct {
	Glass, Wine, Label, Band, Tint string // CSS classes
	Initial                        string // of the producer, on the label
	Vintage                        string
	Empty                          bool // no picture: an outline
	Slim                           bool // as Riesling has it
	Alt                            string
}

// kinds of wine by what their names begin with; whatever else there is looks red.
var kinds = []struct{ begins, kind string }{
	{"Riesling", "white"},
	{"Chablis", "white"},
	{"Grüner", "white"},
	{"Sancerre", "white"},
	{"Pinot", "light"},
	{"Malbec", "deep"},
	{"Brunello", "deep"},
	{"Barolo", "light"},
}

func bottleOf(name, producer, vintage, alt string, empty bool) bottle {
	b := bottle{Wine: "red", Vintage: vintage, Alt: alt, Empty: empty, Initial: "W"}
	for _, k := range kinds {
		if strings.HasPrefix(name, k.begins) {
			b.Wine = k.kind
		}
	}
	b.Slim = b.Wine == "white"
	if r, _ := utf8.DecodeRuneInString(producer); producer != "" {
		b.Initial = string(r)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(producer + name)) // never fails
	n := h.Sum32()
	b.Label = []string{"cream", "paper", "grey", "sand"}[n%4]
	b.Band = []string{"wine", "gold", "ink", "green", "blue"}[n/4%5]
	b.Tint = []string{"t0", "t1", "t2", "t3"}[n/32%4]
	return b
}

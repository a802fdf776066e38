package render_test

import (
	"strings"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink/render"
)

func order() *schemas.Table {
	line := schemas.Type{Kind: schemas.KindRecord, Fields: []schemas.Column{
		{Name: "sku", Type: schemas.Type{Kind: schemas.KindText}}, {Name: "qty", Type: schemas.Type{Kind: schemas.KindInt, Bits: 64}},
	}}
	return &schemas.Table{Name: "it.order", Key: []int{0}, Columns: []schemas.Column{
		{Name: "no", Type: schemas.Type{Kind: schemas.KindInt, Bits: 64}},
		{Name: "name", Type: schemas.Type{Kind: schemas.KindText}, Nullable: true},
		{Name: "total", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 38, Scale: 2}, Nullable: true},
		{Name: "at", Type: schemas.Type{Kind: schemas.KindTimestampTZ}, Nullable: true},
		{Name: "extra", Type: schemas.Type{Kind: schemas.KindJSON}, Nullable: true},
		{Name: "lines", Type: schemas.Type{Kind: schemas.KindArray, Elem: &line}},
	}}
}

func rec(vals ...schemas.Value) schemas.Value {
	return schemas.Value{Kind: schemas.KindRecord, List: vals}
}

func row(name schemas.Value) []schemas.Value {
	total, _ := schemas.ParseDecimal("123456789012345678901234567890.10")
	return []schemas.Value{
		schemas.Int(42), name, total, schemas.TimestampTZ(time.Date(2026, 3, 1, 22, 30, 0, 0, time.UTC).UnixMicro()),
		{Kind: schemas.KindJSON, Bytes: []byte(`{"a":1}`)},
		{Kind: schemas.KindArray, List: []schemas.Value{rec(schemas.Text("x\"1"), schemas.Int(2)), rec(schemas.Text("y"), schemas.Int(0))}},
	}
}

func TestRender(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		format render.Format
		text   string
		row    []schemas.Value
		want   string // or what the error says
		fails  bool
	}{
		{
			"JSON quotes", render.FormatJSON, `{"no":{{.no}},"name":{{.name}},"t":{{.total}},"s":{{text .total}},"x":{{.extra}},"e":{{._answer}}}`, row(schemas.Text("a\"},{\"b\n<å")),
			`{"no":42,"name":"a\"},{\"b\n<å","t":123456789012345678901234567890.10,"s":"123456789012345678901234567890.10","x":{"a":1},"e":"SO-1"}`, false,
		},
		{"lists", render.FormatJSON, `[{{range $i, $l := .lines}}{{if $i}},{{end}}{"sku":{{.sku}},"of":{{$.no}}}{{end}}]`, row(schemas.Null), `[{"sku":"x\"1","of":42},{"sku":"y","of":42}]`, false},
		{"whole values", render.FormatJSON, `{"lines":{{.lines}},"name":{{.name}},"d":{{default "none" .name}}}`, row(schemas.Null), `{"lines":[{"qty":2,"sku":"x\"1"},{"qty":0,"sku":"y"}],"name":null,"d":"none"}`, false},
		{"quoted twice", render.FormatJSON, `{"name":"{{.name}}"}`, row(schemas.Text("a")), "values are quoted by themselves", true},
		{"comparisons", render.FormatText, `{{range .lines}}{{if gt .qty 0}}{{.sku}};{{end}}{{end}}{{if eq (round 1 0) 0.0}}zero{{end}}{{if eq .name nil}}null{{end}}`, row(schemas.Null), `x"1;zeronull`, false},
		{"arithmetic", render.FormatText, `{{add .total 0.95}} {{mul .no 1.10}} {{round 1 (sub 1 0.25)}} {{neg .no}} {{number "7.50"}}`, row(schemas.Null), "123456789012345678901234567891.05 46.2 0.8 -42 7.50", false},
		{"dates", render.FormatText, `{{date "02.01.2006 15:04" .at}} {{.at}}`, row(schemas.Null), "02.03.2026 07:30 2026-03-01T22:30:00Z", false},
		{"texts", render.FormatText, `{{left 2 "åæø"}}|{{pad 4 .no}}|{{padleft 5 "0" .no}}|{{upper "a"}}|{{.name}}|{{replace "a" "b" "aa"}}`, row(schemas.Null), "åæ|42  |00042|A||bb", false},
		{"XML", render.FormatXML, `<n>{{.name}}</n>`, row(schemas.Text("<&>")), "<n>&lt;&amp;&gt;</n>", false},
		{"addresses", render.FormatURL, `/orders/{{.name}}?a={{.no}}`, row(schemas.Text("../x y?&")), "/orders/..%2Fx%20y%3F%26?a=42", false},
		{"headers", render.FormatHeader, `{{.name}}`, row(schemas.Text("a\r\nX-Evil: 1")), "line break", true},
		{"CSV", render.FormatCSV, `{{.name}};{{.no}}`, row(schemas.Text("a;\"b\"")), `"a;""b""";42`, false},
		{"EDI", render.FormatEDI, `H;{{.name}};{{.no}}`, row(schemas.Text("å b")), "H;å b;42", false},
		{"a semicolon in EDI", render.FormatEDI, `H;{{.name}}`, row(schemas.Text("a;b")), "a field cannot hold the ';'", true},
		{"a line break in EDI", render.FormatEDI, `H;{{.name}}`, row(schemas.Text("a\nL;1")), "a field cannot hold", true},
		{"short and alpha", render.FormatText, `{{short 4.000}} {{short 10}} {{short "0.50"}} {{alpha 6 .no}} {{alpha 6 .name}}`, row(schemas.Text("A1")), "4 10 0.5 000042 A1", false},
		{"days later, in the zone", render.FormatText, `{{days "4" .at}} {{date "20060102" (days -1 .at)}}`, row(schemas.Null), "2026-03-06 20260301", false},
		{"raw", render.FormatJSON, `{"a":{{raw "1.0"}},"b":{{json .lines | raw}}}`, row(schemas.Null), `{"a":1.0,"b":[{"qty":2,"sku":"x\"1"},{"qty":0,"sku":"y"}]}`, false},
		{"not a number", render.FormatText, `{{add .name 1}}`, row(schemas.Text("a")), "a", true},
		{"an unknown name behind define", render.FormatText, `{{define "x"}}{{.nome}}{{end}}{{template "x" .}}`, row(schemas.Null), "nome", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tmpl, err := render.Compile(render.Config{Name: "body", Text: tc.text, Format: tc.format, Table: order(), Extra: []string{"_answer"}, Zone: zone})
			if err != nil {
				t.Fatal(err)
			}
			got, err := tmpl.Append([]byte("> "), render.NewRecord(order(), tc.row, map[string]any{"_answer": "SO-1"}))
			if tc.fails {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Fatalf("gives %q and the error %v, want one with %q", got, err, tc.want)
				}
				return
			}
			if err != nil || string(got) != "> "+tc.want {
				t.Errorf("gives\n%s (%v)\nwant\n> %s", got, err, tc.want)
			}
		})
	}
}

func TestCompileFindsWhatThereIsNot(t *testing.T) {
	for text, want := range map[string]string{
		`{{.nome}}`: `no column "nome"`,
		`{{range .lines}}{{.sku}}{{.price}}{{end}}`:         `no column "price"`,
		"a\n{{range $l := .lines}}\n{{$l.prize}}{{end}}":    `line 3: $l.prize: there is no column "prize"`,
		`{{with .lines}}{{range .}}{{.x}}{{end}}{{end}}`:    `no column "x"`,
		`{{range .name}}{{end}}`:                            "range wants a list",
		`{{.name.first}}`:                                   "has no \"first\" in it",
		`{{$x := .lines}}{{range $x}}{{upper .sko}}{{end}}`: `no column "sko"`,
		`{{if eq .no 1}}{{end}}{{if and .no .nr}}{{end}}`:   `no column "nr"`,
		`{{.no`:           "is no template",
		`{{nothing .no}}`: "is no template",
		`{{range .lines}}{{$.no}}{{._answer}}{{end}}{{._x}}`: `no column "_x"`,
	} {
		_, err := render.Compile(render.Config{Name: "body", Text: text, Table: order(), Extra: []string{"_answer"}})
		l := fault.All(err)
		if len(l) != 1 || l[0].Class != fault.Config || l[0].Where != "body" || !strings.Contains(l[0].What, want) || l[0].Fix == "" {
			t.Errorf("%s: %v, want one fault with %q", text, err, want)
		}
	}
}

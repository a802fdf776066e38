package files_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/files"
	"shelfstream/sink/sinktest"
)

func column(name string, k schemas.Kind, scale int16) schemas.Column {
	c := schemas.Column{Name: name, Type: schemas.Type{Kind: k}, Nullable: true}
	if k == schemas.KindDecimal {
		c.Type.Precision, c.Type.Scale = 18, scale
	}
	return c
}

// orders is the view of orders that the built-in templates read.
func orders() sink.View {
	line := schemas.Type{Kind: schemas.KindRecord, Fields: []schemas.Column{
		column("sku", schemas.KindText, 0), column("description", schemas.KindText, 0), column("quantity", schemas.KindDecimal, 3), column("price", schemas.KindDecimal, 2), column("amount", schemas.KindDecimal, 2),
	}}
	return sink.View{Name: "order", Topic: "suite.order", Table: &schemas.Table{Name: "suite.order", Key: []int{0}, Columns: []schemas.Column{
		{Name: "order_no", Type: schemas.Type{Kind: schemas.KindText}},
		column("ordered_at", schemas.KindTimestampTZ, 0), column("currency", schemas.KindText, 0), column("total", schemas.KindDecimal, 2),
		column("customer_no", schemas.KindText, 0), column("name", schemas.KindText, 0), column("address", schemas.KindText, 0), column("postcode", schemas.KindText, 0), column("city", schemas.KindText, 0),
		column("country", schemas.KindText, 0),
		{Name: "lines", Type: schemas.Type{Kind: schemas.KindArray, Elem: &line}},
	}}}
}

func dec(text string) schemas.Value {
	v, err := schemas.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return v
}

func line(sku, description, quantity, price, amount string) schemas.Value {
	return schemas.Value{Kind: schemas.KindRecord, List: []schemas.Value{schemas.Text(sku), schemas.Text(description), dec(quantity), dec(price), dec(amount)}}
}

func order(name string, lines ...schemas.Value) []schemas.Value {
	at := time.Date(2026, 2, 28, 23, 30, 0, 0, time.UTC) // the first of March in Oslo
	return []schemas.Value{
		schemas.Text("WEB-100234"), schemas.TimestampTZ(at.UnixMicro()), schemas.Text("NOK"), dec("459.60"), schemas.Text("10005"), schemas.Text(name),
		schemas.Text("Storgata 1"), schemas.Text("0155"), schemas.Text("Oslo"), schemas.Text("NO"),
		{Kind: schemas.KindArray, List: lines},
	}
}

// deliver writes one order and gives its file, or why it was parked.
func deliver(t *testing.T, c files.TableConfig, row []schemas.Value) (string, *fault.Fault) {
	t.Helper()
	w := sinktest.NewWorld(t, orders(), 1)
	oslo, err := time.LoadLocation("Europe/Oslo")
	must(t, err)
	opts := options(w.Client)
	opts.Zone = oslo
	c.From, c.Name, c.Dir = "order", "{{.order_no}}.edi", t.TempDir()
	cfg := files.Config{Tables: map[string]files.TableConfig{"order": c}}
	must(t, cfg.Validate().Err())
	target, err := files.New(cfg, opts)
	must(t, err)
	l, err := target.Check(t.Context(), []sink.View{orders()})
	must(t, err)
	must(t, l.Err())
	s, err := target.Open(t.Context(), sink.Partition{View: orders()})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	parked := apply(t, s, 1, sink.Record{Key: []byte("k"), KeyValues: row[:1], Row: row})
	if len(parked) > 0 {
		return "", parked[0].Fault
	}
	return listed(t, c.Dir)["WEB-100234.edi"], nil
}

func fixture(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	must(t, err)
	return string(b)
}

// squeezed leaves out the white space between elements.
func squeezed(xml string) string {
	return strings.ReplaceAll(strings.ReplaceAll(xml, "\n", ""), "> <", "><")
}

func TestBuiltInTemplates(t *testing.T) {
	periquita := line("67001", "Periquita 2014", "4.000", "91.92", "367.68")
	freight := line("FRAKT", "Frakt", "1", "0", "0")
	sap := map[string]string{"sales_organisation": "NO01", "channel": "10", "division": "00", "delivery_date_days": "4"}
	for _, tc := range []struct {
		name string
		cfg  files.TableConfig
		row  []schemas.Value
		want string
		says string // of a parked order
	}{
		{"Visma Business", files.TableConfig{Template: "visma_order", Values: map[string]string{"first_line": "8; 2;"}}, order("Kari Nordmann AS", periquita, freight), fixture(t, "vb_order.edi"), ""},
		{"SAP", files.TableConfig{Template: "sap_orders05", Values: sap}, order("Kari Nordmann AS", line("10234", "x", "4", "129.90", "519.60")), strings.Replace(fixture(t, "orders05.xml"), "Nordmann</NAME1><STRAS>", "Nordmann AS</NAME1><STRAS>", 1), ""}, // the view has one name
		{
			"CSV",
			files.TableConfig{Template: "csv", Charset: "windows-1252", LineEnd: "crlf"},
			order(`Kåre "K" & co; Å`, periquita),
			"order_no;ordered_at;customer_no;name;currency;line;sku;description;quantity;price;amount\r\nWEB-100234;2026-02-28T23:30:00Z;10005;\"K\xe5re \"\"K\"\" & co; \xc5\";NOK;1;67001;Periquita 2014;4;91.92;367.68\r\n", "",
		},
		{
			"JSON", files.TableConfig{Template: "json"}, order("<å>", freight), `{"address":"Storgata 1","city":"Oslo","country":"NO","currency":"NOK","customer_no":"10005",` +
				`"lines":[{"amount":0,"description":"Frakt","price":0,"quantity":1,"sku":"FRAKT"}],"name":"<å>","order_no":"WEB-100234","ordered_at":"2026-02-28T23:30:00Z","postcode":"0155","total":459.60}` + "\n", "",
		},
		{"a semicolon in EDI", files.TableConfig{Template: "visma_order"}, order("A;B", periquita), "", "a field cannot hold the ';'"},
		{"a line break in EDI", files.TableConfig{Template: "visma_order"}, order("A\nL;1;67001;x;100;0", periquita), "", "a field cannot hold"},
		{"a character that the charset lacks", files.TableConfig{Template: "visma_order", Charset: "windows-1252"}, order("Łukasz", periquita), "", `windows-1252 has no 'Ł' (U+0141), which stands in line 1`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, f := deliver(t, tc.cfg, tc.row)
			if tc.says != "" {
				if f == nil || !strings.Contains(f.What, tc.says) || f.Fix == "" || f.Cause == "" || f.Where != "sink erp: table order" {
					t.Fatalf("gives %q, parked %+v; want it parked with %q", got, f, tc.says)
				}
				return
			}
			if f != nil || squeezed(got) != squeezed(tc.want) {
				t.Errorf("gives\n%s\nparked %v, want\n%s", got, f, tc.want)
			}
			if strings.HasSuffix(tc.name, "Business") && got != tc.want {
				t.Errorf("is not the same byte for byte:\n%q\n%q", got, tc.want)
			}
		})
	}
}

// TestTheImpDescribesTheOrder reads a file by its .imp, as the ERP does: the least one that is known to work with a template of one's own, and ours.
func TestTheImpDescribesTheOrder(t *testing.T) {
	row := order("Kari Nordmann AS", line("67001", "Periquita 2014", "4", "91.92", "367.68"), line("67002", "P", "12", "1", "12"))
	least := filepath.Join(t.TempDir(), "least")
	must(t, os.WriteFile(least, []byte("H;;;;;;{{.customer_no}}\n{{range .lines}}L;;{{.sku}};;{{short .quantity}}\n{{end -}}\n"), 0o600))
	for _, tc := range []struct {
		cfg  files.TableConfig
		imp  string
		file string // that it must be; "" any
		want string
	}{
		{files.TableConfig{TemplateFile: least, Format: "edi"}, fixture(t, "vb_order_min.imp"), fixture(t, "vb_order_min.edi"), "OrderHead Ord.CustNo=10005\nOrderLine OrdLn.ProdNo=67001 OrdLn.NoInvoAb=4\nOrderLine OrdLn.ProdNo=67002 OrdLn.NoInvoAb=12\n"},
		{files.TableConfig{Template: "visma_order"}, files.VismaImp, "", "OrderHead Ord.CSOrdNo=WEB-100234 Ord.TrTp=1 Ord.CustNo=10005 Ord.Nm=Kari Nordmann AS Ord.Ad1=Storgata 1 Ord.PNo=0155 Ord.PArea=Oslo\n" +
			"OrderLine OrdLn.LnNo=1 OrdLn.ProdNo=67001 OrdLn.Descr=Periquita 2014 OrdLn.NoInvoAb=4 OrdLn.DPrice=91.92\nOrderLine OrdLn.LnNo=2 OrdLn.ProdNo=67002 OrdLn.Descr=P OrdLn.NoInvoAb=12 OrdLn.DPrice=1.00\n"},
	} {
		got, f := deliver(t, tc.cfg, row)
		if f != nil || tc.file != "" && got != tc.file {
			t.Errorf("the file is\n%s (%v), want\n%s", got, f, tc.file)
		}
		if read := imported(t, tc.imp, got); read != tc.want {
			t.Errorf("read as\n%s\nwant\n%s", read, tc.want)
		}
	}
}

// imported reads a file by an .imp: "b" names a layout, whose records begin with H for the head and L for a line, "c" a column and its field.
func imported(t *testing.T, imp, text string) string {
	t.Helper()
	columns := map[string][][2]string{}
	layout := ""
	for l := range strings.Lines(imp) {
		switch f := strings.Split(l, ","); f[0] {
		case "b":
			layout = f[1]
		case "c":
			if f[1] != "RecType" {
				columns[layout] = append(columns[layout], [2]string{f[1], f[2]})
			}
		}
	}
	var out strings.Builder
	for l := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(l, "\n"), ";")
		layout := map[string]string{"H": "OrderHead", "L": "OrderLine"}[f[0]]
		out.WriteString(layout)
		for _, c := range columns[layout] {
			n, err := strconv.Atoi(c[1])
			must(t, err)
			fmt.Fprintf(&out, " %s=%s", c[0], f[n-1])
		}
		out.WriteString("\n")
	}
	return out.String()
}

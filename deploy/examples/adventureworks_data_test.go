//go:build integration

package examples_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// table collects the rows of one file.
type table struct{ bytes.Buffer }

// add appends a row as most of the files have it.
func (f *table) add(columns ...any) { f.row("\t", "\n", columns) }

func (f *table) row(between, end string, columns []any) {
	for i, c := range columns {
		if i > 0 {
			f.WriteString(between)
		}
		fmt.Fprint(f, c)
	}
	f.WriteString(end)
}

var (
	cultures = []string{"ar    ", "en    ", "fr    ", "he    ", "th    ", "zh-cht"}
	words    = []string{"دراجة", "A \"light\" bike", "Un vélo \\N léger", "אופניים", "จักรยาน", "自行車 🚲"}
)

const (
	long = "2022-05-30 00:00:00.000"
	uid  = "694215B7-08F7-4C0D-ACB1-D734BA44C0C8"
)

// writeData writes a small ERP into dir, in the ten files' format: tabs, and +| with &| for models; UTF-8 and both orders of UTF-16, with
// and without byte order mark, lines that end with LF and with CRLF.
func writeData(t *testing.T, dir string) {
	t.Helper()
	var categories, subcategories, models, texts, links, products, stock, prices, offers, offered table
	for i, name := range []string{"Bikes", "Clothing & shoes", "Accessories"} {
		categories.add(i+1, name, uid, long)
	}
	for i, name := range []string{"Road Bikes", "Touring Bikes", "Socks", "Helmets", "Locks"} {
		subcategories.add(i+1, []int{1, 1, 2, 3, 3}[i], name, uid, long)
	}
	for m := 1; m <= 8; m++ {
		xml, steps := "", ""
		if m%3 == 1 {
			xml = "<?xml-stylesheet href=\"m.xsl\"?>\n<p:about xmlns:p=\"urn:m\">\n  Light\tframe + strong | R&amp;D\n\n</p:about>"
		}
		if m%3 == 2 {
			steps = "<root>\n  Step 1 +\n  <step>Weld | bend</step></root>"
		}
		models.row("+|", "&|\n", []any{m, fmt.Sprintf("Modèle %d", m), xml, steps, uid, long})
		for c, culture := range cultures {
			if (m+c)%5 == 0 {
				continue // not every text is there in every language
			}
			texts.add(m*10+c, fmt.Sprintf("%s %d", words[c], m), uid, long)
			links.add(m, m*10+c, culture, long)
		}
	}
	for p := 1; p <= 60; p++ {
		subcategory, model, weight, unit, size, sizeUnit, end, gone := fmt.Sprint(1+p%5), fmt.Sprint(1+p%8), "", "", "", "", "", ""
		switch p % 4 {
		case 0:
			weight, unit, size, sizeUnit = "2.24", "LB ", "58", "CM "
		case 1:
			weight, unit, size = "223.50", "G  ", "XL"
		}
		if p%11 == 0 {
			end = "2023-05-29 00:00:00.000"
		}
		if p%13 == 0 {
			gone = long
		}
		start := long
		if p%17 == 0 {
			start = "2098-01-01 00:00:00.000"
		}
		finished := 1
		if p%6 == 0 {
			finished, subcategory, model = 0, "", ""
		}
		products.add(p, fmt.Sprintf("Product %d, rød", p), fmt.Sprintf("PN-%04d", p), 0, finished, "", 4, 3, "1.2300", "9.9900", size, sizeUnit, unit, weight, 1,
			"R ", "H ", "U ", subcategory, model, start, end, gone, uid, "2025-02-07 10:01:36.827")
		for l := range p % 4 {
			shelf := "N/A"
			if l == 1 {
				shelf = "B"
			}
			stock.add(p, []int{1, 6, 50}[l], shelf, l, (p*7+l*3)%20, uid, long)
		}
		if p%9 != 0 {
			prices.add(p, long, "2023-05-29 00:00:00.000", fmt.Sprintf("%d.6442", p), long)
			prices.add(p, "2023-05-30 00:00:00.000", "", fmt.Sprintf("%d.9950", p), long)
		} else {
			prices.add(p, "2098-01-01 00:00:00.000", "", "77.0000", long)
		}
		offered.add(1, p, uid, long)
		offered.add(2+p%3, p, uid, long)
	}
	offers.add(1, "No Discount", ".0000", "No Discount", "No Discount", long, "2099-11-29 00:00:00.000", 0, "", uid, long)
	offers.add(2, "11 to 14", ".0200", "Volume", "Reseller", long, "2023-05-29 00:00:00.000", 11, 14, uid, long)
	offers.add(3, "15 and more", ".0500", "Volume", "Customer", long, "2099-05-29 00:00:00.000", 15, "", uid, long)
	offers.add(4, "Later", ".5000", "Sale", "Customer", "2098-05-29 00:00:00.000", "2099-05-29 00:00:00.000", 0, "", uid, long)

	crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
	plain := func(s string) []byte { return []byte(s) }
	marked := func(s string) []byte { return []byte("\ufeff" + crlf(s)) }
	little := func(s string) []byte { return utf16Of(binary.LittleEndian, crlf(s)) }
	big := func(s string) []byte { return utf16Of(binary.BigEndian, s) }
	for _, f := range []struct {
		name   string
		table  *table
		encode func(string) []byte
	}{
		{"ProductCategory", &categories, big},
		{"ProductSubcategory", &subcategories, plain},
		{"ProductModel", &models, little},
		{"ProductDescription", &texts, marked},
		{"ProductModelProductDescriptionCulture", &links, plain},
		{"Product", &products, marked},
		{"ProductInventory", &stock, little},
		{"ProductListPriceHistory", &prices, plain},
		{"SpecialOffer", &offers, big},
		{"SpecialOfferProduct", &offered, plain},
	} {
		check(t, os.WriteFile(filepath.Join(dir, f.name+".csv"), f.encode(f.table.String()), 0o600))
	}
}

// utf16Of is s with a byte order mark.
func utf16Of(order binary.AppendByteOrder, s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune("\ufeff" + s)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

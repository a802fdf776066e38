package tabletest

import (
	"testing"

	"shelfstream/schemas"
	"shelfstream/sink"
)

// Shop is a view with texts as keys, a unique number, and lists with and without places of their own.
func Shop() sink.View {
	text := schemas.Type{Kind: schemas.KindText}
	image := schemas.Type{Kind: schemas.KindRecord, Fields: []schemas.Column{{Name: "url", Type: text, Nullable: true}, {Name: "alt", Type: text, Nullable: true}}}
	price := schemas.Type{Kind: schemas.KindRecord, Fields: []schemas.Column{
		{Name: "position", Type: schemas.Type{Kind: schemas.KindInt, Bits: 32}},
		{Name: "amount", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}, Nullable: true},
	}}
	return sink.View{Name: "product", Topic: "moestue.product", Table: &schemas.Table{Name: "moestue.product", Key: []int{0}, Columns: []schemas.Column{
		{Name: "sku", Type: text},
		{Name: "name", Type: text, Nullable: true},
		{Name: "ean", Type: text, Nullable: true},
		{Name: "price", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}, Nullable: true},
		{Name: "stock", Type: schemas.Type{Kind: schemas.KindInt, Bits: 32}, Nullable: true},
		{Name: "images", Type: schemas.Type{Kind: schemas.KindArray, Elem: &image}, Nullable: true},
		{Name: "prices", Type: schemas.Type{Kind: schemas.KindArray, Elem: &price}, Nullable: true},
	}}}
}

// Product is a row of the view Shop; an empty text is null. Price is in hundredths, and prices are places and hundredths.
type Product struct {
	SKU, Name, EAN string
	Price, Stock   int64
	Images         []string
	Prices         [][2]int64
}

// Record is the product on its topic.
func (p Product) Record(offset int64) sink.Record {
	nullable := func(s string) schemas.Value {
		if s == "" {
			return schemas.Null
		}
		return schemas.Text(s)
	}
	var images, prices []schemas.Value
	for _, u := range p.Images {
		images = append(images, schemas.Value{Kind: schemas.KindRecord, List: []schemas.Value{nullable(u), schemas.Null}})
	}
	for _, x := range p.Prices {
		prices = append(prices, schemas.Value{Kind: schemas.KindRecord, List: []schemas.Value{schemas.Int(x[0]), schemas.Dec(x[1], 2)}})
	}
	r := Gone(offset, p.SKU)
	r.Row = []schemas.Value{
		schemas.Text(p.SKU), nullable(p.Name), nullable(p.EAN), schemas.Dec(p.Price, 2), schemas.Int(p.Stock),
		{Kind: schemas.KindArray, List: images},
		{Kind: schemas.KindArray, List: prices},
	}
	return r
}

// Gone is the tombstone of a row whose key is one text.
func Gone(offset int64, key string) sink.Record {
	return sink.Record{Key: append([]byte{byte(len(key) * 2)}, key...), KeyValues: []schemas.Value{schemas.Text(key)}, Offset: offset}
}

// Put writes products as one batch.
func Put(t *testing.T, s sink.Session, products ...Product) []sink.Parked {
	t.Helper()
	b := &sink.Batch{Next: s.Place().Next}
	for _, p := range products {
		b.Records = append(b.Records, p.Record(b.Next))
		b.Next++
	}
	return Apply(t, s, b)
}

// uniqueEAN makes a table in which no two products have one ean; the shop's own column is own.
const uniqueEAN = "CREATE TABLE product (sku varchar(20) {exact} PRIMARY KEY, name varchar(60), ean varchar(20) UNIQUE, price decimal(12,2), stock int, own varchar(9) DEFAULT 'shop')"

// PlainShop is the product's table without its lists.
func PlainShop() Tables {
	return Tables{"product": {From: "product", Columns: Fields{"sku": "sku", "name": "name", "ean": "ean", "price": "price", "stock": "stock"}.Columns()}}
}

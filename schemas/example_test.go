package schemas_test

import (
	"fmt"

	"shelfstream/schemas"
)

// A source describes a table, writes a row, and whoever has the schemas reads it.
func Example() {
	table := &schemas.Table{
		Name: "moestue.erp.price",
		Key:  []int{0},
		Columns: []schemas.Column{
			{Name: "No.", Type: schemas.Type{Kind: schemas.KindText, Length: 20}},
			{Name: "price", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}, Nullable: true},
			{Name: "valid_from", Type: schemas.Type{Kind: schemas.KindDate}},
		},
	}
	codec, err := schemas.Compile(table)
	if err != nil {
		fmt.Println(err)
		return
	}
	row := []schemas.Value{schemas.Text("V-1042"), schemas.Dec(19990, 2), schemas.Date(19723)}
	message := schemas.AppendFrame(nil, 7)
	if message, err = codec.AppendValue(message, row); err != nil {
		fmt.Println(err)
		return
	}

	id, body, err := schemas.ParseFrame(message)
	if err != nil {
		fmt.Println(err)
		return
	}
	read, err := codec.DecodeValue(nil, body)
	fmt.Println(id, read, err)

	row[1] = schemas.Dec(199905, 3)
	_, err = codec.AppendValue(nil, row)
	fmt.Println(err)
	// Output:
	// 7 [V-1042 199.90 2024-01-01] <nil>
	// moestue.erp.price: column price: more digits after the point than decimal(12,2) keeps (value 199.905)
}

// A price with VAT, exact, and rounded once.
func ExampleRound() {
	net, _ := schemas.ParseDecimal("11.90")
	gross, _ := schemas.MulDec(net, schemas.Dec(115, 2))
	rounded, _ := schemas.Round(gross, 2, schemas.HalfUp)
	fmt.Println(gross, rounded)
	// Output: 13.6850 13.69
}

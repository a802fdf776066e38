package files

import (
	_ "embed"
	"maps"
	"slices"

	"shelfstream/sink/render"
)

var (
	//go:embed templates/visma_order.tmpl
	vismaOrder string
	//go:embed templates/sap_orders05.tmpl
	sapOrders05 string
	//go:embed templates/csv.tmpl
	csvLines string
	//go:embed templates/json.tmpl
	jsonRecord string

	// VismaImp is the .imp file that tells Visma Business where the fields of visma_order stand: it is put beside the import once.
	//
	//go:embed templates/visma_order.imp
	VismaImp string
)

// builtIn is a template that is shipped. values are the names of ._values that it knows, all of them optional.
type builtIn struct {
	text   string
	format render.Format
	values []string
}

var builtIns = map[string]builtIn{
	"visma_order": {vismaOrder, render.FormatEDI, []string{"first_line", "transaction_type"}},
	"sap_orders05": {sapOrders05, render.FormatXML, []string{
		"client", "sender_port", "sender", "receiver_port", "receiver", "sales_organisation", "channel", "division", "order_type", "unit", "delivery_date_days",
	}},
	"csv":  {csvLines, render.FormatCSV, nil},
	"json": {jsonRecord, render.FormatJSON, nil},
}

func builtInNames() []string { return slices.Sorted(maps.Keys(builtIns)) }

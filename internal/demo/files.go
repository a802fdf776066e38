package demo

import _ "embed"

// Pipeline is the demo's configuration; it takes ERP_DSN and SHOP_DSN from the environment.
//
//go:embed files/demo.yaml
var Pipeline string

// Rules is the rule file that the configuration names demo.rules.yaml.
//
//go:embed files/demo.rules.yaml
var Rules string

// PipelineWithOrders is Pipeline and the way back; it also takes ORDER_DIR, the folder of instruction files. Its rule files are demo.rules.yaml and order.rules.yaml.
//
//go:embed files/orders.yaml
var PipelineWithOrders string

// OrderRules is the rule file that PipelineWithOrders names order.rules.yaml.
//
//go:embed files/order.rules.yaml
var OrderRules string

// ShopOrders makes the shop's tables for orders, ERPOrders what the ERP needs beside ERPSchema.
var (
	//go:embed files/shop_orders.sql
	ShopOrders string
	//go:embed files/erp_orders.sql
	ERPOrders string
)

// ERPSchema makes the ERP's tables in an empty PostgreSQL database.
//
//go:embed files/erp.sql
var ERPSchema string

var (
	//go:embed files/oracle_product.sql
	oracleProduct string
	//go:embed files/oracle_image.sql
	oracleImage string
	//go:embed files/shop_product.sql
	shopProduct string
	//go:embed files/shop_image.sql
	shopImage string
)

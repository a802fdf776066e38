package schemas

import _ "embed"

// CheckpointSchema is the Avro schema of the records of "<pipeline>.<source>.checkpoints".
//
//go:embed checkpoint.avsc
var CheckpointSchema string

// ProductSchema is the Avro schema of a product as shops know it: what a product view's rules aim at, and what a sink may
// count on if its view keeps to it.
//
//go:embed product.avsc
var ProductSchema string

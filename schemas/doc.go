// Package schemas is the contract between the rooms: the words in which capture, transform and sink speak of tables, rows and
// values on topics.
//
// In: a Table, from a database's catalogue (capture) or from rules (transform). Out: its Codec, which writes and reads the Avro
// bodies of keys and rows; through a registry (package registry) any other client reads them too. The published shapes
// that are the same everywhere stand beside it: checkpoint.avsc and product.avsc.
//
// Guaranteed: the bytes are those that goavro writes for the same schema and values; what does not fit a column is refused,
// never cut; numbers are exact; the same table gives the same schema text and the same row the same bytes; decoding never
// panics and never allocates more than a fixed multiple of its input. It imports nothing of ours.
//
// # Columns in Avro
//
//	bool                 boolean
//	int16, int32, int64  int (with "connect.type": "int16"), int, long
//	decimal(p,s)         bytes, logicalType decimal; a negative scale or one above the precision becomes the decimal that holds it
//	decimal              string, the number's text with every digit it was given ("shelfstream.kind": "decimal")
//	float32, float64     float, double
//	text, text(n)        string ("shelfstream.length": n)
//	bytes                bytes
//	date                 int, logicalType date
//	time                 long, logicalType time-micros
//	timestamp            long, logicalType local-timestamp-micros
//	timestamptz          long, logicalType timestamp-micros
//	uuid                 string, logicalType uuid
//	json                 string ("connect.name": "io.debezium.data.Json")
//	enum                 string ("shelfstream.kind": "enum", "shelfstream.symbols": [...])
//	list of T            array of ["null", T]; a list of records is an array of the record
//	record               record, named after its parents: product_prices
//
// A nullable column is ["null", T] with default null. A topic "moestue.erp.product" gives the record "product" in the
// namespace "moestue.erp", its key "productKey". A column whose name Avro does not allow ("VAT %") has a field name
// made of it ("VAT__") and its own name in the field's property "shelfstream.column".
//
// # Special values
//
// Dates are days and timestamps are microseconds in the proleptic Gregorian calendar, so those before Christ are plain negative
// numbers (44-03-15 BC is -735160 days). PostgreSQL's infinity is the largest and -infinity the smallest value of
// the Avro type: ±(2^31) days (DateInfinity, DateNegInfinity), ±(2^63) microseconds (TimestampInfinity,
// TimestampNegInfinity).
//
// NaN and the infinities of a float column are those of IEEE 754. In a decimal column without precision they are the texts "NaN",
// "Infinity" and "-Infinity" (a KindDecimal whose Scale is one of the Special constants). decimal(p,s) has no place for
// them: capture publishes such a column as nullable, the value as null, and adds the header "__special" with
// "column=NaN" to the record. Arithmetic refuses special values.
//
// Dates that no calendar has, which MySQL can be made to keep ("0000-00-00", "2024-00-15", "2023-02-31"), are published in the same way: the column is
// nullable, the value null, and the header "__special" has the text that the database prints, "born=0000-00-00".
package schemas

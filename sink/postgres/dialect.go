package postgres

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/sink/table"
)

// Shelfstream's own tables. The places change with each transaction: room on each page lets PostgreSQL do that without touching the index.
const (
	offsetsDDL = `CREATE TABLE IF NOT EXISTS shelfstream_offsets (
  sink text NOT NULL,
  topic text NOT NULL,
  "partition" integer NOT NULL,
  next_offset bigint NOT NULL,
  replay_until bigint NOT NULL,
  prune smallint NOT NULL,
  epoch bigint NOT NULL,
  owner text NOT NULL,
  updated_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  tables_had_rows smallint NOT NULL,
  PRIMARY KEY (sink, topic, "partition")
) WITH (fillfactor = 20);
COMMENT ON TABLE shelfstream_offsets IS 'where each sink stands; changes in one transaction with the rows'`

	parkedDDL = `CREATE TABLE IF NOT EXISTS shelfstream_parked (
  sink text NOT NULL,
  topic text NOT NULL,
  "partition" integer NOT NULL,
  "offset" bigint NOT NULL,
  record_id bytea NOT NULL,
  record_hash bytea NOT NULL,
  record_key text NOT NULL,
  cause text NOT NULL,
  place text NOT NULL,
  reason text NOT NULL,
  fix text NOT NULL,
  waits_for bytea,
  record_time timestamptz,
  first_seen timestamptz NOT NULL,
  last_tried timestamptz NOT NULL,
  attempts integer NOT NULL,
  PRIMARY KEY (sink, topic, "partition", "offset")
);
CREATE INDEX IF NOT EXISTS shelfstream_parked_hash ON shelfstream_parked (sink, topic, "partition", record_hash);
COMMENT ON TABLE shelfstream_parked IS 'products a sink could not write, and why; a row leaves when a newer state of its product is written'`
)

const (
	// loadFrom is the number of records from which COPY into a temporary table and one INSERT … SELECT beat INSERT … VALUES (BenchmarkSession).
	loadFrom = 200
	// maxPacket is far below what the server takes (1 GB).
	maxPacket = 64 << 20
)

// newDialect is PostgreSQL as the engine sees it.
func newDialect(pipeline, sinkName string) *table.Dialect {
	d := &table.Dialect{
		Section: section,
		Causes: table.Causes{
			Unreachable: fault.PGSinkUnreachable, Privilege: fault.PGSinkPrivilege, TableMissing: fault.PGSinkTableMissing,
			ColumnMissing: fault.PGSinkColumnMissing, ColumnUnfit: fault.PGSinkColumnUnfit, ColumnUnfed: fault.PGSinkColumnUnfed, Key: fault.PGSinkKey,
		},
		Quote: quote, Table: quoteTable,
		Text: appendText, Bytes: appendBytes, ParseBytes: parseBytes, Parse: parse,
		Now:     "clock_timestamp()",
		Micros:  func(column string) string { return "(extract(epoch FROM " + column + ") * 1000000)::bigint" },
		Careful: "START TRANSACTION; SET CONSTRAINTS ALL IMMEDIATE",
		Conflict: func(key []string) string {
			return " ON CONFLICT (" + quoteNames(key) + ") DO UPDATE SET "
		},
		New:  func(column string) string { return "excluded." + quote(column) },
		Same: func(c *table.ColumnInfo, literal string) string { return quote(c.Name) + " = " + literal },
		Empty: func(c *table.ColumnInfo) string {
			n := quoteTable(c.Table) + "." + quote(c.Name)
			switch c.Class {
			case table.ClassText:
				return "coalesce(length(" + n + "), 0) = 0" // a collation may take a blank for nothing
			case table.ClassBytes, table.ClassJSON, table.ClassOther:
				return "coalesce(" + n + "::text, '') IN ('', '\\x')"
			default:
				return n + " IS NULL"
			}
		},
		Stored:     func(dst []byte, _ *table.ColumnInfo, text []byte) []byte { return appendText(dst, text) },
		Spare:      spare,
		ByIndex:    func(string) string { return "" },
		FewAtOnce:  func(int64) int { return 1000 },
		Offsets:    offsetsDDL,
		Parked:     parkedDDL,
		Facts:      facts,
		Catalog:    catalog,
		Grants:     grants,
		ColumnType: columnType, Create: create, Add: add,
		Alter: alter, AlterKey: alterKey, Precise: precise, KeyUnfit: keyUnfit,
		Writer:      newWriter,
		Kind:        kind,
		Environment: environment,
		Refusal:     refusal,
	}
	// Whoever captures this database for the same pipeline knows by the message that the transaction is ours, and drops it (capture/postgres).
	d.Mark = "SELECT pg_catalog.pg_logical_emit_message(true, 'shelfstream', " + string(appendText(nil, []byte(pipeline+"/"+sinkName))) + ")"
	return d
}

// facts asks whether temporary tables may be made, and for the encoding.
func facts(ctx context.Context, c table.Conn) (table.Facts, error) {
	f := table.Facts{MaxPacket: maxPacket}
	err := c.Query(ctx, []byte("SELECT has_database_privilege(current_database(), 'TEMPORARY'), current_setting('server_encoding')"), func(vals [][]byte) error {
		if string(vals[0]) == "t" {
			f.LoadFrom = loadFrom
		}
		f.PlainNotes = string(vals[1]) != "UTF8"
		return nil
	})
	return f, err
}

// spare is a value that nobody has.
func spare(c *table.ColumnInfo) string {
	switch {
	case c.Class == table.ClassText && (c.Length == 0 || c.Length >= 8):
		length := 20
		if c.Length > 0 {
			length = min(length, c.Length)
		}
		return fmt.Sprintf("'~' || right(translate(gen_random_uuid()::text, '-', ''), %d)", length-1)
	case c.Class == table.ClassInt:
		return fmt.Sprintf("%d - %s", c.Max, quote(c.Name))
	case c.Class == table.ClassUUID:
		return "gen_random_uuid()"
	}
	return ""
}

// appendText appends a string literal. standard_conforming_strings is on, so only the quote means anything inside one.
func appendText(dst, b []byte) []byte {
	dst = append(dst, '\'')
	for _, c := range b {
		if c == '\'' {
			dst = append(dst, '\'')
		}
		dst = append(dst, c)
	}
	return append(dst, '\'')
}

func appendBytes(dst, b []byte) []byte {
	dst = append(dst, `'\x`...)
	dst = hex.AppendEncode(dst, b)
	return append(dst, '\'')
}

// parseBytes reads bytea_output = hex.
func parseBytes(text []byte) []byte {
	b, err := hex.DecodeString(strings.TrimPrefix(string(text), `\x`))
	if err != nil || len(b) == 0 {
		return nil
	}
	return b
}

//go:build integration

package registry

import (
	"encoding/hex"
	"os/exec"
	"strings"
	"testing"

	"shelfstream/internal/testenv"
	"shelfstream/schemas"
)

// reader is what an analyst writes: the id from the frame, the schema from the registry, the record by fastavro.
const reader = `
import io, json, struct, sys, urllib.request
import fastavro
base, frame = sys.argv[1], bytes.fromhex(sys.argv[2])
magic, number = struct.unpack(">bI", frame[:5])
assert magic == 0
schema = json.loads(json.load(urllib.request.urlopen(base + "/schemas/ids/%d" % number))["schema"])
body = io.BytesIO(frame[5:])
record = fastavro.schemaless_reader(body, fastavro.parse_schema(schema), None)
assert body.read() == b""
for name, value in record.items():
    print(name, repr(value))
`

// A client that has nothing of ours reads keys and rows by our registry, with the logical types' meanings.
func TestFastavroReadsOurRecords(t *testing.T) {
	exe, err := testenv.FastavroPython(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	web, _ := start(t, &memoryLog{})
	text := schemas.Type{Kind: schemas.KindText}
	kind := func(k schemas.Kind) schemas.Type { return schemas.Type{Kind: k} }
	images := schemas.Type{Kind: schemas.KindArray, Elem: &schemas.Type{Kind: schemas.KindRecord, Fields: []schemas.Column{{Name: "url", Type: text}}}}
	table := product(
		schemas.Column{Name: "name", Type: text, Nullable: true},
		schemas.Column{Name: "sold", Type: schemas.Type{Kind: schemas.KindInt, Bits: 16}},
		schemas.Column{Name: "on", Type: kind(schemas.KindBool)},
		schemas.Column{Name: "day", Type: kind(schemas.KindDate)},
		schemas.Column{Name: "at", Type: kind(schemas.KindTimestampTZ), Nullable: true},
		schemas.Column{Name: "wall", Type: kind(schemas.KindTimestamp)},
		schemas.Column{Name: "clock", Type: kind(schemas.KindTime)},
		schemas.Column{Name: "price", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 38, Scale: 20}, Nullable: true},
		schemas.Column{Name: "exact", Type: kind(schemas.KindDecimal)},
		schemas.Column{Name: "id", Type: kind(schemas.KindUUID)},
		schemas.Column{Name: "tags", Type: schemas.Type{Kind: schemas.KindArray, Elem: &text}},
		schemas.Column{Name: "images", Type: images},
	)
	keyID, valueID := register(t, NewClient(web.URL), table)
	codec, err := schemas.Compile(table)
	if err != nil {
		t.Fatal(err)
	}
	price, err := schemas.ParseDecimal("-999999999999999999.00000000000000000001")
	if err != nil {
		t.Fatal(err)
	}
	row := []schemas.Value{
		schemas.Text("V-1"), schemas.Null, schemas.Int(-7), schemas.Bool(true), schemas.Date(-1), schemas.TimestampTZ(5), schemas.Timestamp(86_400_000_001),
		{Kind: schemas.KindTime, Int: 3_600_000_000},
		price, schemas.Dec(1250, 3),
		{Kind: schemas.KindUUID, Bytes: []byte("0123456789abcdef")},
		{Kind: schemas.KindArray, List: []schemas.Value{schemas.Text("rød"), schemas.Null}},
		{Kind: schemas.KindArray, List: []schemas.Value{{Kind: schemas.KindRecord, List: []schemas.Value{schemas.Text("a.jpg")}}}},
	}
	read := func(frame []byte, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), exe, "-c", reader, web.URL, hex.EncodeToString(frame)).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if got := read(codec.AppendKey(schemas.AppendFrame(nil, keyID), row)); got != "Item_No_ 'V-1'" {
		t.Errorf("key: %s", got)
	}
	const want = `Item_No_ 'V-1'
name None
sold -7
on True
day datetime.date(1969, 12, 31)
at datetime.datetime(1970, 1, 1, 0, 0, 0, 5, tzinfo=datetime.timezone.utc)
wall datetime.datetime(1970, 1, 2, 0, 0, 0, 1)
clock datetime.time(1, 0)
price Decimal('-999999999999999999.00000000000000000001')
exact '1.250'
id UUID('30313233-3435-3637-3839-616263646566')
tags ['rød', None]
images [{'url': 'a.jpg'}]`
	if got := read(codec.AppendValue(schemas.AppendFrame(nil, valueID), row)); got != want {
		t.Errorf("row:\n%s\nwant\n%s", got, want)
	}
}

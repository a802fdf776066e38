package registry

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// step is a request and what must come back.
type step struct {
	method, path, body string
	status             int
	want               string // the whole body, or its start if it ends in "…"
}

func (s step) run(t *testing.T, do func(method, path, body string) (int, string)) {
	t.Helper()
	status, body := do(s.method, s.path, s.body)
	start, cut := strings.CutSuffix(s.want, "…")
	if status != s.status || body != s.want && !(cut && strings.HasPrefix(body, start)) {
		t.Errorf("%s %s: %d %s\nwant %d %s", s.method, s.path, status, body, s.status, s.want)
	}
}

const (
	fieldA = `{"name":"a","type":"int"}`
	fieldB = `{"name":"b","type":"int"}`
	withA  = `{"type":"record","name":"r","fields":[{"name":"a","type":"int"}]}`
)

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// One life of a registry, as Confluent's interface has it; then the same questions to one that is rebuilt from the log,
// and from the log compacted.
func TestServerAnswersAsConfluents(t *testing.T) {
	log := &memoryLog{}
	web, _ := start(t, log)
	do := func(method, path, body string) (int, string) { return call(t, web, method, path, body) }
	spaced := "{ \"type\": \"record\",\n \"name\":\"r\", \"fields\":[" + fieldA + "] }"
	for _, s := range []step{
		{"GET", "/", "", 200, `{}`},
		{"GET", "/subjects", "", 200, `[]`},
		{"GET", "/config", "", 200, `{"compatibilityLevel":"BACKWARD"}`},
		{"GET", "/mode", "", 200, `{"mode":"READWRITE"}`},
		{"GET", "/schemas/types", "", 200, `["AVRO"]`},
		{"GET", "/subjects/s/versions", "", 404, `{"error_code":40401,"message":"Subject 's' not found."}`},
		{"GET", "/subjects/s/versions/latest", "", 404, `{"error_code":40401,…`},
		{"POST", "/subjects/s", wrapped(withA), 404, `{"error_code":40401,…`},
		{"DELETE", "/subjects/s", "", 404, `{"error_code":40401,…`},
		{"GET", "/schemas/ids/1", "", 404, `{"error_code":40403,"message":"Schema 1 not found"}`},
		{"GET", "/schemas/ids/x", "", 404, `{"error_code":404,…`},
		{"GET", "/config/s", "", 404, `{"error_code":40408,…`},
		{"GET", "/mode/s", "", 404, `{"error_code":40409,…`},
		{"GET", "/nowhere", "", 404, `{"error_code":404,…`},
		{"POST", "/subjects/s/versions", "{", 422, `{"error_code":422,…`},
		{"POST", "/subjects/s/versions", wrapped(`{"type":"nonsense"}`), 422, `{"error_code":42201,"message":"Invalid schema: …`},
		{"POST", "/subjects/s/versions", wrapped(`{"type":"record","name":"1x","fields":[]}`), 422, `{"error_code":42201,…`},
		{"POST", "/subjects/s/versions", `{"schemaType":"PROTOBUF","schema":"x"}`, 422, `{"error_code":42201,…`},
		{"POST", "/subjects/s/versions", `{"schema":"\"int\"","references":[{}]}`, 422, `{"error_code":42201,…`},

		{"POST", "/subjects/s/versions", wrapped(spaced), 200, `{"id":1}`},
		{"POST", "/subjects/s/versions", wrapped(withA), 200, `{"id":1}`},
		{"POST", "/subjects/other/versions", wrapped(withA), 200, `{"id":1}`},
		{"POST", "/subjects/a%2Fb%20c/versions", wrapped(`"string"`), 200, `{"id":2}`},
		{"POST", "/subjects/word/versions", wrapped(`string`), 200, `{"id":2}`},
		{"GET", "/subjects/a%2Fb%20c/versions/1/schema", "", 200, `"string"`},
		{"GET", "/subjects", "", 200, `["a/b c","other","s","word"]`},
		{"GET", "/subjects?subjectPrefix=o", "", 200, `["other"]`},
		{"POST", "/subjects/s", wrapped(spaced), 200, `{"subject":"s","version":1,"id":1,"schema":` + quoted(withA) + `}`},
		{"POST", "/subjects/s", wrapped(`"int"`), 404, `{"error_code":40403,"message":"Schema not found"}`},

		// b without a default cannot be read from what was written without it.
		{"POST", "/subjects/s/versions", wrapped(recordOf(fieldA + "," + fieldB)), 409, `{"error_code":409,…`},
		{
			"POST", "/compatibility/subjects/s/versions/latest?verbose=true", wrapped(recordOf(fieldA + "," + fieldB)), 200,
			`{"is_compatible":false,"messages":["/b: the writer has no such field and the reader no default for it"]}`,
		},
		{"POST", "/compatibility/subjects/s/versions", wrapped(withA), 200, `{"is_compatible":true}`},
		{"POST", "/compatibility/subjects/s/versions/7", wrapped(withA), 404, `{"error_code":40402,…`},
		{"PUT", "/config/s", `{"compatibility":"SOMETIMES"}`, 422, `{"error_code":42203,…`},
		{"PUT", "/config/s", `{"compatibility":"none"}`, 200, `{"compatibility":"NONE"}`},
		{"POST", "/subjects/s/versions", wrapped(recordOf(fieldA + "," + fieldB)), 200, `{"id":3}`},
		{"PUT", "/config", `{"compatibility":"FULL"}`, 200, `{"compatibility":"FULL"}`},
		{"GET", "/config/word?defaultToGlobal=true", "", 200, `{"compatibilityLevel":"FULL"}`},
		{"DELETE", "/config/word", "", 404, `{"error_code":40408,…`},
		{"PUT", "/config/word", `{"compatibility":"FORWARD"}`, 200, `{"compatibility":"FORWARD"}`},
		{"DELETE", "/config/word", "", 200, `{"compatibilityLevel":"FORWARD"}`},

		{"GET", "/subjects/s/versions/0", "", 422, `{"error_code":42202,…`},
		{"GET", "/subjects/s/versions/x", "", 422, `{"error_code":42202,…`},
		{"GET", "/subjects/s/versions/3", "", 404, `{"error_code":40402,"message":"Version 3 not found."}`},
		{"PUT", "/mode", `{"mode":"READWRITE"}`, 200, `{"mode":"READWRITE"}`},
		{"PUT", "/mode/s", `{"mode":"READONLY"}`, 422, `{"error_code":42205,…`},
		{"DELETE", "/subjects/other?permanent=true", "", 422, `{"error_code":42205,…`},
		{"DELETE", "/subjects/other/versions/1?permanent=true", "", 422, `{"error_code":42205,…`},
		{"DELETE", "/subjects/other", "", 200, `[1]`},
		{"DELETE", "/subjects/other", "", 404, `{"error_code":40404,…`},
		{"POST", "/subjects/other/versions", wrapped(withA), 200, `{"id":1}`},
		{"POST", "/subjects/s/versions", wrapped(`"long"`), 200, `{"id":4}`},
		{"DELETE", "/subjects/s/versions/latest", "", 200, `3`},
		{"DELETE", "/subjects/s/versions/3", "", 404, `{"error_code":40406,…`},
	} {
		s.run(t, do)
	}
	after := []step{
		{"GET", "/subjects", "", 200, `["a/b c","other","s","word"]`},
		{"GET", "/subjects/s/versions", "", 200, `[1,2]`},
		{"GET", "/subjects/s/versions?deleted=true", "", 200, `[1,2,3]`},
		{"GET", "/subjects/other/versions", "", 200, `[2]`},
		{"GET", "/subjects/s/versions/latest", "", 200, `{"subject":"s","version":2,"id":3,"schema":` + quoted(recordOf(fieldA+","+fieldB)) + `}`},
		{"GET", "/subjects/s/versions/-1", "", 200, `{"subject":"s","version":2,…`},
		{"GET", "/subjects/s/versions/1/schema", "", 200, withA},
		{"GET", "/subjects/s/versions/1/referencedby", "", 200, `[]`},
		{"GET", "/schemas/ids/1", "", 200, `{"schema":` + quoted(withA) + `}`},
		{"GET", "/schemas/ids/1?subject=s", "", 200, `{"schema":` + quoted(withA) + `}`},
		{"GET", "/schemas/ids/4?fetchMaxId=true", "", 200, `{"schema":"\"long\"","maxId":4}`},
		{"GET", "/schemas/ids/1/schema", "", 200, withA},
		{"GET", "/schemas/ids/1/versions", "", 200, `[{"subject":"other","version":2},{"subject":"s","version":1}]`},
		{"GET", "/schemas/ids/1/versions?subject=s", "", 200, `[{"subject":"s","version":1}]`},
		{"GET", "/schemas/ids/2/subjects", "", 200, `["a/b c","word"]`},
		{"GET", "/schemas?subjectPrefix=s&latestOnly=true", "", 200, `[{"subject":"s","version":2,…`},
		{"GET", "/config", "", 200, `{"compatibilityLevel":"FULL"}`},
		{"GET", "/config/s", "", 200, `{"compatibilityLevel":"NONE"}`},
		{"GET", "/config/word", "", 404, `{"error_code":40408,…`},
	}
	for _, s := range after {
		s.run(t, do)
	}
	web, _ = start(t, log)
	for _, s := range after {
		s.run(t, do)
	}
	log.compact()
	web, _ = start(t, log)
	for _, s := range append(after,
		step{"POST", "/subjects/s/versions", wrapped(`"double"`), 200, `{"id":5}`},
		step{"GET", "/subjects/s/versions", "", 200, `[1,2,4]`},
	) {
		s.run(t, do)
	}
}

func TestLogRecordsLookLikeConfluents(t *testing.T) {
	log := &memoryLog{}
	web, _ := start(t, log)
	call(t, web, "PUT", "/config/s", `{"compatibility":"NONE"}`)
	call(t, web, "PUT", "/config", `{"compatibility":"NONE"}`)
	call(t, web, "POST", "/subjects/s/versions", wrapped(`"int"`))
	call(t, web, "DELETE", "/subjects/s", "")
	var got []string
	for _, r := range log.records {
		got = append(got, string(r.key)+" "+string(r.value))
	}
	want := []string{
		`{"keytype":"CONFIG","subject":"s","magic":0} {"compatibilityLevel":"NONE"}`,
		`{"keytype":"CONFIG","subject":null,"magic":0} {"compatibilityLevel":"NONE"}`,
		`{"keytype":"SCHEMA","subject":"s","version":1,"magic":1} {"subject":"s","version":1,"id":1,"schema":"\"int\"","deleted":false}`,
		`{"keytype":"DELETE_SUBJECT","subject":"s","magic":0} {"subject":"s","version":1}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the log holds\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestServerWithABrokenLog(t *testing.T) {
	log := &memoryLog{}
	web, _ := start(t, log)
	log.fail = errors.New("no leader")
	if status, body := call(t, web, "POST", "/subjects/s/versions", wrapped(`"int"`)); status != 500 ||
		body != `{"error_code":50001,"message":"Error in the backend data store: no leader"}` {
		t.Errorf("%d %s", status, body)
	}
	// What failed may be in the log all the same, so its id is not given to another schema.
	log.fail = nil
	if _, body := call(t, web, "POST", "/subjects/s/versions", wrapped(`"long"`)); body != `{"id":2}` {
		t.Errorf("after the failure: %s", body)
	}
	for _, r := range []record{{[]byte("{"), nil}, {[]byte(`{"keytype":"SCHEMA"}`), []byte("[]")}, {[]byte(`{"keytype":"CONFIG"}`), []byte("1")}} {
		if _, err := NewServer(t.Context(), &memoryLog{records: []record{r}}); err == nil || !strings.Contains(err.Error(), "registry record with key") {
			t.Errorf("%s: %v", r.key, err)
		}
	}
	confluents := []record{
		{[]byte(`{"keytype":"NOOP","magic":0}`), nil},
		{[]byte(`{"keytype":"SCHEMA","subject":"t-value","version":3,"magic":1}`), []byte(`{"subject":"t-value","version":3,"id":41,"md5":"x","schema":"\"int\"","deleted":false}`)},
	}
	web, _ = start(t, &memoryLog{records: confluents})
	if _, body := call(t, web, "POST", "/subjects/t-value/versions", wrapped(`"long"`)); body != `{"id":42}` {
		t.Errorf("after records of Confluent's: %s", body)
	}
}

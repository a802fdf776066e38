package archtest

import "slices"

// folder is what the files below a folder may import of this module, by longest prefix of the folder's name.
type folder struct {
	path string
	// own are the allowed folders of this module, exactly as written; "*" is everything. A folder may always import those below
	// itself that are not folders of this table.
	own []string
	// tests are allowed to test files beside own.
	tests []string
}

var (
	stage     = []string{"schemas", "schemas/registry", "internal/kafka", "internal/fault", "internal/retry", "status", "status/exchange"}
	stageTest = []string{"internal/kafka/embedded", "internal/testenv", "status/exchange/exchangetest"}
	source    = []string{"capture", "schemas", "internal/retry", "internal/fault"}
	target    = []string{"sink", "sink/table", "schemas", "internal/retry", "internal/fault"}
)

// table is the import table of ARCHITECTURE.md. The three stages never import each other; they meet on topics, in the words of schemas.
var table = []folder{
	{path: "schemas"},
	{path: "schemas/registry", own: []string{"schemas", "internal/fault", "internal/retry"}, tests: []string{"internal/kafka", "internal/kafka/embedded", "internal/testenv"}},

	{path: "capture", own: stage, tests: append([]string{"capture/capturetest"}, stageTest...)},
	{path: "capture/capturetest", own: slices.Concat(stage, []string{"capture", "internal/kafka/embedded"})},
	{path: "capture/postgres", own: source, tests: slices.Concat([]string{"capture/capturetest"}, stage, stageTest)},
	{path: "capture/mysql", own: source, tests: slices.Concat([]string{"capture/capturetest"}, stage, stageTest)},

	{path: "transform", own: slices.Concat(stage, []string{"transform/rules", "internal/diskspace"}), tests: stageTest},
	{path: "transform/rules", own: []string{"schemas", "internal/fault"}},

	{path: "sink", own: stage, tests: append([]string{"sink/sinktest"}, stageTest...)},
	{path: "sink/sinktest", own: slices.Concat(stage, []string{"sink", "internal/kafka/embedded"})},
	{path: "sink/ledger", own: []string{"sink", "internal/kafka", "internal/fault"}, tests: slices.Concat([]string{"sink/sinktest"}, stageTest)},
	{path: "sink/table", own: target, tests: slices.Concat([]string{"sink/sinktest"}, stage, stageTest)},
	{path: "sink/table/tabletest", own: slices.Concat(target, []string{"sink/sinktest", "internal/testenv"})},
	{path: "sink/mysql", own: target, tests: slices.Concat([]string{"sink/sinktest", "sink/table/tabletest"}, stage, stageTest)},
	{path: "sink/files", own: slices.Concat(target, []string{"sink/ledger", "sink/render", "internal/kafka", "status", "status/exchange"}), tests: slices.Concat([]string{"sink/sinktest"}, stageTest)},
	{path: "sink/render", own: []string{"schemas", "internal/fault"}},
	{path: "sink/rest", own: slices.Concat(target, []string{"sink/ledger", "sink/render", "schemas/registry", "internal/kafka", "status", "status/exchange"}), tests: slices.Concat([]string{"sink/sinktest"}, stageTest)},
	{path: "sink/postgres", own: target, tests: slices.Concat([]string{"sink/sinktest", "sink/table/tabletest"}, stage, stageTest)},

	{path: "status", own: []string{"internal/fault"}},
	{path: "status/exchange", own: []string{"internal/fault", "internal/kafka", "internal/retry", "status"}, tests: stageTest},
	{path: "status/roster", own: []string{"internal/fault", "internal/kafka", "internal/retry", "status"}, tests: stageTest},
	{path: "status/incident", own: []string{"internal/fault", "internal/kafka", "internal/retry", "status", "status/exchange", "status/roster", "status/escalate", "status/notify"}, tests: stageTest},
	{path: "status/escalate", own: []string{"internal/fault", "internal/retry", "status"}},
	{path: "status/notify", own: []string{"internal/fault", "internal/retry", "status", "status/escalate", "status/exchange"}, tests: []string{"internal/testenv/mailbox"}},
	{path: "status/audit", own: []string{"internal/fault", "internal/kafka", "internal/retry"}, tests: stageTest},
	{path: "status/login"},
	{path: "status/chart"},
	{path: "status/web", own: []string{"internal/fault", "status", "status/audit", "status/chart", "status/exchange", "status/login"}},

	{path: "internal/fault"},
	{path: "internal/diskspace", own: []string{"internal/fault"}},
	{path: "internal/retry", own: []string{"internal/fault"}},
	{path: "internal/kafka", own: []string{"internal/fault", "internal/retry"}, tests: []string{"internal/kafka/embedded", "internal/testenv"}},
	{path: "internal/kafka/embedded", own: []string{"internal/fault", "internal/diskspace"}, tests: []string{"internal/kafka", "internal/testenv"}},
	{path: "internal/config", own: []string{"internal/fault", "schemas"}},
	{path: "internal/testenv", own: []string{"internal/fault"}},
	{path: "internal/testenv/embeddedlog", own: []string{"internal/fault", "internal/kafka/embedded"}},
	{path: "internal/archtest"},
	{path: "internal/demo", own: []string{"*"}},
	{path: "internal/e2e", own: []string{"*"}},

	{path: "cmd", own: []string{"*"}},
	{path: "deploy", own: []string{"*"}},
	{path: "scripts"},
}

// reserved are outside modules that only some folders use; test files may use them anywhere.
var reserved = []struct {
	why     string
	modules []string
	folders []string // a trailing / means: only below it
}{
	{
		why:     "only connectors talk to databases",
		modules: []string{"github.com/jackc/", "github.com/go-sql-driver/mysql", "github.com/go-mysql-org/", "github.com/microsoft/go-mssqldb", "database/sql"},
		folders: []string{"capture/", "sink/", "internal/testenv", "internal/demo", "internal/deps", "cmd", "deploy"},
	},
	{
		why:     "internal/kafka is the only way to a broker",
		modules: []string{"github.com/segmentio/kafka-go", "github.com/twmb/franz-go/pkg/kgo", "github.com/twmb/franz-go/pkg/kfake"},
		folders: []string{"internal/kafka", "internal/testenv", "internal/deps", "deploy/bench"},
	},
	{
		// capture compares a snapshot with what its topics hold in a store that it throws away afterwards.
		why:     "only the transform keeps state on disk, and capture while it compares a snapshot",
		modules: []string{"github.com/cockroachdb/pebble"},
		folders: []string{"transform", "capture", "internal/deps"},
	},
}

// noNames say nothing of what is inside.
var noNames = []string{"pkg", "util", "utils", "common", "helper", "helpers", "mock", "mocks", "misc", "base", "lib"}

// maxLines is where a file should have been split.
const maxLines = 500

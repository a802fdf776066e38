package tabletest

import (
	"strconv"
	"strings"
	"testing"

	"shelfstream/sink/sinktest"
)

// Contract runs the contract of sinktest, with a name that is refused before it is sent, and with one that only the server refuses, so that it is found by bisection.
func Contract(t *testing.T, k *Kit) {
	for name, c := range map[string]struct{ ddl, bad string }{
		"too long": {"", strings.Repeat("x", 41)},
		"check":    {", CONSTRAINT nice CHECK (name <> 'bad')", "bad"},
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				d := k.Database(t, "CREATE TABLE product ("+counted+c.ddl+")")
				tg := d.Target(Tables{"product": {From: "product"}}, sinktest.View())
				return sinktest.Harness{Target: tg, BadName: c.bad, NoNUL: k.NoNUL, Rows: func(*testing.T) map[int64]string {
					out := map[int64]string{}
					for _, r := range d.Rows("SELECT no, name, counter FROM product") {
						no, rest, _ := strings.Cut(r, "|")
						n, err := strconv.ParseInt(no, 10, 64)
						if err != nil {
							d.T.Fatal(err)
						}
						out[n] = rest
					}
					return out
				}}
			})
		})
	}
}

// counted are the columns of sinktest's view.
const counted = "no bigint PRIMARY KEY, name varchar(40) {exact}, counter bigint"

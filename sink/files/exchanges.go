package files

import (
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status"
	"shelfstream/status/exchange"
)

// The kinds of exchanges with a folder, beside the runner's transactions.
const (
	exchangeFile        = "file"
	exchangeAcknowledge = "acknowledgement"
	exchangeRefuse      = "refusal"
)

// wrote tells of files that were written, or could not be.
func (t *Target) wrote(jobs []job, begun time.Time, err error) {
	e := exchange.Exchange{Kind: exchangeFile, Direction: exchange.Out, At: begun, Attempt: 1, Records: int64(len(jobs))}
	for i := range jobs {
		e.Bytes += int64(len(jobs[i].content))
		if i < status.MaxSamples {
			e.Keys = append(e.Keys, jobs[i].entry.Name)
		}
	}
	t.spoke(e, err)
}

// heard tells of answers that were seen.
func (t *Target) heard(kind string, names []string, begun time.Time, err error) {
	if len(names) > 0 {
		t.spoke(exchange.Exchange{Kind: kind, Direction: exchange.In, At: begun, Attempt: 1, Records: int64(len(names)), Keys: names[:min(len(names), status.MaxSamples)]}, err)
	}
}

func (t *Target) spoke(e exchange.Exchange, err error) {
	if t.opts.Exchanges == nil {
		return
	}
	e.Link, e.Took, e.Outcome = "sink "+t.opts.Sink, t.opts.Now().Sub(e.At), exchange.OK
	if err != nil {
		e.Outcome = exchange.Failed
		j := status.FaultJSON{What: err.Error()}
		if l := fault.All(err); len(l) > 0 {
			j = status.FaultJSONOf(l[0])
		}
		e.Fault = &j
	}
	t.opts.Exchanges.Add(e)
}

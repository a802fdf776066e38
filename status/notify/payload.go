package notify

import (
	"time"

	"shelfstream/status/escalate"
)

// Payload is a message as JSON: the body of a webhook of the form json, and what a command reads.
type Payload struct {
	ID        string            `json:"id"` // the same each time the message is tried
	Reason    escalate.Reason   `json:"reason"`
	Person    string            `json:"person"`
	To        string            `json:"to,omitempty"`
	Title     string            `json:"title"`
	Text      string            `json:"text"`
	Incidents []PayloadIncident `json:"incidents"`
}

// PayloadIncident is one incident of a Payload.
type PayloadIncident struct {
	Pipeline string          `json:"pipeline"`
	ID       string          `json:"id"`
	Reason   escalate.Reason `json:"reason"`
	Severity string          `json:"severity"`
	Link     string          `json:"link"`
	Data     string          `json:"data,omitempty"`
	Cause    string          `json:"cause,omitempty"`
	Kind     string          `json:"kind,omitempty"`
	Where    string          `json:"where,omitempty"`
	What     string          `json:"what"`
	Fix      string          `json:"fix,omitempty"`
	Command  string          `json:"command,omitempty"`
	Worker   string          `json:"worker,omitempty"`
	Count    int64           `json:"count,omitempty"`
	Tries    int             `json:"tries,omitempty"`
	Samples  []string        `json:"samples,omitempty"`
	Opened   time.Time       `json:"opened,omitzero"`
	Last     time.Time       `json:"last,omitzero"`
	Acked    time.Time       `json:"acked,omitzero"`
	By       string          `json:"by,omitempty"`
	Note     string          `json:"note,omitempty"`
	Resolved time.Time       `json:"resolved,omitzero"`
	AckURL   string          `json:"ack_url,omitempty"`
	PageURL  string          `json:"page_url,omitempty"`
}

func payload(to string, m escalate.Message, c *Content) Payload {
	p := Payload{ID: m.ID, Reason: m.Reason, Person: m.Person, To: to, Title: title(m, c), Text: plain(m, c)}
	for _, i := range c.all() {
		p.Incidents = append(p.Incidents, PayloadIncident{
			Pipeline: i.Pipeline, ID: i.Incident, Reason: i.Reason, Severity: i.Severity, Link: i.Link, Data: i.Data, Cause: i.Cause, Kind: i.Kind, Where: i.Where,
			What: i.What, Fix: i.Fix, Command: i.Command, Worker: i.Worker, Count: i.Count, Tries: i.Tries, Samples: i.Samples, Opened: i.Opened, Last: i.Last, Acked: i.Acked,
			By: i.By, Note: i.Note, Resolved: i.Resolved, AckURL: i.AckURL, PageURL: i.PageURL,
		})
	}
	return p
}

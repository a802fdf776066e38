package notify

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"shelfstream/status/escalate"
)

// Content is what a message says: an incident as it is shown to people. Nothing in it may be secret.
type Content struct {
	Pipeline string
	Incident string // its ID
	Severity string
	Link     string // "sink shop"
	Data     string
	Cause    string // entry of the catalogue, "postgres.unreachable"
	Kind     string
	Where    string
	What     string
	Fix      string
	Command  string // the command that does it
	Worker   string
	By       string // who took it on
	Note     string
	Count    int64
	Tries    int // failed in a row; 0: nothing is tried
	Samples  []string
	Opened   time.Time
	Last     time.Time
	Acked    time.Time
	Resolved time.Time
	// Reason is why this person is told; empty: the message's.
	Reason escalate.Reason
	// AckURL takes the incident on, PageURL shows it. Deliver fills in what is empty.
	AckURL  string
	PageURL string
	// Others are the further incidents of a message with the reason Several.
	Others []Content
}

// Sum puts the contents of a message that is about several incidents into one, in the order given, which is that of urgency. It wants at least one.
func Sum(all []Content) Content {
	c := all[0]
	c.Others = append(slices.Clip(c.Others), all[1:]...)
	return c
}

// all lists the incidents of a content, each by itself.
func (c *Content) all() []Content {
	first := *c
	first.Others = nil
	return append([]Content{first}, c.Others...)
}

// Paths on the admin port that messages point at.
const (
	AckPath      = "/ack"
	IncidentPath = "/incidents/" // with the incident's ID behind it
)

// fill adds the links that can be made.
func (n *Notifier) fill(c *Content, m escalate.Message, now time.Time) {
	if c.Reason == "" {
		c.Reason = m.Reason
	}
	if base := strings.TrimSuffix(n.cfg.URL, "/"); base != "" && c.Incident != "" {
		if c.PageURL == "" {
			c.PageURL = base + IncidentPath + url.PathEscape(c.Incident)
		}
		if c.AckURL == "" && n.cfg.Signer != nil && c.Resolved.IsZero() && c.Reason != escalate.AllClear {
			c.AckURL = base + AckPath + "?" + n.cfg.Signer.Sign(c.Incident, m.Person, now).Encode()
		}
	}
	c.Others = append([]Content(nil), c.Others...)
	for i := range c.Others {
		n.fill(&c.Others[i], m, now)
	}
}

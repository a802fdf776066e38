package escalate

import "time"

// Severity says how bad an incident is.
type Severity string

// The severities, worst first.
const (
	Critical Severity = "critical" // nothing flows, or data may be lost
	Error    Severity = "error"    // records or products are held back, a link is down
	Warning  Severity = "warning"  // it goes on, but somebody should look
)

// Subject is what an escalation needs to know of an incident.
type Subject struct {
	ID       string    `json:"id"`
	Severity Severity  `json:"severity"`
	Data     string    `json:"data"` // kind of data: "order", "price", "product", "image", …; a link or view may be given one in the configuration
	Link     string    `json:"link"`
	Opened   time.Time `json:"opened"`
	// Acked is when somebody took it on, and By who; zero: nobody yet.
	Acked time.Time `json:"acked,omitzero"`
	By    string    `json:"by,omitempty"`
	// Resolved is when the cause was gone; zero: it is not.
	Resolved time.Time `json:"resolved,omitzero"`
}

// Reason is why a message goes out.
type Reason string

// The reasons.
const (
	Opened   Reason = "opened"
	Reminder Reason = "reminder" // a later step, a repeat, or acknowledged and not solved
	AllClear Reason = "all clear"
	Several  Reason = "several" // more than one person may get in a while: several messages summed up
)

// Message is one message to one person over one channel, or the next channel where that fails.
type Message struct {
	// ID is the same each time this message is tried: incident, reason, loop, step, person.
	ID     string `json:"id"`
	Reason Reason `json:"reason"`
	// Person is the name of a person, or of a channel that is told itself, such as a chat room.
	Person   string   `json:"person"`
	Channels []string `json:"channels"` // to try in this order
	Step     int      `json:"step"`
	Loop     int      `json:"loop"`
}

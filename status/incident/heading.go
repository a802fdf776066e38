package incident

import (
	"strings"

	"shelfstream/internal/fault"
)

// heading says who has a trouble before what it is: "PostgreSQL of source erp does not answer". In a mail's subject, or alone at the head of a page, "does not answer" tells nobody anything.
// system is "" where the words say by themselves whom they are about.
func heading(system, link, what string) string {
	switch {
	case system == "" || what == "":
		return what
	case strings.HasPrefix(what, "does not "):
		return system + " of " + link + " " + what
	}
	return system + " of " + link + ": " + what
}

// systemOf names the outside system that a link speaks with and a cause is about; "" if it is one of our own, or shared by all.
func (r *Rules) systemOf(c fault.Cause) string {
	e, ok := r.Lookup(c)
	if !ok {
		return ""
	}
	switch e.System {
	case "Kafka", "Registry", "Topics", "Rules", "Guards", "Shelfstream", "Channels", "Status":
		return ""
	}
	// "MySQL source", "PostgreSQL sink": the link says which of the two.
	return strings.TrimSuffix(strings.TrimSuffix(e.System, " source"), " sink")
}

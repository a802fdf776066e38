package status

import "regexp"

var (
	// mail is an address; what stands before the @ names a person, the domain does not.
	mail = regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@((?:[\p{L}\p{N}-]+\.)+\p{L}{2,})`)
	// international is a telephone number with its country: "+47 22 33 44 55", "+49 (0)40/123-456".
	international = regexp.MustCompile(`\+[1-9][0-9]?[0-9 ()/.-]{5,20}[0-9]`)
	// named is a number that is said to be one. Bare digits stay: they are article numbers, EANs and offsets far more often.
	named = regexp.MustCompile(`(?i)\b((?:tele(?:phone|fon|fax)|phone|fax|mobil[ea]?|handy|tlf|tel)(?:[ _-]?(?:no|nr|number|nummer))?["']?[\s.:=]+["'(]?)([0-9][0-9 ()/.-]{4,20}[0-9])`)
)

// Personal hides mail addresses (but for their domain) and telephone numbers in a text. It knows the forms in which people write them; it is for messages and
// keys on a page, not a guarantee about any text.
func Personal(text string) string {
	if text == "" {
		return ""
	}
	text = mail.ReplaceAllString(text, "****@$1")
	text = international.ReplaceAllString(text, "+****")
	return named.ReplaceAllString(text, "${1}****")
}

package pages

import (
	"embed"
	"fmt"
	"html/template"
	"strings"
	"time"
)

//go:embed files
var files embed.FS

// templates escape everything they are given (html/template).
var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"css": func(name string) (template.CSS, error) {
		b, err := files.ReadFile("files/" + name + ".css")
		return template.CSS(b), err // a file of this package
	},
	"js": func() (template.JS, error) {
		b, err := files.ReadFile("files/live.js")
		return template.JS(b), err // a file of this package
	},
	"money":  money,
	"plain":  plain,
	"count":  func(n int64) string { return group(fmt.Sprint(n)) },
	"ms":     millis,
	"seq":    func(n int) []int { return make([]int, n) },
	"add":    func(a, b int) int { return a + b },
	"bottle": bottleOf,
	"search": func(data any) string { // what was searched for, on pages that have it
		if d, ok := data.(interface{ Searched() string }); ok {
			return d.Searched()
		}
		return ""
	},
}).ParseFS(files, "files/*.html"))

// group puts a narrow space between thousands.
func group(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "−", digits[1:]
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteRune('\u202f')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// money is an exact decimal as a price with two digits: "1 249.50".
func money(decimal string) string {
	whole, part, _ := strings.Cut(decimal, ".")
	for len(part) < 2 {
		part += "0"
	}
	return group(whole) + "." + part
}

// plain is an exact decimal without zeros at its end: "12.5", "25".
func plain(decimal string) string {
	if !strings.Contains(decimal, ".") {
		return decimal
	}
	return strings.TrimSuffix(strings.TrimRight(decimal, "0"), ".")
}

// millis is a duration as people read it on a stop watch.
func millis(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	case d < 10*time.Second:
		return group(fmt.Sprint(d.Milliseconds())) + " ms"
	}
	return group(fmt.Sprintf("%.0f", d.Seconds())) + " s"
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// plain replaces what would break a line or steer a terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// shortened is s with no more than n characters, with an ellipsis for what is left out.
func shortened(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// row writes the cells of one line of a table.
func row(w io.Writer, cells ...string) {
	for i := range cells {
		cells[i] = plain(cells[i])
	}
	_, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) // a tabwriter's error comes with Flush
}

func cell(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func when(before string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return before + t.Local().Format("2006-01-02 15:04:05.000 -0700")
}

package chart

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
)

// Line is one series of a plot.
type Line struct {
	Name string
	// Points lie at equal distances from the plot's From to its To; None is a gap.
	Points []float64
	// Now is the newest value in words.
	Now string
}

// Plot is one chart. Its numbers and words are ready for a template; SVG is markup.
type Plot struct {
	Title, Note string
	Lines       []Legend
	Y           []string // from the top to 0
	X           []string // from From to To
	SVG         template.HTML
	Empty       bool
}

// Legend is a line's name and newest value; Class is its look.
type Legend struct{ Name, Now, Class string }

// Looks is how many lines can be told apart.
const Looks = 6

// The drawing's own units; it is stretched to the width there is.
const (
	width  = 1000
	height = 120
)

// Draw makes a plot. words says a value of the axis.
func Draw(title, note string, from, to time.Time, zone *time.Location, lines []Line, words func(v float64) string) *Plot {
	p := &Plot{Title: title, Note: note, Empty: true}
	most := 0.0
	for _, l := range lines {
		for _, v := range l.Points {
			if !math.IsNaN(v) {
				p.Empty = false
				most = max(most, v)
			}
		}
	}
	top := nice(most)
	p.Y = []string{words(top), words(top / 2), words(0)}
	p.X = ticks(from, to, zone)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s">`, width, height, template.HTMLEscapeString(spoken(title, lines)))
	for _, y := range []int{1, height / 2, height - 1} {
		fmt.Fprintf(&b, `<line class="grid" x1="0" y1="%d" x2="%d" y2="%d"/>`, y, width, y)
	}
	for i, l := range lines {
		class := "line s" + strconv.Itoa(i%Looks)
		p.Lines = append(p.Lines, Legend{l.Name, l.Now, class})
		path := Path(l.Points, width, height, top)
		if path == "" {
			continue
		}
		if len(lines) == 1 {
			if area := Area(l.Points, width, height, top); area != "" {
				fmt.Fprintf(&b, `<path class="area s0" d="%s"/>`, area)
			}
		}
		fmt.Fprintf(&b, `<path class="%s" d="%s"/>`, class, path)
	}
	b.WriteString(`</svg>`)
	p.SVG = template.HTML(b.String())
	return p
}

// spoken is a chart for who cannot see it.
func spoken(title string, lines []Line) string {
	words := make([]string, len(lines))
	for i, l := range lines {
		words[i] = l.Name + " " + l.Now
	}
	return title + ": " + strings.Join(words, ", ")
}

// nice is the least of 1, 2, 5 times a power of ten that is not below v; 1 for nothing.
func nice(v float64) float64 {
	if v <= 0 || math.IsInf(v, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*power*(1+1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// ticks are five times of day.
func ticks(from, to time.Time, zone *time.Location) []string {
	const n = 5
	form := "15:04"
	if to.Sub(from) < 10*time.Minute {
		form = "15:04:05"
	}
	out := make([]string, n)
	for i := range out {
		out[i] = from.Add(to.Sub(from) * time.Duration(i) / (n - 1)).In(zone).Format(form)
	}
	return out
}

// Path is an SVG path through points, from 0 to top; a point alone is a short dash. Empty if there is none.
func Path(points []float64, w, h int, top float64) string {
	var b strings.Builder
	stretches(points, func(from, to int) {
		for i := from; i < to; i++ {
			step := byte('L')
			if i == from {
				step = 'M'
			}
			b.WriteByte(step)
			place(&b, i, len(points), points[i], w, h, top)
		}
		if to == from+1 {
			b.WriteString("h2")
		}
	})
	return b.String()
}

// Area is what lies under Path.
func Area(points []float64, w, h int, top float64) string {
	var b strings.Builder
	stretches(points, func(from, to int) {
		b.WriteByte('M')
		place(&b, from, len(points), 0, w, h, top)
		for i := from; i < to; i++ {
			b.WriteByte('L')
			place(&b, i, len(points), points[i], w, h, top)
		}
		b.WriteByte('L')
		place(&b, to-1, len(points), 0, w, h, top)
		b.WriteByte('Z')
	})
	return b.String()
}

// stretches calls fn with each run of values without a gap.
func stretches(points []float64, fn func(from, to int)) {
	from := -1
	for i := 0; i <= len(points); i++ {
		gap := i == len(points) || math.IsNaN(points[i])
		switch {
		case !gap && from < 0:
			from = i
		case gap && from >= 0:
			fn(from, i)
			from = -1
		}
	}
}

func place(b *strings.Builder, i, n int, v float64, w, h int, top float64) {
	x := 0.0
	if n > 1 {
		x = float64(i) * float64(w) / float64(n-1)
	}
	y := float64(h-1) - float64(h-2)*min(v, top)/top
	b.WriteString(strconv.FormatFloat(x, 'f', 1, 64))
	b.WriteByte(' ')
	b.WriteString(strconv.FormatFloat(y, 'f', 1, 64))
}

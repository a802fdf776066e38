package web

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
)

// picture is the pipeline as columns of stages with lines between them.
type picture struct {
	Columns [][]*nodeView
	// Lines is the SVG behind the columns; its units are thousandths of the width, and pixels down.
	Lines template.HTML
	// Tall is the class that gives the picture its height: by the most stages of one column.
	Tall int
}

// The picture's measures in pixels; style.css has the same.
const (
	nodeHeight  = 148
	nodeGap     = 20
	mostInARow  = 12 // columns grow no taller; what is more stands in a list below
	widthUnits  = 1000
	gutterShare = 0.22 // of a column's width, between two
)

// layout puts each stage one column right of the last that feeds it; sinks stand together at the end.
func layout(stages []*stageSum, arrows []Arrow) (columns [][]*stageSum) {
	at := map[string]int{}
	for range stages { // the longest way has no more steps than there are stages; circles end with it
		for _, a := range arrows {
			if a.From != a.To && at[a.To] < at[a.From]+1 && at[a.From] < len(stages) {
				at[a.To] = at[a.From] + 1
			}
		}
	}
	rank := map[string]int{"capture": 0, "transform": 1, "sink": 2}
	if len(arrows) == 0 {
		for _, st := range stages {
			at[st.id()] = rank[st.Node.Kind]
		}
	}
	last := 0
	for _, st := range stages {
		if st.Node.Kind != "sink" {
			last = max(last, at[st.id()])
		}
	}
	byColumn := map[int][]*stageSum{}
	for _, st := range stages {
		c := at[st.id()]
		if st.Node.Kind == "sink" {
			c = last + 1
			if slices.ContainsFunc(arrows, func(a Arrow) bool { return a.To == st.id() && strings.HasPrefix(a.From, "sink ") }) {
				c++ // it reads what another sink was answered
			}
		}
		byColumn[c] = append(byColumn[c], st)
	}
	for c := range last + 3 {
		if len(byColumn[c]) > 0 {
			columns = append(columns, byColumn[c])
		}
	}
	return untangled(columns, arrows)
}

// untangled orders the stages of each column by where those stand that they are fed by, so that few lines cross.
func untangled(columns [][]*stageSum, arrows []Arrow) [][]*stageSum {
	place := map[string]float64{}
	for c, column := range columns {
		if c > 0 {
			mean := map[string]float64{}
			for i, st := range column {
				sum, n := 0.0, 0.0
				for _, a := range arrows {
					if y, ok := place[a.From]; ok && a.To == st.id() {
						sum, n = sum+y, n+1
					}
				}
				if mean[st.id()] = float64(i) / float64(len(column)); n > 0 {
					mean[st.id()] = sum / n
				}
			}
			slices.SortStableFunc(column, func(x, y *stageSum) int {
				switch d := mean[x.id()] - mean[y.id()]; {
				case d < 0:
					return -1
				case d > 0:
					return 1
				}
				return 0
			})
		}
		for i, st := range column {
			place[st.id()] = (float64(i) + 0.5) / float64(len(column))
		}
	}
	return columns
}

// draw makes the lines between the columns. Each card is nodeHeight high; a column's cards are centred.
func draw(columns [][]*nodeView, arrows []Arrow) *picture {
	p := &picture{Columns: columns}
	for _, c := range columns {
		p.Tall = max(p.Tall, len(c))
	}
	height := p.Tall*(nodeHeight+nodeGap) - nodeGap
	type spot struct {
		left, right, y float64
		node           *nodeView
	}
	spots := map[string]spot{}
	n := float64(len(columns))
	card := widthUnits / (n + (n-1)*gutterShare)
	for c, column := range columns {
		top := float64(height-len(column)*(nodeHeight+nodeGap)+nodeGap) / 2
		for i, v := range column {
			x := float64(c) * card * (1 + gutterShare)
			spots[v.Key] = spot{x, x + card, top + float64(i*(nodeHeight+nodeGap)) + nodeHeight/2, v}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="wires" viewBox="0 0 %d %d" height="%d" preserveAspectRatio="none" aria-hidden="true">`, widthUnits, max(height, 1), max(height, 1))
	for _, a := range arrows {
		from, okFrom := spots[a.From]
		to, okTo := spots[a.To]
		if !okFrom || !okTo || to.left <= from.left {
			continue
		}
		class := "wire"
		switch {
		case from.node.Cut || to.node.Cut:
			class += " cut"
		case from.node.Moves:
			class += " moves"
		}
		bend := (to.left - from.right) * 0.55
		if bend < 20 {
			bend = 20
		}
		fmt.Fprintf(&b, `<path class="%s" d="M%s %sC%s %s %s %s %s %s"/>`, class, num(from.right), num(from.y), num(from.right+bend), num(from.y), num(to.left-bend), num(to.y), num(to.left), num(to.y))
	}
	b.WriteString(`</svg>`)
	p.Lines = template.HTML(b.String())
	return p
}

func num(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

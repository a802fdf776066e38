// Package render fills text/template templates from records: bodies of calls, addresses, lines of files.
//
// A template sees a record's columns by name: {{.order_no}}, and in a list {{range .lines}}{{.sku}}{{end}}. What it prints is written as its format wants it, so that no
// value can break out of its place: in JSON a text is quoted and a null is null, in XML it is escaped, in an address it is percent-encoded. Numbers keep every digit.
// A column that there is not is found when the template is compiled.
package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// Config is one template. Name and Text are required.
type Config struct {
	// Name is its place in the configuration, for faults: "rest.tables.order.body".
	Name, Text string
	Format     Format
	// Table is the shape of its records; nil: only the template's own form is looked at, and nothing can be rendered.
	Table *schemas.Table
	// Extra are names beside the columns, which NewRecord is given; by custom they begin with "_".
	Extra []string
	// Zone is where timestamps with a zone are shown in; nil: UTC.
	Zone *time.Location
}

// Template is immutable; several goroutines may use it.
type Template struct {
	cfg  Config
	tmpl *template.Template
}

// Compile reads a template. The error is a fault.List of class Config.
func Compile(cfg Config) (*Template, error) {
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	t := &Template{cfg: cfg}
	var err error
	t.tmpl, err = template.New("").Option("missingkey=error").Funcs(functions(cfg.Zone)).Funcs(template.FuncMap{outFunc: cfg.Format.out}).Parse(cfg.Text)
	if err != nil {
		return nil, fault.List{{Class: fault.Config, Where: cfg.Name, What: "is no template: " + plainly(err), Fix: "correct it; {{.column}} prints a column, {{if .column}}…{{end}} and {{range .list}}…{{end}} as in Go's text/template"}}
	}
	var faults fault.List
	for _, tree := range t.tmpl.Templates() {
		if tree.Tree == nil {
			continue
		}
		if cfg.Table != nil {
			c := checker{cfg: &cfg, tree: tree.Tree}
			c.root(tree.Name() == "")
			faults = append(faults, c.faults...)
		}
		wrap(tree.Tree, tree.Root)
	}
	return t, faults.Err()
}

// outFunc writes what an action prints; wrap puts it at the end of every action.
const outFunc = "_out"

// wrap lets what each action prints go through outFunc.
func wrap(tree *parse.Tree, n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, c := range n.Nodes {
			wrap(tree, c)
		}
	case *parse.ActionNode:
		if len(n.Pipe.Decl) == 0 {
			out := parse.NewIdentifier(outFunc).SetTree(tree).SetPos(n.Pos)
			n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{out}})
		}
	case *parse.IfNode:
		wrap(tree, n.List)
		wrap(tree, n.ElseList)
	case *parse.RangeNode:
		wrap(tree, n.List)
		wrap(tree, n.ElseList)
	case *parse.WithNode:
		wrap(tree, n.List)
		wrap(tree, n.ElseList)
	}
}

// Append renders a record at the end of dst. The error says what of the record cannot be rendered.
func (t *Template) Append(dst []byte, r Record) ([]byte, error) {
	b := bytes.NewBuffer(dst)
	if err := t.tmpl.Execute(b, map[string]any(r)); err != nil {
		return dst, errors.New(plainly(err))
	}
	out := b.Bytes()
	if t.cfg.Format == FormatJSON {
		if err := validJSON(out[len(dst):]); err != nil {
			return dst, err
		}
	}
	return out, nil
}

// validJSON says where a text is no JSON.
func validJSON(text []byte) error {
	if json.Valid(text) {
		return nil
	}
	var v any
	err := json.Unmarshal(text, &v)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at := max(0, int(syntax.Offset)-1)
		return fmt.Errorf("what it gives is no JSON (%w) near %q; values are quoted by themselves: write {\"name\": {{.name}}}", err, around(text, at))
	}
	return fmt.Errorf("what it gives is no JSON: %w", err)
}

// around is the text near a place.
func around(text []byte, at int) string {
	return strings.ToValidUTF8(string(text[max(0, at-20):min(len(text), at+20)]), "")
}

// plainly is an error of text/template without its own words.
func plainly(err error) string {
	var exec template.ExecError
	if errors.As(err, &exec) && exec.Err != nil {
		err = exec.Err
	}
	text := strings.Replace(err.Error(), "error calling "+outFunc+": ", "", 1)
	text = strings.TrimPrefix(text, "template: ")
	if rest, ok := strings.CutPrefix(text, ":"); ok {
		text = "line " + rest
	}
	if before, after, ok := strings.Cut(text, ": executing "); ok {
		if _, why, ok := strings.Cut(after, ": "); ok {
			text = before + ": " + why
		}
	}
	return text
}

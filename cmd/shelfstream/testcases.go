package main

import (
	"context"
	"flag"
	"fmt"
	"io"

	"shelfstream/transform/casefile"
)

func testCommand() command {
	return command{
		name: "test", args: "<file>…", summary: "run case files: rows in, the product that the rules must give",
		help: `
A case file says which rules it is about, and then what must come of which rows:
    # shop.cases.yaml, beside the configuration
    pipeline: pipeline.yaml
    view: product
    tables: { product: { no: int key, name: text, vat: text }, price: { no: int key, amount: "numeric(18,4)" } }
    cases:
      - name: a price without VAT
        now: 2026-03-14
        rows: { product: { no: 1, vat: H }, price: { no: 1, amount: 80 } }
        expect: { price: 100.00 }
No server is asked. What differs is printed with the rule that gave it and the values it came from; then the rules that no case covers.
Exit codes: 0 if every case holds, 1 if one does not, 2 if a file cannot be used.`,
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			var update, asJSON bool
			fs.BoolVar(&update, "update", false, "write what the rules give into the files where it differs")
			fs.BoolVar(&asJSON, "json", false, "print JSON")
			return func(_ context.Context, args []string) error {
				if len(args) == 0 {
					return usage("test wants case files", "shelfstream test shop.cases.yaml")
				}
				return testCases(p.stdout, args, update, asJSON)
			}
		},
	}
}

func testCases(out io.Writer, files []string, update, asJSON bool) error {
	report, err := casefile.Run(files, casefile.Options{Update: update})
	if err != nil {
		return err
	}
	failed := len(report.Failures)
	if len(report.Updated) > 0 {
		// What is left after the update is what cannot be written into a file.
		again, err := casefile.Run(files, casefile.Options{})
		if err != nil {
			return err
		}
		failed = len(again.Failures)
	}
	if asJSON {
		err = printJSON(out, caseResults(report))
	} else {
		err = report.Write(out)
	}
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d cases' steps do not give what they expect", failed, report.Steps)
	}
	return err
}

// caseReport is the report as JSON.
type caseReport struct {
	Cases    int           `json:"cases"`
	Steps    int           `json:"steps"`
	Failures []caseFailure `json:"failures"`
	Rules    []caseRule    `json:"rules"`
	// Covered is how many of a hundred rules are covered.
	Covered int      `json:"covered_percent"`
	Updated []string `json:"updated,omitempty"`
}

type caseFailure struct {
	File  string     `json:"file"`
	Line  int        `json:"line"`
	Case  string     `json:"case"`
	Step  int        `json:"step"`
	Diffs []caseDiff `json:"diffs"`
}

type caseDiff struct {
	Line    int      `json:"line"`
	Field   string   `json:"field,omitempty"`
	Want    string   `json:"want"`
	Got     string   `json:"got"`
	Because []string `json:"because,omitempty"`
}

type caseRule struct {
	Name    string `json:"name"`
	Layer   string `json:"layer"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Covered bool   `json:"covered"`
	Why     string `json:"why_not,omitempty"`
}

func caseResults(r *casefile.Report) *caseReport {
	out := &caseReport{Cases: r.Cases, Steps: r.Steps, Failures: []caseFailure{}, Rules: []caseRule{}, Covered: r.Percent(), Updated: r.Updated}
	for _, f := range r.Failures {
		failure := caseFailure{File: f.File, Line: f.Line, Case: f.Case, Step: f.Step}
		for _, d := range f.Diffs {
			failure.Diffs = append(failure.Diffs, caseDiff{Line: d.Line, Field: d.Field, Want: d.Want, Got: d.Got, Because: d.Because})
		}
		out.Failures = append(out.Failures, failure)
	}
	for _, c := range r.Rules {
		out.Rules = append(out.Rules, caseRule{Name: c.Name, Layer: c.Layer, File: c.File, Line: c.Line, Covered: c.Covered(), Why: c.Why()})
	}
	return out
}

package main

import (
	"context"
	"fmt"
	"time"

	"shelfstream/schemas"
	"shelfstream/transform/casefile"
	"shelfstream/transform/rules"
)

// evalFor is how long one repetition evaluates.
const evalFor = 3 * time.Second

// eval measures the rules alone, on one core and out of memory: rows in, the product's record out. The products are those of the golden cases,
// one after the other.
func (b *bench) eval(_ context.Context) error {
	for _, c := range []struct{ name, file, what string }{
		{"eval_adventureworks", "deploy/examples/adventureworks/product.cases.yaml", "AdventureWorks' rules"},
		{"eval_visma", "transform/standard/cases/visma_business.yaml", "the standard layer for Visma Business"},
	} {
		suite, err := casefile.Load([]string{c.file}, casefile.Options{})
		if err != nil {
			return err
		}
		var ours, cpu series
		for range b.runs {
			rate, err := evaluate(suite.Evaluations())
			if err != nil {
				return err
			}
			ours.add(rate)
			cpu.add(1e6 / rate)
		}
		b.put(&result{
			Case: c.name, Unit: "products/s and core", Ours: ours.median(), CPU: cpu.median(), Runs: b.runs,
			Note: fmt.Sprintf("Evaluating %s and encoding the product, rows in memory, one goroutine: %s.", c.what, ours),
		})
	}
	return nil
}

// evaluate counts evaluations a second.
func evaluate(all []casefile.Evaluation) (float64, error) {
	type warm struct {
		casefile.Evaluation
		evaluator *rules.Evaluator
		codec     *schemas.Codec
	}
	var set []warm
	for _, e := range all {
		shape := *e.Program.Output()
		shape.Name = "bench.product"
		codec, err := schemas.Compile(&shape)
		if err != nil {
			return 0, err
		}
		set = append(set, warm{e, e.Program.NewEvaluator(), codec})
	}
	if len(set) == 0 {
		return 0, fmt.Errorf("no case ends in a product")
	}
	var buf []byte
	n, began := 0, time.Now()
	for time.Since(began) < evalFor {
		for i := range set {
			var res rules.Result
			if err := set[i].evaluator.Eval(set[i].Input, &res); err != nil {
				return 0, fmt.Errorf("case %s: %w", set[i].Name, err)
			}
			var err error
			if buf, err = set[i].codec.AppendValue(buf[:0], res.Row); err != nil {
				return 0, fmt.Errorf("case %s: %w", set[i].Name, err)
			}
		}
		n += len(set)
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

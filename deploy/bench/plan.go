package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"shelfstream/internal/demo"
)

// plan measures how long an operator waits to be told what another VAT rate would do to every product, while the pipeline runs.
func (b *bench) plan(ctx context.Context, whole *bench, p *process, admin string) error {
	fresh := filepath.Join(p.cmd.Dir, "fresh")
	if err := os.MkdirAll(fresh, 0o755); err != nil {
		return err
	}
	const rate = "      rate: rate\n"
	text := strings.Replace(demo.Rules, rate, "      rate: rate + 1\n", 1)
	if text == demo.Rules {
		return errors.New("the demo's rules have no VAT rate of this form")
	}
	if err := os.WriteFile(filepath.Join(fresh, "demo.rules.yaml"), []byte(text), 0o600); err != nil {
		return err
	}
	if err := p.forgetPeak(); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, b.binary, "plan", "-config", "pipeline.yaml", "-admin", admin, "-rules", "fresh", "-json", "product")
	var out, said bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.cmd.Dir, p.cmd.Env, &out, &said
	before, began := p.usage(), time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("plan: %w\n%s", err, tail(said.String(), 20))
	}
	took, u := time.Since(began), p.usage()
	var plans []struct {
		Products int64 `json:"products"`
		Changed  int64 `json:"changed"`
	}
	if err := json.Unmarshal(out.Bytes(), &plans); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	shown, err := whole.count(ctx, "SELECT count(*) FROM product WHERE price IS NOT NULL")
	if err != nil {
		return err
	}
	if len(plans) != 1 || plans[0].Products != int64(b.rows) || plans[0].Changed != int64(shown) {
		return fmt.Errorf("the plan says %+v of %d products, and %d in the shop have a price", plans, b.rows, shown)
	}
	products := float64(b.rows)
	b.put(&result{
		Case: "plan", Unit: "products/s", Ours: new(products / took.Seconds()), CPU: new((u.cpu - before.cpu) * 1e6 / products), RSS: new(u.rss), Runs: 1,
		Note: fmt.Sprintf("`shelfstream plan` with another VAT rate in the rules, asked of the process that holds %d products: each evaluated under both rules in %.1f s, %d would change. RSS is the running process's peak meanwhile.",
			b.rows, took.Seconds(), plans[0].Changed),
	})
	return nil
}

// forgetPeak lets the highest resident set begin anew (Linux: 5 in clear_refs, proc(5)).
func (p *process) forgetPeak() error {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0); err != nil {
		return fmt.Errorf("reset the peak of the resident set: %w", err)
	}
	return nil
}

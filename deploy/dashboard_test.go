package deploy_test

import (
	"encoding/json"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// literals gives the string literals of the product's Go files, by folder.
func literals(t *testing.T) map[string]map[string]bool {
	t.Helper()
	out := map[string]map[string]bool{}
	for _, top := range []string{"capture", "transform", "sink", "status", "schemas", "internal", "cmd"} {
		err := filepath.WalkDir(filepath.Join("..", top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			src, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			dir := filepath.Dir(path)
			if out[dir] == nil {
				out[dir] = map[string]bool{}
			}
			set := token.NewFileSet()
			var s scanner.Scanner
			s.Init(set.AddFile(path, -1, len(src)), src, nil, 0)
			for {
				_, tok, lit := s.Scan()
				if tok == token.EOF {
					return nil
				}
				if tok != token.STRING {
					continue
				}
				text, err := strconv.Unquote(lit)
				if err != nil {
					return err
				}
				out[dir][text] = true
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// defined tells whether some folder names the metric: whole, as a prefix and a rest, or as namespace, subsystem and name.
func defined(metric string, folders map[string]map[string]bool) bool {
	parts := strings.SplitN(metric, "_", 3)
	for _, lits := range folders {
		if lits[metric] {
			return true
		}
		if len(parts) < 3 || !lits[parts[2]] {
			continue
		}
		if lits[parts[0]+"_"+parts[1]+"_"] || lits[parts[0]] && lits[parts[1]] {
			return true
		}
	}
	return false
}

var metricName = regexp.MustCompile(`shelfstream_[a-z0-9_]+`)

func TestDashboardUsesMetricsThatExist(t *testing.T) {
	b, err := os.ReadFile("grafana/dashboards/shelfstream.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		UID    string `json:"uid"`
		Panels []struct {
			Title   string `json:"title"`
			Type    string `json:"type"`
			Targets []struct {
				Expr       string `json:"expr"`
				Datasource struct {
					UID string `json:"uid"`
				} `json:"datasource"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(b, &board); err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("grafana/provisioning/datasources/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	folders := literals(t)
	used := map[string]bool{}
	for _, p := range board.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			if !strings.Contains(string(source), "uid: "+target.Datasource.UID+"\n") {
				t.Errorf("panel %s: data source %s is not provisioned", p.Title, target.Datasource.UID)
			}
			for _, m := range metricName.FindAllString(target.Expr, -1) {
				used[m] = true
			}
		}
	}
	if len(used) < 15 {
		t.Errorf("only %d metrics found in the dashboard", len(used))
	}
	checkMetrics(t, "the dashboard", used, folders)
	if defined("shelfstream_sink_no_such_total", folders) {
		t.Error("the check finds metrics that do not exist")
	}
}

// checkMetrics fails for metrics that no code defines.
func checkMetrics(t *testing.T, who string, used map[string]bool, folders map[string]map[string]bool) {
	t.Helper()
	for m := range used {
		base := m
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			base = strings.TrimSuffix(base, suffix)
		}
		if !defined(m, folders) && !defined(base, folders) {
			t.Errorf("%s names %s, which no code defines", who, m)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"shelfstream/internal/config"
	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/status/web"
	"shelfstream/transform"
	"shelfstream/transform/rules"
)

// planRequest is what the command sends to the admin port.
type planRequest struct {
	View string `json:"view"`
	// New is the view as the new configuration has it; nil: as it is.
	New *transform.View `json:"new,omitempty"`
	// Guards are those of the new configuration; nil: as they are.
	Guards  []transform.Guard       `json:"guards"`
	Rules   []planFile              `json:"rules"`
	Zone    string                  `json:"zone"`
	Hidden  []transform.HiddenValue `json:"hidden,omitempty"`
	Samples int                     `json:"samples"`
}

// planFile is a rule file.
type planFile struct {
	Name  string `json:"name"`
	Layer string `json:"layer"`
	Text  string `json:"text"`
}

// requests reads the new rules of each view that is asked for.
func (o *planOptions) requests(p *program, cfg *pipeline, named []string) ([]*planRequest, []string, error) {
	next, err := o.otherPipeline(p, cfg)
	if err != nil {
		return nil, nil, err
	}
	views, notes, err := planViews(cfg, next, named)
	if err != nil {
		return nil, nil, err
	}
	replaced, err := o.ruleFiles()
	if err != nil {
		return nil, nil, err
	}
	used := map[string]bool{}
	var out []*planRequest
	for _, v := range views {
		view, _ := next.Views.Get(v)
		r := &planRequest{View: v, Zone: next.Zone.String(), Hidden: o.hidden, Samples: o.shown}
		if o.file != "" {
			shape := next.transformView(v)
			r.New, r.Guards = &shape, next.guards(v)
		}
		files, err := next.replacedRules(view, replaced, used)
		if err != nil {
			return nil, nil, err
		}
		for _, f := range files {
			r.Rules = append(r.Rules, planFile{Name: f.Name, Layer: f.Layer, Text: string(f.Data)})
		}
		out = append(out, r)
	}
	return out, notes, o.addLayers(out, used)
}

// ruleFiles finds the files of -rules, by their base names.
func (o *planOptions) ruleFiles() (map[string]string, error) {
	found := map[string]string{}
	for _, path := range o.rules {
		info, err := os.Stat(path)
		if err != nil {
			return nil, &fault.Fault{Class: fault.Config, Where: path, What: "there are no rules", Fix: "name a rule file or a directory of them", Err: err}
		}
		if !info.IsDir() {
			found[filepath.Base(path)] = path
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, &fault.Fault{Class: fault.Config, Where: path, What: "the directory cannot be read", Fix: "name one that you can read", Err: err}
		}
		for _, e := range entries {
			if !e.IsDir() {
				found[e.Name()] = filepath.Join(path, e.Name())
			}
		}
	}
	return found, nil
}

// replacedRules reads a view's rule files, from where -rules has one of the same name.
func (p *pipeline) replacedRules(view *config.View, replaced map[string]string, used map[string]bool) ([]rules.Source, error) {
	changed := *view
	changed.Rules = slices.Clone(view.Rules)
	for i, name := range changed.Rules {
		if file, ok := replaced[filepath.Base(name)]; ok {
			used[filepath.Base(name)] = true
			absolute, err := filepath.Abs(file)
			if err != nil {
				return nil, fmt.Errorf("find %s: %w", file, err)
			}
			changed.Rules[i] = absolute
		}
	}
	files, err := p.readRules(&changed)
	for i := range files {
		if file, ok := replaced[filepath.Base(files[i].Name)]; ok && i < len(changed.Rules) {
			files[i].Name = file
		}
	}
	return files, err
}

// addLayers puts rule files that take nobody's place behind the layers of the only view.
func (o *planOptions) addLayers(requests []*planRequest, used map[string]bool) error {
	if len(o.rules) > 0 && len(used) == 0 && o.onlyDirectories() {
		return usage("none of the views' rule files has a namesake in "+strings.Join(o.rules, ", "), "give the new files the old ones' names, or name each with -rules")
	}
	for _, file := range o.rules {
		if info, err := os.Stat(file); err != nil || info.IsDir() || used[filepath.Base(file)] {
			continue
		}
		if len(requests) != 1 {
			return usage(fmt.Sprintf("no view has a rule file of the name %s, and there are %d views whose layer it could be", filepath.Base(file), len(requests)), "name the view: shelfstream plan -rules "+file+" "+requests[0].View)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return &fault.Fault{Class: fault.Config, Where: file, What: "the rule file cannot be read", Fix: "name a file that you can read", Err: err}
		}
		requests[0].Rules = append(requests[0].Rules, planFile{Name: file, Layer: layerName(file), Text: string(data)})
	}
	return nil
}

func (o *planOptions) onlyDirectories() bool {
	return !slices.ContainsFunc(o.rules, func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && !info.IsDir()
	})
}

// planner is a view's runner.
type planner interface {
	Plan(ctx context.Context, cfg transform.PlanConfig) (*transform.Plan, error)
}

// planAsked answers the admin port.
func (a *app) planAsked(ctx context.Context, planners map[string]planner, request []byte, tell func(any)) (any, error) {
	var r planRequest
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, &fault.Fault{Class: fault.Config, Where: "POST /plan", What: "this is no request for a plan", Fix: "use 'shelfstream plan' of the same version", Err: err}
	}
	return a.plan(ctx, planners, &r, func(at transform.PlanProgress) { tell(at) })
}

// plan lets the view's runner compare, and names the views that read it.
func (a *app) plan(ctx context.Context, planners map[string]planner, r *planRequest, progress func(transform.PlanProgress)) (*transform.Plan, error) {
	runner, ok := planners[r.View]
	if !ok {
		return nil, a.notHere(r.View)
	}
	zone, err := time.LoadLocation(r.Zone)
	if err != nil {
		return nil, &fault.Fault{Class: fault.Config, Where: "zone", What: fmt.Sprintf("there is no time zone %q here", r.Zone), Fix: "write a name such as Europe/Oslo", Err: err}
	}
	cfg := transform.PlanConfig{View: r.New, Zone: zone, Guards: r.Guards, Hidden: r.Hidden, Samples: r.Samples, Progress: progress}
	for _, f := range r.Rules {
		cfg.Rules = append(cfg.Rules, rules.Source{Name: f.Name, Layer: f.Layer, Data: []byte(f.Text)})
	}
	plan, err := runner.Plan(ctx, cfg)
	if err != nil {
		return nil, err
	}
	topic := sink.Topic(a.cfg.Name, r.View)
	for _, other := range a.cfg.Views.Names() {
		if v := a.cfg.transformView(other); slices.Contains(v.Views, topic) {
			plan.ReadBy = append(plan.ReadBy, other)
		}
	}
	return plan, nil
}

// askPlan sends a request to the admin port and reads the lines of its answer.
func askPlan(ctx context.Context, url string, r *planRequest, progress func(transform.PlanProgress)) (*transform.Plan, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, usage(url+" is not an address", "write -admin host:port")
	}
	req.Header.Set("Content-Type", "application/json")
	showToken(req)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, &noAnswerError{err}
	}
	defer resp.Body.Close()
	lines := json.NewDecoder(resp.Body)
	for {
		var raw json.RawMessage
		if err := lines.Decode(&raw); err != nil {
			if resp.StatusCode != http.StatusOK {
				return nil, answeredFault(url, resp.StatusCode, nil)
			}
			return nil, &fault.Fault{Class: fault.Environment, Where: url, What: "the pipeline ended before the plan was done", Fix: "ask again when it runs", Err: err}
		}
		var line web.PlanLine
		if err := json.Unmarshal(raw, &line); err != nil || resp.StatusCode != http.StatusOK || line.Error != "" {
			return nil, answeredFault(url, resp.StatusCode, raw)
		}
		if line.Plan != nil {
			var plan transform.Plan
			if err := json.Unmarshal(line.Plan, &plan); err != nil {
				return nil, fmt.Errorf("read the plan: %w", err)
			}
			return &plan, nil
		}
		var at transform.PlanProgress
		if err := json.Unmarshal(line.Progress, &at); err == nil {
			progress(at)
		}
	}
}

// Package deploy_test checks the files of this folder: what no compiler sees and a trial would stumble over.
package deploy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"shelfstream/internal/config"
)

// composeFile is what the checks below read of docker-compose.yml.
type composeFile struct {
	Services map[string]struct {
		Image       string         `yaml:"image"`
		Build       map[string]any `yaml:"build"`
		Ports       []string       `yaml:"ports"`
		Volumes     []string       `yaml:"volumes"`
		Environment map[string]any `yaml:"environment"`
		Healthcheck struct {
			Test []string `yaml:"test"`
		} `yaml:"healthcheck"`
		DependsOn map[string]struct {
			Condition string `yaml:"condition"`
		} `yaml:"depends_on"`
	} `yaml:"services"`
	Volumes map[string]any `yaml:"volumes"`
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	b, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c composeFile
	if err := yaml.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestComposeStartsTheWholeWayOnThisMachineOnly(t *testing.T) {
	c := readCompose(t)
	for _, name := range []string{"kafka", "registry", "erp", "shop", "shelfstream", "prometheus", "grafana"} {
		s, ok := c.Services[name]
		if !ok {
			t.Errorf("there is no service %s", name)
			continue
		}
		if len(s.Healthcheck.Test) < 2 {
			t.Errorf("%s has no health check, so nothing can wait for it", name)
		}
		if _, tag, ok := strings.Cut(s.Image, ":"); !ok || tag == "latest" {
			t.Errorf("%s: image %q is not pinned", name, s.Image)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: port %s is open to the network", name, p)
			}
		}
		for on, d := range s.DependsOn {
			if _, ok := c.Services[on]; !ok || d.Condition != "service_healthy" {
				t.Errorf("%s depends on %s with condition %q", name, on, d.Condition)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if !strings.HasPrefix(from, "./") {
				if _, ok := c.Volumes[from]; !ok {
					t.Errorf("%s: volume %s is neither in the repository nor a named one", name, from)
				}
				continue
			}
			if _, err := os.Stat(filepath.Join("..", from)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for k, v := range s.Environment {
			text, _ := v.(string)
			if strings.Contains(k, "PASSWORD") && !strings.HasPrefix(text, "${") {
				t.Errorf("%s: %s cannot be set from the environment", name, k)
			}
		}
	}
}

// The example's files take their addresses from the environment; compose must set every one of them.
func TestComposeSetsWhatTheExampleReads(t *testing.T) {
	b, err := os.ReadFile("examples/postgres-mysql/pipeline.yaml")
	if err != nil {
		t.Fatal(err)
	}
	env := readCompose(t).Services["shelfstream"].Environment
	found := 0
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		_, rest, ok := strings.Cut(line, "${")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(rest, "}")
		name, _, _ = strings.Cut(name, ":") // what stands behind it is a default
		found++
		if env[name] == nil {
			t.Errorf("docker-compose.yml does not set %s for shelfstream", name)
		}
	}
	if found < 4 {
		t.Errorf("found only %d variables", found)
	}
}

func TestExampleConfigurationLoads(t *testing.T) {
	env := map[string]string{
		"ERP_DSN": "postgres://capture:x@127.0.0.1:5432/erp", "SHOP_DSN": "shop:x@tcp(127.0.0.1:3306)/shop",
		"KAFKA_BROKER": "127.0.0.1:9092", "REGISTRY_URL": "http://127.0.0.1:8081", "STATE_DIR": t.TempDir(), "ADMIN_LISTEN": "127.0.0.1:8480",
	}
	p, err := config.Load("examples/postgres-mysql/pipeline.yaml", func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "moestue" {
		t.Errorf("pipeline %q", p.Name)
	}
}

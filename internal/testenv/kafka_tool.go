package testenv

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
)

// Tool runs one of Kafka's own tools by its class, "org.apache.kafka.tools.AclCommand", and gives what it printed.
func (k *Kafka) Tool(ctx context.Context, class string, args ...string) (string, error) {
	java, err := findJava(ctx)
	if err != nil {
		return "", err
	}
	jars, _, err := FetchKafka(ctx)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, java, append([]string{"-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", filepath.Join(jars, "*"), class}, args...)...)
	cmd.SysProcAttr = sysProcAttr(nil)
	cmd.Env = os.Environ()
	out, err := runLocked(cmd)
	return string(out), err
}

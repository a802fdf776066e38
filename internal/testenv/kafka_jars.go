package testenv

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"shelfstream/internal/fault"
)

// kafkaPOM names the jars of the Kafka that tests run against.
//
//go:embed kafka/pom.xml
var kafkaPOM []byte

// minJava is the oldest JVM that Kafka 4 brokers run on.
const minJava = 17

const copyJars = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"

func kafkaVersion() (string, error) {
	var p struct {
		Version string `xml:"properties>kafka.version"`
	}
	if err := xml.Unmarshal(kafkaPOM, &p); err != nil {
		return "", fmt.Errorf("read kafka/pom.xml: %w", err)
	}
	return p.Version, nil
}

// kafkaDir is where the jars are: SHELFSTREAM_KAFKA_JARS or the user's cache.
func kafkaDir() (dir, version string, given bool, err error) {
	version, err = kafkaVersion()
	if err != nil {
		return "", "", false, err
	}
	if d := os.Getenv(EnvKafkaJars); d != "" {
		return d, version, true, nil
	}
	cache, err := cacheDir()
	if err != nil {
		return "", "", false, err
	}
	return filepath.Join(cache, "kafka-"+version), version, false, nil
}

// hasKafka tells whether dir holds a broker, and its version by the jar's name.
func hasKafka(dir string) (version string, ok bool) {
	found, err := filepath.Glob(filepath.Join(dir, "kafka_2.13-*.jar"))
	if err != nil || len(found) == 0 {
		return "", false
	}
	return strings.TrimSuffix(strings.TrimPrefix(filepath.Base(found[0]), "kafka_2.13-"), ".jar"), true
}

// haveKafka says whether StartKafka will find its jars or can fetch them.
func haveKafka() error {
	dir, _, given, err := kafkaDir()
	if err != nil {
		return err
	}
	if _, ok := hasKafka(dir); ok {
		return nil
	}
	if given {
		return &fault.Fault{Class: fault.Environment, Where: EnvKafkaJars, What: dir + " holds no kafka_2.13-*.jar", Fix: "point it at the libs directory of an Apache Kafka 4, or unset it"}
	}
	if lookSbin("mvn") == "" {
		return &fault.Fault{Class: fault.Environment, Where: "Apache Kafka", What: "its jars are not in " + dir + ", and Maven, which fetches them, is not installed", Fix: "scripts/install.sh --test (on Debian and Ubuntu: sudo apt-get install maven), or set " + EnvKafkaJars + " to the libs directory of an Apache Kafka 4"}
	}
	return nil
}

// FetchKafka makes sure that the jars of Apache Kafka are there, and gives their directory and version. It needs Maven, and a
// package registry, only the first time.
func FetchKafka(ctx context.Context) (dir, version string, err error) {
	if err := haveKafka(); err != nil {
		return "", "", err
	}
	dir, want, given, err := kafkaDir()
	if err != nil {
		return "", "", err
	}
	if v, ok := hasKafka(dir); ok {
		return dir, v, nil
	}
	if given {
		return "", "", fmt.Errorf("%s: the jars are gone", dir)
	}
	cache, unlock, err := lockCache(filepath.Base(dir))
	if err != nil {
		return "", "", err
	}
	defer unlock()
	if v, ok := hasKafka(dir); ok {
		return dir, v, nil
	}
	tmp, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return "", "", err
	}
	defer os.RemoveAll(tmp)
	pom := filepath.Join(tmp, "pom.xml")
	if err := os.WriteFile(pom, kafkaPOM, 0o644); err != nil {
		return "", "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	jars := filepath.Join(tmp, "jars")
	cmd := exec.CommandContext(ctx, lookSbin("mvn"), "-B", "-q", "-f", pom, copyJars, "-DincludeScope=runtime", "-DoutputDirectory="+jars)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err == nil {
		if _, ok := hasKafka(jars); !ok {
			err = errors.New("no broker among the jars")
		}
	}
	if err != nil {
		lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
		return "", "", &fault.Fault{
			Class: fault.Environment, Where: "Apache Kafka", Err: err,
			What: "Maven could not fetch its jars:\n" + string(bytes.Join(lines[:min(len(lines), 15)], []byte("\n"))),
			Fix:  "run again with a package registry in reach, or set " + EnvKafkaJars + " to the libs directory of an Apache Kafka 4",
		}
	}
	if err := os.Rename(jars, dir); err != nil {
		return "", "", err
	}
	return dir, want, nil
}

// findJava is the JVM of JAVA_HOME, or the one in PATH, if it is new enough.
func findJava(ctx context.Context) (string, error) {
	missing := &fault.Fault{Class: fault.Environment, Where: "Apache Kafka", Fix: fmt.Sprintf("scripts/install.sh --test (on Debian and Ubuntu: sudo apt-get install default-jre-headless), or set JAVA_HOME to a JVM of version %d or newer", minJava)}
	var tried []string
	if h := os.Getenv("JAVA_HOME"); h != "" {
		tried = append(tried, filepath.Join(h, "bin", "java"))
	}
	if p := lookSbin("java"); p != "" {
		tried = append(tried, p)
	}
	for _, java := range tried {
		if !executable(java) {
			continue
		}
		v, err := versionOf(ctx, java)
		if err != nil {
			missing.Err = err
			continue
		}
		if firstNumber(v) >= minJava {
			return java, nil
		}
		missing.What = "the JVM " + java + " has version " + v
	}
	if missing.What == "" {
		missing.What = "no JVM is installed"
	}
	return "", missing
}

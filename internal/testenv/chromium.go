package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"shelfstream/internal/fault"
)

// EnvChromium names a Chromium or Chrome that is not in PATH.
const EnvChromium = "SHELFSTREAM_CHROMIUM"

// FindChromium gives the path of a Chromium or Chrome: SHELFSTREAM_CHROMIUM, then the distributions' names in PATH.
func FindChromium() (string, error) {
	if p := os.Getenv(EnvChromium); p != "" {
		if executable(p) {
			return p, nil
		}
		return "", noChromium(EnvChromium + " names " + p + ", which cannot be executed")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	return "", noChromium("the browser is not installed")
}

func noChromium(what string) error {
	return &fault.Fault{
		Class: fault.Environment, Where: "Chromium", What: what,
		Fix: "scripts/install.sh --test (on Debian and Ubuntu: sudo apt-get install chromium), or set " + EnvChromium + " to a Chromium or Chrome",
	}
}

// Chromium is a running browser without a window, with a profile of its own that nothing is left of.
type Chromium struct {
	server   server
	devtools string
}

// StartChromium starts the browser; dir "" is a directory that Close removes. It talks with nobody by itself, and its debugging port is open on
// loopback only. As root it runs without its sandbox, which root cannot have.
func StartChromium(ctx context.Context, dir string) (*Chromium, error) {
	path, err := FindChromium()
	if err != nil {
		return nil, err
	}
	version, err := versionOf(ctx, path)
	if err != nil {
		return nil, err
	}
	p, err := newPlace("chromium", dir, nil)
	if err != nil {
		return nil, err
	}
	profile := filepath.Join(p.dir, "profile")
	args := []string{
		"--headless=new", "--user-data-dir=" + profile, "--remote-debugging-port=0", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-extensions", "--disable-breakpad", "--disable-crash-reporter", "--metrics-recording-only", "--password-store=basic", "--use-mock-keychain",
		"--no-proxy-server", "--lang=en", "--force-color-profile=srgb",
		// A page in the background goes on as one in front does.
		"--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
		"about:blank",
	}
	if os.Geteuid() == 0 {
		args = append([]string{"--no-sandbox"}, args...)
	}
	c := &Chromium{}
	c.server = server{
		place:   p,
		command: command{name: "Chromium", path: path, args: args, env: chromiumEnv(p.dir), dir: p.dir, log: filepath.Join(p.dir, "chromium.log")},
		timeout: 60 * time.Second,
		stopSig: syscall.SIGTERM,
		probe: func(context.Context) (err error) {
			c.devtools, err = devtools(filepath.Join(profile, "DevToolsActivePort"))
			return err
		},
	}
	if err := c.server.Restart(ctx); err != nil {
		return nil, errors.Join(err, c.server.Close())
	}
	return c, report("Chromium " + version)
}

// chromiumEnv lets the browser leave its temporary files in dir. One is a socket, 46 characters below it, whose path may have 107.
func chromiumEnv(dir string) []string {
	env := os.Environ()
	if len(dir) <= 60 {
		env = append(env, "TMPDIR="+dir)
	}
	return env
}

// DevTools is the address of the debugging protocol: ws://127.0.0.1:port/devtools/browser/…
func (c *Chromium) DevTools() string { return c.devtools }

// PID is the process id of the browser, 0 if it does not run.
func (c *Chromium) PID() int { return c.server.PID() }

// Close ends the browser, and with it the processes it made, and removes its profile.
func (c *Chromium) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := c.server.Stop(ctx)
	// Its helpers end a moment after it, and may still write into the profile.
	if werr := WaitFor(ctx, "the browser's directory to be gone", func() (bool, error) { return c.server.place.remove() == nil, nil }); werr != nil {
		err = errors.Join(err, werr)
	}
	return err
}

// devtools reads the file in which the browser notes its port and the path of the protocol.
func devtools(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	port, path, ok := strings.Cut(strings.TrimSpace(string(b)), "\n")
	if !ok {
		return "", fmt.Errorf("%s is not whole yet", file)
	}
	return "ws://127.0.0.1:" + port + path, nil
}

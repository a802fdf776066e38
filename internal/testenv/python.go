package testenv

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"shelfstream/internal/fault"
)

// fastavroVersion is what is installed where no Python has fastavro.
const fastavroVersion = "1.13.1"

// FastavroPython gives a Python that has fastavro, the Avro of analysts: python3 itself, or else a virtual environment in the user's cache, which is made,
// and filled by pip, when it is first asked for.
func FastavroPython(ctx context.Context) (exe string, err error) {
	has := func(exe string) bool { return exec.CommandContext(ctx, exe, "-c", "import fastavro").Run() == nil }
	if has("python3") {
		return "python3", nil
	}
	dir, unlock, err := lockCache("fastavro")
	if err != nil {
		return "", err
	}
	defer unlock()
	venv := filepath.Join(dir, "fastavro")
	exe = filepath.Join(venv, "bin", "python")
	if has(exe) {
		return exe, nil
	}
	for _, args := range [][]string{{"python3", "-m", "venv", venv}, {exe, "-m", "pip", "install", "-q", "fastavro==" + fastavroVersion}} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", &fault.Fault{
				Class: fault.Environment, Where: "Python", What: "has no fastavro, and it cannot be installed", Fix: "scripts/install.sh --test, then python3 -m pip install fastavro",
				Err: fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out),
			}
		}
	}
	return exe, nil
}

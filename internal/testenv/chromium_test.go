package testenv

import (
	"errors"
	"strings"
	"testing"

	"shelfstream/internal/fault"
)

// TestNoChromium: who lacks the browser is told how to get it.
func TestNoChromium(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv(EnvChromium, "")
	for range 2 {
		_, err := FindChromium()
		var f *fault.Fault
		if !errors.As(err, &f) || f.Class != fault.Environment || !strings.Contains(f.Fix, "scripts/install.sh --test") || !strings.Contains(f.Fix, EnvChromium) {
			t.Errorf("got %v", err)
		}
		t.Setenv(EnvChromium, "/nowhere/chromium")
	}
}
